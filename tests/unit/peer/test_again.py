"""When a listener that stays begins again."""

from __future__ import annotations

import pytest

from peer.core.again import MOST_PAUSE_NS, pause_ns
from peer.errors import (
    AuthenticationError,
    BrokenError,
    MidairError,
    NoPathError,
    PortInUseError,
    UnreachableError,
    UsageError,
    VersionError,
)
from rendezvous.protocol.messages import Reason
from rendezvous.protocol.times import NS_PER_S


@pytest.mark.parametrize("error", [None, BrokenError("gone"), UsageError("a pipe meets files")])
def test_pause_after_a_connection_is_none_however_it_ended(error: MidairError | None) -> None:
    assert pause_ns(error, connected=True, failures=0, first=True) == 0


@pytest.mark.parametrize(
    "error", [AuthenticationError("wrong"), NoPathError(Reason.SILENT, "no path")]
)
def test_pause_without_a_connection_doubles_up_to_a_minute(error: MidairError) -> None:
    pauses = [pause_ns(error, connected=False, failures=n, first=n == 1) for n in range(1, 100)]
    assert pauses[:4] == [NS_PER_S, 2 * NS_PER_S, 4 * NS_PER_S, 8 * NS_PER_S]
    assert set(pauses[6:]) == {MOST_PAUSE_NS}


@pytest.mark.parametrize("error", [UnreachableError("nobody"), PortInUseError("taken")])
def test_what_is_wrong_at_first_ends_it_and_later_does_not(error: MidairError) -> None:
    assert pause_ns(error, connected=False, failures=1, first=True) is None
    assert pause_ns(error, connected=False, failures=1, first=False) == NS_PER_S


@pytest.mark.parametrize("error", [UsageError("no code"), VersionError("another")])
def test_what_no_second_try_changes_ends_it(error: MidairError) -> None:
    assert pause_ns(error, connected=False, failures=1, first=False) is None
