"""A stranger at the partner's appointed endpoints: it joins, learns, reports and fires as a peer
does, by the project's own code, but what it says on the connections is none of a partner's.  It has
the code, since a peer fires at nobody who does not.

``impostor.py HOW CODE URL``, HOW being

    garbage   says something that is no greeting
    silence   says nothing
    echo      sends back whatever comes
    liar      greets as a peer does, and offers a proof that is none

Everything it hears goes to standard output as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys

from peer.core.clockmap import ClockMap
from peer.core.code import Code
from peer.core.greeting import Hello, Proof, encode
from peer.core.proof import NONCE_BYTES, PROOF_BYTES, Place
from peer.core.times import MonoNs, UtcNs
from peer.core.volley import VolleyRule
from peer.io.clock import SystemClock, read_clockmap
from peer.io.fire import Barrel, VolleyThread
from peer.io.keying import Keying
from peer.io.learn import Learned, learn
from peer.io.signaling import Signaling
from peer.settings import Settings
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Appointment, Reason
from rendezvous.protocol.times import NS_PER_S, ns_from_us

POLL_NS = 4 * NS_PER_S


def opening(how: str, place: Place) -> bytes:
    """Return what this stranger says on a new connection."""
    if how == "garbage":
        return b"SSH-2.0-Stranger\r\n"
    if how == "liar":
        hello, proof = Hello(place, secrets.token_bytes(NONCE_BYTES)), Proof(bytes(PROOF_BYTES))
        return encode(hello) + encode(proof)
    return b""


async def misbehave(how: str, place: Place, sock: socket.socket) -> None:
    """Hold one connection until the far end drops it."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        await loop.sock_sendall(sock, opening(how, place))
        while heard := await loop.sock_recv(sock, 65536):
            os.write(1, heard)
            if how == "echo":
                await loop.sock_sendall(sock, heard)


async def keep(
    how: str, plan: Appointment, session: bytes, learned: Learned, clockmap: ClockMap
) -> None:
    """Fire as appointed, misbehave on what opens, return when all of it is over."""
    loop = asyncio.get_running_loop()
    offset = learned.offset(plan.timescale)
    instant, deadline = (
        clockmap.mono(UtcNs(ns_from_us(us)), offset) for us in (plan.instant_us, plan.deadline_us)
    )
    volley = {port.index: port.volley for port in learned.ports}
    barrels = [Barrel(p.pair, volley[p.port_index], Endpoint.parse(p.remote)) for p in plan.pairs]
    opened: asyncio.Queue[Barrel | None] = asyncio.Queue()

    def tell(barrel: Barrel | None) -> None:
        loop.call_soon_threadsafe(opened.put_nowait, barrel)

    thread = VolleyThread(
        barrels,
        instant,
        VolleyRule(plan.syn_budget, MonoNs(deadline)),
        on_open=lambda barrel, _: tell(barrel),
        on_end=lambda: tell(None),
    )
    thread.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            while (barrel := await opened.get()) is not None:
                place = Place(session, plan.attempt, barrel.pair)
                tasks.create_task(misbehave(how, place, barrel.sock))
    finally:
        thread.stop()


async def impose(how: str, code: str, url: str) -> None:
    """Take the second seat, and every appointment there is."""
    clock = SystemClock()
    clockmap = read_clockmap(clock)
    signaling = Signaling(url, clock, secrets.token_hex(32))
    known = Code.parse(code)
    keying = Keying(known)
    signaling.pake = keying.message
    seated = await signaling.join(known.nameplate)
    agreement = keying.agree(seated, seated.partner_pake)
    while agreement is None:
        agreement = keying.agree(seated, (await signaling.wait()).partner_pake)
    attempt, partner_left = 1, False
    while not partner_left:
        learned = await learn(Settings(url, ntp=()), signaling, clock, clockmap)
        try:
            announced = {"identity": agreement.announce(attempt)}
            report = learned.report.model_copy(update=announced)
            answer = await signaling.report(attempt, report, POLL_NS)
            partner_left = answer.left is not None
            if answer.appointment is not None:
                session = bytes.fromhex(signaling.seated.session)
                await keep(how, answer.appointment, session, learned, clockmap)
                attempt += 1
        finally:
            learned.close()
    await signaling.leave(Reason.DONE)
    await signaling.aclose()


def main() -> None:
    """Obey the command line."""
    asyncio.run(impose(*sys.argv[1:]))
