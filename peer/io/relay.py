"""Meet the partner at the relay: an outgoing connection, and on it what is on every connection.

The relay sees who sends how much to whom, and when.  The greeting and the channel go through it as
they go through any network that nobody trusts.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from peer.core.confirm import NO_APPOINTMENT
from peer.core.greeting import Facts
from peer.core.race import Race
from peer.core.relayed import ATTEMPT, PAIR, explain_refusal, relay_key, relay_place
from peer.core.times import MonoNs
from peer.core.trace import Connected, Relaying, TraceEvent
from peer.core.verdict import explain, not_relayed
from peer.errors import MidairError, NoPathError, RendezvousError
from peer.io.agreement import Agreement
from peer.io.attempt import Won
from peer.io.channel import Binding, secure
from peer.io.clock import Clock
from peer.io.greet import Racer, Winner
from peer.io.observe import resolve_reflectors
from peer.io.signaling import Signaling
from peer.io.sockets import endpoint_of
from peer.io.tls import Tls
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.messages import Reason, Role
from rendezvous.protocol.relay import Status, decode_status, decode_ticket
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S, us_from_ns

CONNECT_S = 5.0
"""For the connection to one of the relay's addresses: three retransmissions (Linux 6.x: 1 s)."""
GREETING_S = 10.0
"""From GO to SELECTED; two round trips of a connection on which nothing is lost yet."""
LOOK_NS = NS_PER_S
"""How often a peer that waits there asks whether its partner has left instead of coming."""


