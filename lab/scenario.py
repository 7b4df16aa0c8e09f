"""Sessions in a living lab: the rendezvous, time servers and two warm peers, run again and again.

Drives the programs ``midair-rendezvous`` and ``midair`` from outside, by their command lines, and
believes what they print as JSON and what the captures saw.
"""

from __future__ import annotations

import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lab.capture import Capture
from lab.ntp import TimeServers
from lab.options import LabOptions
from lab.packets import Packet
from lab.process import clock_error
from lab.seat import Event as Event
from lab.seat import PeerRun as PeerRun
from lab.seat import Seat
from lab.system import find
from lab.topology import NTP_IPV4, NTP_IPV6, RENDEZVOUS_IPV4, RENDEZVOUS_IPV6, SIDES, Side
from lab.warm import WarmPeer
from lab.world import World

RENDEZVOUS_PORT = 8080
MESSAGES: dict[Side, bytes] = {"a": b"I love you.\n", "b": b"I love you, too.\n"}
SESSION_TIMEOUT_S = 60.0
"""Twice the peers' own limit from pairing on: they are to give up first, with a verdict."""
_READY_WITHIN_S = 60.0
_POLL_S = 0.02
_PRELOAD = ("peer.apps.command", "peer.apps.meet", "peer.core.pake", "peer.io.relay")
"""What the peer's command line imports only when it runs."""


