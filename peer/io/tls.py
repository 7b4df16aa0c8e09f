"""TLS between the wire and the stream: bytes in, bytes out, no socket of its own.

Not for the handshake: that is :mod:`peer.io.channel`.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass, field

RECORD_MAX = 16 * 1024
"""Bytes that a record carries (RFC 8446 section 5.1)."""


@dataclass(slots=True)
class Tls:
    """One end of a TLS connection, over memory."""

    context: ssl.SSLContext
    server: bool
    _in: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _out: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _tls: ssl.SSLObject = field(init=False)
    _ended: bool = False
    drained: bool = False
    """The last :meth:`open_into` met the end of what had come; to find that out again costs."""

    def __post_init__(self) -> None:
        """Begin."""
        self._tls = self.context.wrap_bio(self._in, self._out, server_side=self.server)

    def shake_hands(self) -> bool:
        """Go on with the handshake.

        Returns:
            Whether it is over; if not, more must come. There may be something :meth:`to_send`.

        Raises:
            ssl.SSLError: it failed; the alert is there :meth:`to_send`.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def take(self, data: bytes | memoryview) -> None:
        """Take what came from the network."""
        self._in.write(data)

    def to_send(self) -> bytes:
        """Give what must go to the network; empty: nothing."""
        return self._out.read() if self._out.pending else b""

    def open_into(self, buffer: memoryview) -> int:
        """Decrypt into a buffer until it is full or nothing is left.

        Args:
            buffer: not empty.

        Returns:
            How many bytes; 0: more must come.

        Raises:
            EOFError: the far end has said that nothing follows (close_notify).
            ssl.SSLError: what came is not what the far end sent.
        """
        if self._ended:
            raise EOFError
        length, room, read = 0, len(buffer), self._tls.read
        try:
            while length < room:
                got = int(read(room - length, buffer[length:]))
                if not got:
                    self._ended = True
                    break
                length += got
        except ssl.SSLWantReadError:
            self.drained = True
            return length
        except ssl.SSLZeroReturnError:
            self._ended = True
        self.drained = False
        if self._ended and not length:
            raise EOFError
        return length

    def seal(self, *parts: bytes | memoryview) -> bytes:
        """Encrypt.

        Args:
            parts: what to send, one after the other; none of them empty.

        Returns:
            Records, with whatever else was :meth:`to_send` in front.
        """
        if sum(map(len, parts)) <= RECORD_MAX:
            parts = (b"".join(parts),)  # one record
        for part in parts:
            self._tls.write(part)
        return self._out.read()

    def seal_end(self) -> bytes:
        """Return close_notify: nothing of ours follows."""
        with suppress(ssl.SSLError):  # the far end's own close_notify is not waited for
            self._tls.unwrap()
        return self.to_send()

    def far_certificate(self) -> bytes:
        """Return what the far end proved to have the key of, DER; after the handshake."""
        certificate = self._tls.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate

    def cipher(self) -> str:
        """Return version and cipher suite, for people."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0] if cipher else ''}"
