"""These tests boot guests; they are there only where the guest's package is.

That is everywhere but on machines whose own kernel has netem, which need no guest. On all others
``deploy/setup.sh lab`` has installed it.
"""

from __future__ import annotations

from lab.guest import has_netem
from lab.system import find, in_guest

collect_ignore_glob = (
    ["test_*.py"] if in_guest() or (find("linux.uml") is None and has_netem()) else []
)
