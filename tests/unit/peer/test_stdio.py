"""Calls in a thread of their own: what they raise is their caller's, whatever it is."""

from __future__ import annotations

import pytest

from peer.io.stdio import Blocking


@pytest.mark.parametrize("error", [OSError("no"), UnicodeError("no"), ValueError("no")])
async def test_call_that_raises_tells_its_caller_and_the_next_one_is_made(error: Exception) -> None:
    def fail() -> None:
        raise error

    with Blocking("test") as thread:
        with pytest.raises(type(error)):
            await thread.call(fail)
        assert await thread.call(int, "1") == 1
