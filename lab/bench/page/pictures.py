"""The pictures of docs/benchmarks.md, by file name. Imports matplotlib, so imported late."""

from __future__ import annotations

from collections.abc import Sequence

from lab.bench.labs import DELAY_MS
from lab.bench.page import delay_picture, skew_picture
from lab.bench.page.markdown import DELAY_PICTURE, SKEW_PICTURE
from lab.bench.page.series import Session


def draw(sessions: Sequence[Session]) -> dict[str, str]:
    """Draw all pictures.

    Args:
        sessions: of a report.

    Returns:
        Each picture as SVG, by the name of its file.
    """
    return {
        SKEW_PICTURE: skew_picture.draw(sessions, DELAY_MS),
        DELAY_PICTURE: delay_picture.draw(sessions),
    }
