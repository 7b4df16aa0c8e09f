"""What can go wrong for a peer, as one tree; each class has its exit code.

::

    MidairError
    ├── UsageError               2   an option makes no sense
    ├── PortInUseError           2   the local ports are taken
    ├── RendezvousError          3   the rendezvous cannot be used
    │   ├── UnreachableError         … nobody answers there
    │   ├── NameplateError           … nobody waits under this code
    │   ├── CrowdedError             … two others have this code already
    │   ├── VersionError             … it speaks another version
    │   └── RefusedError             … it says no, in its own words
    ├── ClockError               4   nobody says what time it is
    ├── NoPathError              5   every attempt missed, or the partner never came
    ├── AuthenticationError      6   the far end does not know the code
    ├── TransferError            7   one side stopped while files were sent
    └── BrokenError              1   the connection broke after it was made
        └── StreamBrokenError        … and what was complete by then

Texts name what happened, to whom, and what to do; a test pins them.
"""

from __future__ import annotations

from typing import ClassVar

from rendezvous.protocol.messages import Reason


class MidairError(Exception):
    """Anything that ends a peer; never raised itself."""

    exit_code: ClassVar[int] = 1
    verdict: str = "failed"

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep the text apart from the advice.

        Args:
            what: what happened and to whom, one sentence without a full stop.
            hint: what the user can do, one sentence; may be empty.
        """
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return both sentences in one line."""
        return f"{self.what}. {self.hint}" if self.hint else self.what


class UsageError(MidairError):
    """An argument or a variable makes no sense; correct it."""

    exit_code = 2
    verdict = "usage"


class PortInUseError(MidairError):
    """A program on this host has the local port; choose another ``--local-port``."""

    exit_code = 2
    verdict = "port_in_use"


class RendezvousError(MidairError):
    """The rendezvous cannot be used."""

    exit_code = 3
    verdict = "rendezvous"


class UnreachableError(RendezvousError):
    """Nobody answers at the rendezvous's address; check the URL and that it runs."""

    verdict = "rendezvous_unreachable"


class NameplateError(RendezvousError):
    """No partner waits under this code: mistyped, expired or already used."""

    verdict = "nameplate_unknown"


class CrowdedError(RendezvousError):
    """Both seats of this code are taken; ask for a new code."""

    verdict = "crowded"


class VersionError(RendezvousError):
    """Rendezvous and peer speak different versions; install equal ones."""

    verdict = "version"


class RefusedError(RendezvousError):
    """The rendezvous refuses, in its own words."""

    verdict = "refused"


class ClockError(MidairError):
    """No NTP server gives a time that one can meet by; name others with ``--ntp``."""

    exit_code = 4
    verdict = "clock"


class NoPathError(MidairError):
    """There is no connection: every attempt missed, or the partner never came.

    Attributes:
        reason: one word of the closed list.
    """

    exit_code = 5

    def __init__(self, reason: Reason, what: str, hint: str = "") -> None:
        """Keep the reason.

        Args:
            reason: why, one word of the closed list.
            what: the same in a sentence.
            hint: what the user can do.
        """
        super().__init__(what, hint)
        self.reason = reason
        self.verdict = reason.value


class AuthenticationError(MidairError):
    """Somebody was there who does not know the code; the session is burned."""

    exit_code = 6
    verdict = "authentication"


class TransferError(MidairError):
    """Files were declined, are there already, changed, or cannot be written; the rest is kept."""

    exit_code = 7
    verdict = "transfer"


class BrokenError(MidairError):
    """The connection was made and broke before both directions had ended."""

    exit_code = 1
    verdict = "broken"


class StreamBrokenError(BrokenError):
    """The stream is over in disorder; what was complete before is stated."""

    verdict = "stream_broken"

    def __init__(self, reason: str, *, sent_complete: bool, received_complete: bool) -> None:
        """Say why, and what may be relied on.

        Args:
            reason: One sentence for a person, without a full stop.
            sent_complete: The partner confirmed that it delivered everything we wrote.
            received_complete: All that the partner wrote was received, up to its end mark.
        """
        super().__init__(reason)
        self.reason = reason
        self.sent_complete = sent_complete
        self.received_complete = received_complete
