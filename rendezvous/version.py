"""The version of the installed distribution; apart, since looking it up costs milliseconds."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("midair")