class ScenarioError(Exception):
    """A program of the lab did not do its part; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRun:
    """One session of two peers."""

    peers: dict[Side, PeerRun]
    packets: dict[Side, tuple[Packet, ...]] = field(repr=False)
    """What passed each peer's interface, by the kernel's true clock."""
    lost_packets: int
    """Of the captures: they prove nothing unless 0."""

    @property
    def connected(self) -> bool:
        """Tell whether both peers connected and ended well."""
        return all(
            peer.exit_code == 0 and peer.event("connected") is not None
            for peer in self.peers.values()
        )


class Scenario:
    """Context manager: everything a session needs, in a world that lives already.

    Args:
        world: a living lab.
        options: clocks, time servers and skew; its ``world`` is not looked at.

    Raises:
        ScenarioError: the rendezvous did not start.
        NtpError: a time server did not.
    """

    def __init__(self, world: World, options: LabOptions) -> None:
        self.world = world
        self.options = options
        self._stack = ExitStack()
        self._peers: dict[Side, WarmPeer] = {}
        self._captures: dict[Side, Capture] = {}
        self._rendezvous: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # Peers first: they import for a second, while the servers wait for the disk.
            for side in SIDES:
                self._peers[side] = stack.enter_context(self._warm_peer(side))
                self._captures[side] = stack.enter_context(
                    Capture(self.world.space(f"peer-{side}"))
                )
            self._start_rendezvous()
            if self.options.time_server_errors_s:
                TimeServers(self.world, self.options.time_server_errors_s).start()
            self._await_rendezvous()
            for peer in self._peers.values():
                peer.wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The rendezvous, as peers reach it."""
        host = RENDEZVOUS_IPV4 if self.world.spec.ipv4 else f"[{RENDEZVOUS_IPV6}]"
        return f"http://{host}:{RENDEZVOUS_PORT}"

    @property
    def ntp_addresses(self) -> list[str]:
        """What peers are told of time servers; nobody answers there if the lab has none."""
        family = NTP_IPV4 if self.world.spec.ipv4 else NTP_IPV6
        return list(family[: max(1, len(self.options.time_server_errors_s))])

    def _warm_peer(self, side: Side) -> WarmPeer:
        return WarmPeer(
            self.world,
            f"peer-{side}",
            environment=clock_error(self.options.clock_s(side)),
            preload=_PRELOAD,
        )

    @property
    def words(self) -> list[str]:
        """What every peer of a session is told on its command line; further words win over these.

        A path that was missed is what the lab is for: a relay would hide it.
        """
        return [*self.servers, "--relay", "never"]

    @property
    def servers(self) -> list[str]:
        """What every command is told: whom it may ask, and to say so in JSON."""
        servers = [word for address in self.ntp_addresses for word in ("--ntp", address)]
        return ["--json", "--rendezvous", self.url, *servers]

    @property
    def _log(self) -> Path:
        return self.world.folder / "rendezvous.log"

    def _start_rendezvous(self) -> None:
        spec = self.world.spec
        hosts = [RENDEZVOUS_IPV4] * spec.ipv4 + [RENDEZVOUS_IPV6] * spec.ipv6
        with self._log.open("wb") as output:
            self._rendezvous = self.world.popen(
                "rendezvous",
                [
                    installed_script("midair-rendezvous"),
                    *(word for host in hosts for word in ("--host", host)),
                    *("--port", str(RENDEZVOUS_PORT), "--json"),
                ],
                environment=clock_error(self.options.rendezvous_clock_s),
                stdout=subprocess.DEVNULL,
                stderr=output,
            )

    def _await_rendezvous(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN_S
        while '"ready"' not in self._log.read_text():
            ended = self._rendezvous is None or self._rendezvous.poll() is not None
            if ended or time.monotonic() > deadline:
                raise ScenarioError(f"the rendezvous did not start: {self._log.read_text()}")
            time.sleep(_POLL_S)

    def end_rendezvous(self, number: int = signal.SIGTERM) -> None:
        """End the rendezvous by a signal, and wait until it has ended."""
        if self._rendezvous is not None:
            self._rendezvous.send_signal(number)
            self._rendezvous.wait(_READY_WITHIN_S)

    def start_rendezvous(self) -> None:
        """Start it again, with an empty memory; returns when it is ready.

        Raises:
            ScenarioError: it did not start.
        """
        self._start_rendezvous()
        self._await_rendezvous()

    def forget(self, *, flows: bool = True) -> None:
        """Begin a session: fresh flows in the routers, if wanted, and captures that are empty."""
        if flows:
            self.world.flush()
        for capture in self._captures.values():
            capture.clear()

    def packets(self, side: Side) -> list[Packet]:
        """Return what passed a peer's interface since :meth:`forget`."""
        return self._captures[side].packets()

    def seat(self, side: Side, message: bytes, stack: ExitStack) -> Seat:
        """Return a peer that is ready to be started; its pipes are closed with the stack."""
        return Seat(self._peers[side], message, stack)

    def run(
        self,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[Side, Mapping[str, str]] | None = None,
        messages: Mapping[Side, bytes] = MESSAGES,
        timeout_s: float = SESSION_TIMEOUT_S,
        on_appointment: Callable[[], None] | None = None,
    ) -> SessionRun:
        """Run one session: a listens, b connects, each says a line. Fresh flows in the routers.

        Args:
            arguments: added to both peers' command lines.
            environment: added to each peer's.
            messages: what each side's peer reads from its standard input.
            timeout_s: after so long peers that still run are killed.
            on_appointment: called when both peers have read their first appointment: to disturb
                them between it and the instant.
        """
        self.forget()
        deadline = time.monotonic() + timeout_s
        words = [*self.words, *arguments]
        own = environment or {}
        skew = {"MIDAIR_TEST_SKEW_MS": f"{self.options.skew_b_ms:g}"}
        with ExitStack() as stack:
            a = self.seat("a", messages["a"], stack)
            a.start(["listen", *words], own.get("a", {}))
            code = a.await_code(deadline)
            b = self.seat("b", messages["b"], stack)
            if code is not None:
                b.start(["connect", code, *words], {**skew, **own.get("b", {})})
            seats: dict[Side, Seat] = {"a": a, "b": b}
            if on_appointment is not None and code is not None:
                for seat in seats.values():
                    seat.await_event("appointment", deadline)
                on_appointment()
            peers = {side: seat.end(deadline) for side, seat in seats.items()}
        return self.session_run(peers)

    def session_run(self, peers: dict[Side, PeerRun]) -> SessionRun:
        """Put what peers said beside what the captures have seen since :meth:`forget`."""
        return SessionRun(
            peers=peers,
            packets={side: tuple(self.packets(side)) for side in SIDES},
            lost_packets=sum(capture.lost for capture in self._captures.values()),
        )


def installed_script(name: str) -> str:
    """Return the full name of a command of this very installation.

    Raises:
        ScenarioError: it is not installed.
    """
    own = Path(sysconfig.get_path("scripts"), name)
    found = str(own) if own.exists() else find(name)
    if found is None:
        raise ScenarioError(f"the command {name} is not installed")
    return found
