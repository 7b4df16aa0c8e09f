r"""What two peers say on a fresh connection, before a byte of the user's.

Every message is a type, a length and a payload, big-endian::

     0        1                 3
    +--------+--------+--------+----------------- - - -
    |  type  |     length      |  payload
    +--------+--------+--------+----------------- - - -

    1 HELLO     "midair" (6) | version (1) | session (16) | attempt (2) | pair (2) | nonce (32)
    2 PROOF     proof (32), see peer.core.proof
    3 SELECT    facts (32): this is the connection to keep; from the initiator only
    4 SELECTED  facts (32): agreed; from the responder only

    facts       winner_shots (4) | shots (4) | refusals (4) | bound_us (4)
                | first_us (8, signed) | instant_error_us (8, signed)

Order: HELLO both ways, PROOF both ways, SELECT, SELECTED.  What follows
SELECTED belongs to the stream.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from peer.core.proof import NONCE_BYTES, PROOF_BYTES, Place
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.messages import PROTOCOL_VERSION

_HEADER = struct.Struct("!BH")
_HELLO = struct.Struct(f"!6sB16sHH{NONCE_BYTES}s")
_FACTS = struct.Struct("!IIIIqq")
_MAGIC = b"midair"
_U32 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks, and of which connection."""

    place: Place
    nonce: bytes
    version: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class Proof:
    """The sender knows the code."""

    proof: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What an end knows of its own volley; told once both are proven."""

    winner_shots: int
    """Shots of this pair until it opened; 1: the first one."""
    shots: int
    """Shots of all pairs of this attempt."""
    refusals: int
    """How many of them were refused."""
    bound_us: int
    """Bound of this end's clock in the appointment's timescale."""
    first_us: int
    """When this pair's first shot left, in that timescale."""
    instant_error_us: int
    """How far after the instant the volley's first shot left."""


@dataclass(frozen=True, slots=True)
class Select:
    """The initiator wants this connection."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class Selected:
    """The responder keeps it."""

    facts: Facts


Greeting = Hello | Proof | Select | Selected
_TYPES: dict[int, tuple[type[Greeting], int]] = {
    1: (Hello, _HELLO.size),
    2: (Proof, PROOF_BYTES),
    3: (Select, _FACTS.size),
    4: (Selected, _FACTS.size),
}


def encode(message: Greeting) -> bytes:
    """Encode one message with its header.

    Args:
        message: any of the four.

    Returns:
        The bytes to send.
    """
    match message:
        case Hello(place, nonce, version):
            fields = (_MAGIC, version, place.session, place.attempt, place.pair, nonce)
            return _HEADER.pack(1, _HELLO.size) + _HELLO.pack(*fields)
        case Proof(proof):
            return _HEADER.pack(2, PROOF_BYTES) + proof
        case Select(facts):
            return _HEADER.pack(3, _FACTS.size) + _encode_facts(facts)
        case Selected(facts):
            return _HEADER.pack(4, _FACTS.size) + _encode_facts(facts)


def _encode_facts(facts: Facts) -> bytes:
    counts = (facts.winner_shots, facts.shots, facts.refusals, facts.bound_us)
    return _FACTS.pack(*(min(n, _U32) for n in counts), facts.first_us, facts.instant_error_us)


class GreetingDecoder:
    """Cut a byte stream into greetings.

    Feed it :attr:`wanted` bytes at a time: whatever follows SELECTED then stays in the socket,
    for the stream.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they came.

        Args:
            data: at most :attr:`wanted` bytes, or what follows is kept here.
        """
        self._buffer += data

    def next(self) -> Greeting | None:
        """Take the next whole message out.

        Returns:
            The message, or None when more bytes are needed.

        Raises:
            ProtocolError: the bytes are not a greeting of ours.
        """
        if len(self._buffer) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(self._buffer)
        if kind not in _TYPES or _TYPES[kind][1] != length:
            raise ProtocolError(f"no greeting has type {kind} and length {length}")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return _decode(kind, payload)

    @property
    def wanted(self) -> int:
        """How many bytes may be read now without taking any of what follows the greeting."""
        if len(self._buffer) < _HEADER.size:
            return _HEADER.size - len(self._buffer)
        _, length = _HEADER.unpack_from(self._buffer)
        return int(_HEADER.size + length - len(self._buffer))


def _decode(kind: int, payload: bytes) -> Greeting:
    if kind == 1:
        magic, version, session, attempt, pair, nonce = _HELLO.unpack(payload)
        if magic != _MAGIC:
            raise ProtocolError("a hello without our mark")
        return Hello(Place(session, attempt, pair), nonce, version)
    if kind == 2:
        return Proof(payload)
    facts = Facts(*_FACTS.unpack(payload))
    return Select(facts) if kind == 3 else Selected(facts)
