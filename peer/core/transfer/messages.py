"""What sender and receiver of files say to each other: bytes to frozen values and back.

Not for who may say what when: :mod:`peer.core.transfer.order`.

On the stream, after both sides' offers, integers in network byte order::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     type      |                    length                     :
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    :  length (cont.) |  payload, `length` bytes ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    type  name     length           payload
    0x01  MESSAGE  2 ... 256 KiB    one JSON object; its key "say" tells which
    0x02  CONTENT  1 ... 1 MiB      bytes of the file that was begun

Unknown keys are ignored, wrong types refused.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from peer.core.transfer.names import shown
from rendezvous.protocol.errors import ProtocolError

HEADER = struct.Struct("!BI")
"""Type and length."""
MESSAGE_MAX = 256 * 1024
"""Most bytes of JSON: a batch of entries and what a reader keeps in memory at once."""
CONTENT_MAX = 1024 * 1024
"""Most bytes of a CONTENT frame; also what the sender reads at once."""
BATCH_BYTES = 64 * 1024
"""A sender starts a new message of entries when the names so far fill this."""
BATCH_MAX = 1000
"""Most entries, or parts, of a message."""
SIZE_MAX = 2**63 - 1
"""Of a file, and of all together: off_t."""
REASON_MAX = 500
"""Characters: a sentence with a name in it."""

_STRICT = ConfigDict(strict=True, extra="ignore")
Size = Annotated[int, Field(ge=0, le=SIZE_MAX)]
Index = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Type(IntEnum):
    """First byte of a frame."""

    MESSAGE = 1
    CONTENT = 2


@dataclass(frozen=True, slots=True, config=_STRICT)
class Entry:
    """A file or a folder, as the sender has it."""

    name: str
    """See :mod:`peer.core.transfer.names`, which judges it."""
    kind: Literal["file", "folder"]
    size: Size = 0
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o644
    """Permission bits; there is no room for others."""
    mtime_ns: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] = 0
    """POSIX time of the last change, nanoseconds."""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Part:
    """The beginning of a file, which the receiver has already."""

    file: Index
    offset: Size
    """Bytes of it: up to the file's whole size."""
    sha256: Digest
    """Of these bytes."""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Entries:
    """Sender: more of what it offers; a folder comes before what is in it."""

    entries: Annotated[tuple[Entry, ...], Field(min_length=1, max_length=BATCH_MAX)]
    say: Literal["entries"] = "entries"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Offered:
    """Sender: that was all of it."""

    files: Index
    folders: Index
    size: Size
    say: Literal["offered"] = "offered"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Having:
    """Receiver: of these files it has something already."""

    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=BATCH_MAX)]
    say: Literal["having"] = "having"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Accepted:
    """Receiver: send."""

    say: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Begin:
    """Sender: the bytes of a file follow."""

    file: Index
    offset: Size
    """Where they start: what the receiver has, if the sender's digest agrees, or 0."""
    say: Literal["begin"] = "begin"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Complete:
    """Sender: the file is over."""

    sha256: Digest
    """Of the whole file."""
    say: Literal["complete"] = "complete"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Stored:
    """Receiver: the digest agrees, and the file has its name."""

    file: Index
    say: Literal["stored"] = "stored"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Stopped:
    """Either: will not go on, at any time; nothing follows."""

    reason: Annotated[str, Field(max_length=REASON_MAX)]
    """For a person."""
    say: Literal["stopped"] = "stopped"


Message = Entries | Offered | Having | Accepted | Begin | Complete | Stored | Stopped
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="say")])


def encode(message: Message) -> bytes:
    """Encode a message, its header in front."""
    body = _MESSAGE.dump_json(message)
    if len(body) > MESSAGE_MAX:
        raise ProtocolError(f"a message of {len(body)} bytes")
    return HEADER.pack(Type.MESSAGE, len(body)) + body


def content_header(length: int) -> bytes:
    """Return what stands before bytes of a file.

    Args:
        length: of them, 1 to CONTENT_MAX.
    """
    return HEADER.pack(Type.CONTENT, length)


def decode_header(head: bytes) -> tuple[Type, int]:
    """Decode a frame's first bytes.

    Args:
        head: as many as HEADER has.

    Returns:
        The frame's type, and how many bytes follow.

    Raises:
        ProtocolError: there is no such frame.
    """
    kind, length = HEADER.unpack(head)
    if kind == Type.MESSAGE and 2 <= length <= MESSAGE_MAX:
        return Type.MESSAGE, length
    if kind == Type.CONTENT and 1 <= length <= CONTENT_MAX:
        return Type.CONTENT, length
    raise ProtocolError(f"no frame of type {kind} has a length of {length}")


def decode(body: bytes) -> Message:
    """Decode a message.

    Args:
        body: what follows the header.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return _MESSAGE.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(place) for place in first["loc"])
        raise ProtocolError(
            f"a message of files is wrong at {shown(where)}: {shown(first['msg'])}"
        ) from None
