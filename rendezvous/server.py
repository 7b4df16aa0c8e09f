"""Runs the app, the reflector and the relay until a signal, then ends them in order.

uvicorn serves HTTP on our sockets, with our signal handling: its own lets
parked polls run into a cancellation, which clients see as a 500.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from rendezvous.app import create_app
from rendezvous.clock import Clock, SystemClock
from rendezvous.connection import Admission, connection_class
from rendezvous.descriptors import ACCEPTED_AT_ONCE, BACKLOG, raise_limit, share
from rendezvous.garbage import Collector
from rendezvous.listeners import Listeners
from rendezvous.memory import MemoryStore
from rendezvous.parking import Parking
from rendezvous.reflector import Bounds, Reflector
from rendezvous.relay import UNSEATED, Relay
from rendezvous.relay import Bounds as RelayBounds
from rendezvous.settings import Settings
from rendezvous.tokens import Tokens

log = logging.getLogger(__name__)

GRACE_S = 2
"""How long answers may take to leave when the server stops; five seconds are promised."""


class Rendezvous:
    """Everything that one process serves."""

    def __init__(self, settings: Settings, listeners: Listeners, ready: Callable[[], None]) -> None:
        """Put the parts together.

        Args:
            settings: all that can be set.
            listeners: bound sockets; owned from here on.
            ready: called once everything listens.
        """
        relay_sockets = 2 * settings.relay_pairs + UNSEATED if listeners.relay else 0
        sockets = share(raise_limit(), settings.reflector_sockets, relay_sockets)
        clock = SystemClock()
        tokens = Tokens(settings.key)
        store = MemoryStore(tokens, settings.limits)
        self._listeners = listeners
        self.app = create_app(
            settings, clock, store, reflectors=listeners.advertised, relays=listeners.relays
        )
        self.parking: Parking = self.app.state.parking
        self.collector = Collector()
        self.reflector = Reflector(
            clock,
            tokens,
            Bounds(
                per_client=settings.reflector_per_client,
                total=sockets.reflector,
                idle_s=settings.reflector_idle_s,
                partial_s=settings.reflector_partial_s,
            ),
            closed=self.collector.closed,
        )
        self.relay = Relay(
            clock,
            tokens,
            RelayBounds(
                connections=sockets.relay,
                pairs=settings.relay_pairs,
                per_client=settings.relay_per_client,
                header_s=settings.relay_header_s,
                wait_s=settings.relay_wait_s,
                idle_s=settings.relay_idle_s,
                octets=settings.relay_octets,
                octets_per_s=settings.relay_octets_per_s,
            ),
        )
        self._server = _Server(
            _config(
                self.app.state.entrance,
                settings,
                clock,
                Admission(
                    total=settings.http_sockets or sockets.http,
                    per_client=settings.http_per_client,
                    trusts=settings.trusts,
                ),
                self.collector.closed,
            ),
            ready,
        )

    async def run(self) -> None:
        """Serve until :meth:`stop`, then let the answers leave."""
        asyncio.get_running_loop().set_exception_handler(_note_trouble)
        await self.reflector.listen(self._listeners.reflector)
        await self.relay.listen(self._listeners.relay)
        try:
            await self._server.serve(sockets=self._listeners.http)
        finally:
            self.reflector.close()
            self.relay.close()

    def stop(self) -> None:
        """Refuse what is parked and end soon."""
        self.parking.drain()
        self.reflector.close()
        self.relay.close()
        self._server.should_exit = True


async def serve(settings: Settings, listeners: Listeners, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once.

    Args:
        settings: all that can be set.
        listeners: bound sockets; owned from here on.
        ready: called once everything listens.
    """
    rendezvous = Rendezvous(settings, listeners, ready)
    rendezvous.collector.begin()
    with _signals(rendezvous.stop):
        await rendezvous.run()


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal(number: signal.Signals) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """uvicorn, but the signals are ours, and somebody hears when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for sock in sockets or ():
            sock.listen(BACKLOG)
        self._ready()


def _config(
    app: ASGIApp,
    settings: Settings,
    clock: Clock,
    admission: Admission,
    closed: Callable[[], None],
) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    return uvicorn.Config(
        app,
        http=connection_class(
            clock,
            admission,
            head_s=settings.http_head_s,
            body_octets=settings.max_body_octets,
            closed=closed,
        ),
        ws="none",
        lifespan="off",
        backlog=ACCEPTED_AT_ONCE,
        log_config=None,
        access_log=logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO),
        # Whose X-Forwarded-For is believed is a setting of ours.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.http_idle_s,
        timeout_graceful_shutdown=GRACE_S,
    )


def _note_trouble(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # What the network or the machine does to a socket is one line; a bug keeps its traceback.
    error = context.get("exception")
    if isinstance(error, OSError):
        log.warning("%s: %s", context["message"], error)
    else:
        loop.default_exception_handler(context)


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    # A request that is cut off by the end of the grace time is no failure of the app.
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
