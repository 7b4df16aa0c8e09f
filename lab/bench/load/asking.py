"""A connection of a client that asks one thing at a time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class LoadError(Exception):
    """The server did not do what the load is about; the text is what came instead."""


class Asking(asyncio.Protocol, ABC, Generic[T]):
    """One connection; one request at a time, whose answer is a future's result."""

    server = "the server"
    """What errors call it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._awaited: asyncio.Future[T] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, server: tuple[str, int], source: str) -> Self:
        """Connect from an address of this host."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, *server, local_addr=(source, 0))
        return connection

    def ask(self, request: bytes) -> asyncio.Future[T]:
        """Send a request."""
        if self._transport is None or self._transport.is_closing():
            raise LoadError(f"{self.server} has closed the connection")
        self._awaited = self._loop.create_future()
        self._transport.write(request)
        return self._awaited

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    @abstractmethod
    def whole(self, received: bytes) -> int:
        """Return how long the answer is that begins here; 0: that is not known yet."""

    @abstractmethod
    def read(self, answer: bytes) -> T:
        """Read a whole answer.

        Raises:
            LoadError: it is not what was asked for.
        """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect an answer, and hand it over when it is whole."""
        self._buffer += data
        octets = self.whole(self._buffer)
        if not octets or len(self._buffer) < octets:
            return
        answer, self._buffer = self._buffer[:octets], self._buffer[octets:]
        awaited, self._awaited = self._awaited, None
        if awaited is None or awaited.done():
            return
        try:
            awaited.set_result(self.read(answer))
        except LoadError as error:
            awaited.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the one who waits."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(LoadError(f"{self.server} hung up: {exc or 'FIN'}"))
        self._transport = None