@dataclass(slots=True)
class Relayed:
    """One peer's way over the relay.

    Attributes:
        verdict: why there is no path; None: none was wanted.
        facts: of the attempts before, for the far end.
    """

    signaling: Signaling
    agreement: Agreement
    clock: Clock
    emit: Callable[[TraceEvent], None]
    started_at: MonoNs
    verdict: MidairError | None
    facts: Facts

    async def meet(self) -> Won | Reason:
        """Be joined with the partner.

        Returns:
            The connection, proven and encrypted; or why the partner has left instead of coming.

        Raises:
            NoPathError: the relay cannot be reached, or did not join the peers.
            AuthenticationError: the far end is not the partner.
            BrokenError: the connection broke before it was encrypted.
            RendezvousError: it cannot be used.
        """
        answer = await self.signaling.wait(0)
        if answer.left is not None:
            return answer.left
        if answer.ticket is None:
            raise self._failed("the rendezvous lets nobody in there any more", "Start again")
        self._tell()
        sock = await self._reach()
        try:
            joined = await self._join(sock, decode_ticket(answer.ticket))
            if joined is not None:
                sock.close()
                return joined
            return await self._prove(sock)
        except BaseException:
            sock.close()
            raise

    def _failed(self, what: str, hint: str) -> NoPathError:
        return not_relayed(self.verdict, what, hint)

    def _tell(self) -> None:
        limits = self.signaling.seated.relay_limits
        self.emit(
            Relaying(
                places=[text.replace("*", self.signaling.asking.host) for text in self._places],
                verdict="" if self.verdict is None else self.verdict.verdict,
                message="" if self.verdict is None else self.verdict.what,
                hint="" if self.verdict is None else self.verdict.hint,
                octets=None if limits is None else limits.octets,
                octets_per_s=None if limits is None else limits.octets_per_s,
            )
        )

    @property
    def _places(self) -> tuple[str, ...]:
        return self.signaling.seated.relays

    async def _reach(self) -> socket.socket:
        """Connect to the first of the relay's addresses that answers."""
        found = await resolve_reflectors(self._places, self.signaling.asking.addresses)
        for endpoint in [endpoint for family in found.values() for endpoint in family]:
            sock = await _connect(endpoint)
            if sock is not None:
                return sock
        places = ", ".join(self._places).replace("*", self.signaling.asking.host)
        raise self._failed(
            f"nobody answers at {places}",
            "The relay's port must be reachable from both hosts over TCP",
        )

    async def _join(self, sock: socket.socket, ticket: bytes) -> Reason | None:
        """Show the ticket, and wait for the partner; return why it has left, None: it is there."""
        async with asyncio.TaskGroup() as tasks:
            answered = tasks.create_task(_show(sock, ticket))
            left = tasks.create_task(self._watch())
            await asyncio.wait({answered, left}, return_when=asyncio.FIRST_COMPLETED)
            if left.done() and left.result() is None:
                await asyncio.wait({answered})
            is_answered = answered.done()
            answered.cancel()
            left.cancel()
        if not is_answered:
            return left.result()
        status = answered.result()
        if status is Status.GO:
            return None
        if status is None:
            raise self._failed("the connection to it was lost", "Try again")
        raise self._failed(*explain_refusal(status))

    async def _watch(self) -> Reason | None:
        """Wait until the partner has left; None: the rendezvous cannot be asked."""
        try:
            while True:
                await self.clock.sleep_until(MonoNs(self.clock.now() + LOOK_NS))
                left = (await self.signaling.wait(0)).left
                if left is not None:
                    return left
        except RendezvousError:
            return None

    async def _prove(self, sock: socket.socket) -> Won:
        try:
            remote = str(Endpoint.of(*sock.getpeername()[:2]))
        except OSError:  # it was reset behind GO
            raise self._failed("the connection to it was lost", "Try again") from None
        session = bytes.fromhex(self.signaling.seated.session)
        key = relay_key(self.agreement.key)
        role: Role = "initiator" if self.agreement.seat == "a" else "responder"
        race = Race(role, session, ATTEMPT, key)
        winner = await self._greet(sock, race)
        binding = Binding(
            key=key,
            role=role,
            place=relay_place(session),
            appointment=NO_APPOINTMENT,
            own_facts=winner.own_facts,
            far_facts=winner.far_facts,
        )
        tls = await secure(
            sock,
            self.agreement.identity,
            binding,
            expected=None,
            round_trip_s=race.round_trip_ns(PAIR) / NS_PER_S,
        )
        limits = self.signaling.seated.relay_limits
        octets = None if limits is None else limits.octets
        return Won(sock, self._connected(remote, sock, race, role, tls), tls, octets)

    async def _greet(self, sock: socket.socket, race: Race) -> Winner:
        news = asyncio.Event()
        racer = Racer(race, self.clock, lambda _: self.facts, news.set)
        racer.opened(PAIR, sock)
        try:
            async with asyncio.timeout(GREETING_S):
                while racer.winner is None and race.alive:
                    await news.wait()
                    news.clear()
        except TimeoutError:
            pass  # told below
        finally:
            racer.close()
        if racer.winner is not None:
            return racer.winner
        if Reason.AUTHENTICATION in race.misses:
            raise explain(Reason.AUTHENTICATION, "partner")
        raise self._failed("your partner came there, and broke off or fell silent", "Try again")

    def _connected(
        self, remote: str, sock: socket.socket, race: Race, role: Role, tls: Tls
    ) -> Connected:
        elapsed_ns = self.clock.now() - self.started_at
        return Connected(
            local=str(endpoint_of(sock)),
            remote=remote,
            path="relay",
            role=role,
            attempt=ATTEMPT,
            pair=PAIR,
            first_shot=False,
            skew_us=0,
            shots=self.facts.shots,
            refusals=self.facts.refusals,
            winner_shots=0,
            sync_margin_us=0,
            fire_error_us=0,
            rtt_us=us_from_ns(race.round_trip_ns(PAIR)),
            timescale="",
            offset_us=0,
            bound_us=0,
            since_report_ms=None,
            elapsed_ms=round(elapsed_ns / NS_PER_MS, 1),
            encrypted=tls.cipher(),
        )


async def _connect(endpoint: Endpoint) -> socket.socket | None:
    family = socket.AF_INET6 if endpoint.family == 6 else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None  # this host does not have the family
    try:
        sock.setblocking(False)
        async with asyncio.timeout(CONNECT_S):
            address = (endpoint.address, endpoint.port)
            await asyncio.get_running_loop().sock_connect(sock, address)
        return sock
    except OSError:  # TimeoutError is one
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise


async def _show(sock: socket.socket, ticket: bytes) -> Status | None:
    """Return the relay's last word, None: it said nothing that is known."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(sock, ticket)
        # WAITING, if at all, and then the last one: more would keep this loop from all else.
        for _ in range(2):
            # One octet, since what follows GO is the partner's.
            data = await loop.sock_recv(sock, 1)
            if not data:
                return None
            status = decode_status(data[0])
            if status is not Status.WAITING:
                return status
        return None
    except (OSError, ProtocolError):
        return None
