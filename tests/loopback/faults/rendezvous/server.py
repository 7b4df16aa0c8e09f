"""A rendezvous that is stopped and started again, and must have nothing to say about it."""

from __future__ import annotations

import contextlib
import signal
from types import TracebackType

from tests.api.server import Program, program
from tests.loopback.ports import free_ports
from tests.loopback.programs import UNLIMITED, finish_both, pair


class Server:
    """``midair-rendezvous`` on ports that stay its own while it is down."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        """Choose the ports; :meth:`start` it, or use it as a context.

        Args:
            arguments: more of them; with ``--reflector`` these are all its reflectors.
            environment: variables beside those that lift the limits of one address.
        """
        self.port = free_ports(3)
        self.url = f"http://127.0.0.1:{self.port}"
        self.reflectors = (self.port + 1, self.port + 2)
        own: tuple[str, ...] = ("--port", str(self.port))
        if "--reflector" not in arguments:
            for port in self.reflectors:
                own += ("--reflector", f"127.0.0.1:{port}")
        self._arguments = (*own, *arguments)
        self._environment = UNLIMITED | environment
        self._life = contextlib.ExitStack()
        self._program: Program | None = None

    def __enter__(self) -> Server:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop it; what it has had to say is shown by the failure."""
        try:
            if self._program is not None and error is None:
                self.stop()
        finally:
            self._life.close()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._program is not None
        return self._program.process.pid

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._program = self._life.enter_context(
            program(*self._arguments, prefix=(), **self._environment)
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal; it must end as it should, without a word on standard error."""
        assert self._program is not None
        code, said = self._program.end(number)
        assert (code, said) == (0 if number == signal.SIGTERM else -number, "")
        self._program = None
        self._life.close()

    def restart(self, number: signal.Signals) -> None:
        """End it by a signal, and start it again, with nothing in its memory."""
        self.stop(number)
        self.start()


def carries_a_session(url: str) -> None:
    """Prove by two peers that a rendezvous serves."""
    with pair(url) as (one, other):
        ends = finish_both(one, other, b"from the one", b"from the other")
        assert ends == ((0, b"from the other"), (0, b"from the one")), (one.events, other.events)
