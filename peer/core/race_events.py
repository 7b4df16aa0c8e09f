"""What the race of :mod:`peer.core.race` is told, and what it orders."""

from __future__ import annotations

from dataclasses import dataclass

from peer.core.greeting import Facts, Greeting, Select, Selected
from peer.core.times import MonoNs
from rendezvous.protocol.messages import Reason


@dataclass(frozen=True, slots=True)
class Opened:
    """A pair's connection is established and is not a self-connection."""

    pair: int
    nonce: bytes
    """Fresh randomness for this connection's hello."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole greeting came in on a pair's connection."""

    pair: int
    message: Greeting


@dataclass(frozen=True, slots=True)
class Broken:
    """A pair's connection ended, or what came on it was no greeting."""

    pair: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of the last :class:`SetTimer` has come."""


Event = Opened | Received | Broken | TimerFired


@dataclass(frozen=True, slots=True)
class Send:
    """Send this greeting on the pair's connection."""

    pair: int
    message: Greeting


@dataclass(frozen=True, slots=True)
class TellFacts:
    """Send SELECT or SELECTED with this end's facts, which only io knows."""

    pair: int
    kind: type[Select] | type[Selected]


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the pair's connection; its pair is spent."""

    pair: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send :class:`TimerFired` at this time."""

    at: MonoNs


@dataclass(frozen=True, slots=True)
class Keep:
    """This connection won; close every other one."""

    pair: int
    far_facts: Facts


Command = Send | TellFacts | Drop | SetTimer | Keep
