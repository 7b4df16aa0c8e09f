"""What a peer did, as typed events: for tests, benchmarks, pictures and ``--json``.

Each class is one kind of JSON line; its fields are the line's keys, beside
``event`` and ``t_ms``.  Keys that other programs read are never renamed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """Base of all events."""

    event: ClassVar[str] = ""

    def fields(self) -> dict[str, object]:
        """Return the event's own keys and values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CodeMade(TraceEvent):
    """The code to hand over, and the whole command for the other side."""

    event = "code"
    code: str
    command: str


@dataclass(frozen=True, slots=True)
class Waiting(TraceEvent):
    """The first seat is taken; the partner may join."""

    event = "waiting"
    nameplate: str


@dataclass(frozen=True, slots=True)
class Paired(TraceEvent):
    """Both seats are taken."""

    event = "paired"
    seat: str


@dataclass(frozen=True, slots=True)
class ClockLearned(TraceEvent):
    """Offsets of this peer's clock (server - local), each with its bound."""

    event = "clock"
    ntp: dict[str, object] | None
    rendezvous: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class MappingLearned(TraceEvent):
    """What the reflector saw."""

    event = "mapping"
    mapping: str
    preserves_port: bool | None
    local: list[str]
    srflx: list[str]
    host: list[str]


@dataclass(frozen=True, slots=True)
class MeetingSet(TraceEvent):
    """A meeting that both sides know of without being told."""

    event = "meeting"
    number: int
    host: str
    by: str
    at: str
    instant_us: int
    wait_us: int
    bound_us: int
    authenticated: bool
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Appointed(TraceEvent):
    """The plan of an attempt, as this peer reads it."""

    event = "appointment"
    attempt: int
    role: str | None
    timescale: str
    instant_us: int
    lead_us: int
    late_us: int
    offset_us: int
    bound_us: int
    pairs: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ShotFired(TraceEvent):
    """The first shot of a pair."""

    event = "shot"
    attempt: int
    pair: int
    shot: int
    at_us: int
    local_us: int
    fire_error_us: int


@dataclass(frozen=True, slots=True)
class VolleyDone(TraceEvent):
    """All shots of an attempt, counted."""

    event = "volley"
    attempt: int
    shots: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Missed(TraceEvent):
    """An attempt without a connection."""

    event = "missed"
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Relaying(TraceEvent):
    """No path was found, or none was wanted: the bytes are to go over a relay."""

    event = "relaying"
    places: list[str]
    verdict: str
    """Why there is no path, and in words; empty: none was wanted."""
    message: str
    hint: str
    octets: int | None
    """What the relay carries for a pair of peers; None: any number."""
    octets_per_s: int | None


@dataclass(frozen=True, slots=True)
class Connected(TraceEvent):
    """The connection, proven and agreed on by both ends; over a relay, no volley's facts."""

    event = "connected"
    local: str
    remote: str
    path: str
    role: str
    attempt: int
    pair: int
    first_shot: bool
    skew_us: int
    shots: int
    refusals: int
    winner_shots: int
    sync_margin_us: int
    fire_error_us: int
    rtt_us: int
    timescale: str
    offset_us: int
    bound_us: int
    since_report_ms: float | None
    elapsed_ms: float
    encrypted: str = ""
    """TLS's version and cipher suite; empty: in the clear."""
    authenticated: bool = True
    """The far end has proven that it knows a secret."""


@dataclass(frozen=True, slots=True)
class FilesOffered(TraceEvent):
    """What is sent, as both sides know it before anything is written."""

    event = "files"
    files: int
    folders: int
    size: int
    names: list[str]


@dataclass(frozen=True, slots=True)
class Asking(TraceEvent):
    """The receiver knows the whole list, and has not said yet that it wants the files."""

    event = "asking"


@dataclass(frozen=True, slots=True)
class FilesProgress(TraceEvent):
    """How far the files are, about once a second."""

    event = "progress"
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class FileStored(TraceEvent):
    """A file is complete at the receiver, and has its name there."""

    event = "file"
    name: str
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class FilesDone(TraceEvent):
    """Every file is complete at the receiver."""

    event = "done"
    direction: str
    files: int
    folders: int
    size: int
    transferred: int
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class Forwarding(TraceEvent):
    """Connections are forwarded from now on."""

    event = "forwarding"
    side: str
    places: list[str]


@dataclass(frozen=True, slots=True)
class Forwarded(TraceEvent):
    """A forwarded connection is over, or was refused."""

    event = "forwarded"
    place: str
    sent: int
    received: int
    reason: str


@dataclass(frozen=True, slots=True)
class Closed(TraceEvent):
    """The stream is over."""

    event = "closed"
    sent: int
    received: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failed(TraceEvent):
    """There is no connection, or it broke."""

    event = "failed"
    verdict: str
    message: str
    hint: str
    exit: int


@dataclass(frozen=True, slots=True)
class Warned(TraceEvent):
    """Something is amiss that does not keep the peers apart."""

    event = "warning"
    message: str
