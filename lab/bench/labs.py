"""The lab that most sections share, and what a round trip is in it."""

from __future__ import annotations

from typing import Any

from lab.options import LabOptions
from lab.topology import LinkSpec, WorldSpec

DELAY_MS = 20.0
"""One way, router to router; the round trip is twice that."""
RTT_MS = 2 * DELAY_MS
CLOCK_A_S, CLOCK_B_S = 3.7, -41.0


def options(**changes: Any) -> LabOptions:
    """Make the lab of the main job: two NATs that answer RST, wrong clocks, 20 ms one way."""
    values: dict[str, Any] = {
        "world": WorldSpec.symmetric(LinkSpec(delay_ms=DELAY_MS)),
        "clock_a_s": CLOCK_A_S,
        "clock_b_s": CLOCK_B_S,
    }
    return LabOptions(**{**values, **changes})
