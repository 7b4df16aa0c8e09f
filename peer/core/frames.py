"""Frames of the byte stream between two peers: bytes to frozen values and back.

Not for the handshake that proves the peer (that is over before the first frame), and not for
rules of order (those are in :mod:`peer.core.stream_machine`).

Every frame, integers in network byte order::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     type      |                    length                     :
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    :  length (cont.) |  payload, `length` bytes ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    type  name     length          payload
    0x01  DATA     1 ... 1 MiB     bytes of the direction (we send at most 256 KiB)
    0x02  END      8               bytes of the direction in all, unsigned
    0x03  END_ACK  0               everything up to END was delivered
    0x04  ABORT    0 ... 200       why, UTF-8, printable
    0x05  CREDIT   8               bytes that the direction may carry in all so far, unsigned

Anything else is a :class:`~rendezvous.protocol.errors.ProtocolError`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from rendezvous.protocol.errors import ProtocolError

HEADER = struct.Struct("!BI")
"""Type and length."""
U64 = struct.Struct("!Q")
"""The payload of END and of CREDIT."""

DATA_SEND_MAX = 256 * 1024
"""Most bytes in a DATA frame that we send; a control frame waits behind no more than that."""
DATA_RECEIVE_MAX = 1024 * 1024
"""Most bytes in a DATA frame that we accept: room for another implementation's choice."""
REASON_MAX = 200
"""Most bytes of UTF-8 in an ABORT: a sentence, and always deliverable at once."""


class Type(IntEnum):
    """First byte of a frame."""

    DATA = 1
    END = 2
    END_ACK = 3
    ABORT = 4
    CREDIT = 5


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the direction. Where one frame ends and the next begins means nothing."""

    payload: bytes | memoryview
    """At least one byte. From a :class:`Decoder`, a view of what it was fed."""


@dataclass(frozen=True, slots=True)
class End:
    """This direction is over."""

    total: int
    """Bytes it carried in all, so that the reader can check."""


@dataclass(frozen=True, slots=True)
class EndAck:
    """The direction that the partner ended was delivered in full."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Both directions are over, in disorder."""

    reason: str
    """For a person; printable, at most REASON_MAX bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Credit:
    """The partner may send more."""

    limit: int
    """Bytes that its direction may carry in all so far, counted from the first."""


Frame = Data | End | EndAck | Abort | Credit


def abort(reason: str) -> Abort:
    """Make an ABORT of any text: unprintable characters replaced, cut to size.

    Args:
        reason: Any text.
    """
    # A partner's terminal shows this text: no escape sequences, no line breaks.
    text = "".join(char if char.isprintable() else "?" for char in reason)
    return Abort(text.encode()[:REASON_MAX].decode(errors="ignore"))


def encode(frame: Frame) -> bytes:
    """Encode one frame.

    Args:
        frame: A DATA frame carries at most DATA_SEND_MAX bytes.

    Raises:
        ProtocolError: The frame's content is out of range.
    """
    match frame:
        case Data(payload):
            return data_header(len(payload)) + payload
        case End(total):
            kind, body = Type.END, _u64(total)
        case EndAck():
            kind, body = Type.END_ACK, b""
        case Credit(limit):
            kind, body = Type.CREDIT, _u64(limit)
        case Abort(reason):
            kind, body = Type.ABORT, reason.encode()
            if len(body) > REASON_MAX or not reason.isprintable():
                raise ProtocolError("an ABORT's reason is one printable line of 200 bytes")
    return HEADER.pack(kind, len(body)) + body


def data_header(length: int) -> bytes:
    """Encode what stands in front of a DATA frame's payload, so that nobody need copy that.

    Args:
        length: 1 to DATA_SEND_MAX bytes follow.

    Raises:
        ProtocolError: They are too many, or none.
    """
    if not 0 < length <= DATA_SEND_MAX:
        raise ProtocolError(f"a DATA frame cannot carry {length} bytes")
    return HEADER.pack(Type.DATA, length)


def _u64(value: int) -> bytes:
    if not 0 <= value < 1 << 64:
        raise ProtocolError(f"{value} is not an unsigned 64-bit integer")
    return U64.pack(value)


_LENGTHS: dict[int, tuple[int, int]] = {
    Type.DATA: (1, DATA_RECEIVE_MAX),
    Type.END: (U64.size, U64.size),
    Type.END_ACK: (0, 0),
    Type.ABORT: (0, REASON_MAX),
    Type.CREDIT: (U64.size, U64.size),
}


class Decoder:
    """Decodes frames from chunks cut anywhere.

    The payload of a DATA frame is handed on as it arrives, as one :class:`Data` a piece: the
    decoder never holds more than a header and a control frame, and copies no payload.
    """

    def __init__(self) -> None:
        self._partial = bytearray()
        """The header, or the control frame, that has not fully arrived."""
        self._data_left = 0
        """Bytes still to come of the current DATA frame."""

    @property
    def idle(self) -> bool:
        """True between two frames: an end here cuts none in half."""
        return not self._partial and not self._data_left

    def feed(self, chunk: bytes | memoryview) -> list[Frame]:
        """Decode what is complete now.

        Args:
            chunk: The next bytes, any number of them; the frames are good for as long as it is.

        Raises:
            ProtocolError: The bytes are not frames. The decoder is of no use afterwards.
        """
        frames: list[Frame] = []
        view = memoryview(chunk)
        position = 0
        while position < len(view):
            if self._data_left:
                piece = view[position : position + self._data_left]
                self._data_left -= len(piece)
                frames.append(Data(piece))
                position += len(piece)
                continue
            end = position + self._missing()
            self._partial += view[position:end]
            position = end
            if not self._missing():
                frames += self._control()
        return frames

    def _missing(self) -> int:
        """Bytes until the partial frame can be judged: its header, then its whole."""
        if len(self._partial) < HEADER.size:
            return HEADER.size - len(self._partial)
        kind, length = HEADER.unpack_from(self._partial)
        least, most = _LENGTHS.get(kind, (0, -1))
        if not least <= length <= most:
            raise ProtocolError(f"no frame of type {kind} has a length of {length}")
        whole = HEADER.size if kind == Type.DATA else HEADER.size + int(length)
        return whole - len(self._partial)

    def _control(self) -> list[Frame]:
        """Take the complete partial frame; the header alone, of a DATA frame."""
        kind, length = HEADER.unpack_from(self._partial)
        body = bytes(self._partial[HEADER.size :])
        self._partial.clear()
        match kind:
            case Type.DATA:
                self._data_left = length
                return []
            case Type.END:
                return [End(*U64.unpack(body))]
            case Type.CREDIT:
                return [Credit(*U64.unpack(body))]
            case Type.END_ACK:
                return [EndAck()]
        try:
            reason = body.decode()
        except UnicodeDecodeError:
            raise ProtocolError("an ABORT's reason is not UTF-8") from None
        if not reason.isprintable():
            raise ProtocolError("an ABORT's reason is not printable")
        return [Abort(reason)]
