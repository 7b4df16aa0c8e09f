"""A transport that sends the head of an answer together with its body.

uvicorn writes the two one after the other, and each write is a system call and a segment of its
own: a tenth of what a small answer costs.
"""

from __future__ import annotations

import asyncio
from typing import Any

_HEADS = b"HTTP/1.1 "
_INTERIM = b"HTTP/1.1 1"


class Joining(asyncio.Transport):
    """Holds an answer's head back until more is written, or :meth:`flush`."""

    __slots__ = ("_held", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Wrap a transport."""
        self._transport = transport
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send octets, after those that were held back."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data[: len(_HEADS)] == _HEADS and data[: len(_INTERIM)] != _INTERIM:
            self._held = bytes(data)
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send what is held back."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Send everything and close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Tell whether it is closed, or about to be."""
        return self._transport.is_closing()

    def is_reading(self) -> bool:
        """Tell whether it receives."""
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        """Receive nothing for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows of itself."""
        return self._transport.get_extra_info(name, default)
