"""What comes in over many streams in one: what the machine of :mod:`peer.core.mux` tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """The partner opens a stream to a place."""

    stream: int
    authority: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The partner has connected a stream of ours."""

    stream: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner does not connect a stream of ours."""

    stream: int
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Bytes."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The partner's direction of a stream is over, and complete."""

    stream: int


@dataclass(frozen=True, slots=True)
class WasReset:
    """The partner broke a stream: both directions are over, and not complete."""

    stream: int


@dataclass(frozen=True, slots=True)
class MoreRoom:
    """Something may be sent, or opened, that had to wait."""


MuxEvent = Asked | Accepted | Refused | Arrived | Ended | WasReset | MoreRoom
