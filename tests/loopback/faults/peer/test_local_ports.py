"""Local ports that somebody else has, or takes meanwhile."""

from __future__ import annotations

import contextlib
import socket
from itertools import product

from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import Reason
from tests.loopback.faults.peer.manners import Talk
from tests.loopback.faults.peer.partner import Line, partner, playing
from tests.loopback.faults.peer.process import ended, event, failure, happened
from tests.loopback.ports import free_ports
from tests.loopback.programs import Peer


async def test_connect_when_its_port_is_in_use_leaves_the_code_unused(url: str) -> None:
    first, true = free_ports(), Talk(b"still there")
    async with partner(url, {0: true}) as played:
        code = await played.open()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", first + 2))
            with Peer("connect", code, "--json", "--local-port", str(first), url=url) as one:
                assert await ended(one) == (2, b"")
                message = f"local port {first + 2} is in use, or not yours to take"
                assert failure(one) == ("port_in_use", message)
        with Peer("connect", code, "--json", "--local-port", str(first), url=url) as again:
            await played.wait()
            async with playing(played):
                assert await ended(again) == (0, b"still there")


async def test_port_when_taken_between_two_attempts_ends_with_2_and_tells_the_partner(
    url: str,
) -> None:
    first = free_ports()
    with contextlib.ExitStack() as stack:

        async def take_and_hang_up(line: Line) -> None:
            # Not before the peer has given its ports back: it measures anew on the same ones.
            if not taken:
                taken.append(stack.enter_context(socket.socket()))
                taken[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taken[0].bind(("127.0.0.1", first + 1))
                taken[0].listen()
            line.sock.close()
            line.closed.set()

        taken: list[socket.socket] = []
        async with partner(url, dict.fromkeys(range(4), take_and_hang_up)) as played:
            with Peer("listen", "--json", "--local-port", str(first), url=url) as one:
                await played.join((await event(one, "code"))["code"])
                async with playing(played):
                    assert await ended(one) == (2, b"")
                    assert (await played.ended).left is Reason.PORT_IN_USE
                message = f"local port {first + 1} is in use, or not yours to take"
                assert failure(one) == ("port_in_use", message)
                assert happened(one.events).count("missed") == 1


async def test_port_when_its_4_tuples_are_taken_before_the_volley_is_classified(url: str) -> None:
    """Somebody connects from the peer's ports to the partner's before the peer does."""
    with contextlib.ExitStack() as stack:
        async with partner(url, {}) as played:
            with Peer("listen", "--json", url=url) as one:
                await played.join((await event(one, "code"))["code"])
                for attempt in (1, 2, 3):
                    mapping = await event(one, "mapping")
                    report = await played.learn()
                    remotes = [port.volley for port in played.learned[-1].ports]
                    for remote, local in product(remotes, mapping["local"]):
                        remote.listen()
                        thief = stack.enter_context(socket.socket())
                        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        thief.bind(("127.0.0.1", Endpoint.parse(local).port))
                        thief.connect(("127.0.0.1", remote.getsockname()[1]))
                    # Only now: the appointment comes with the second report.
                    assert (await played.report(attempt, report)).appointment is not None
                assert await ended(one) == (5, b"")
                assert failure(one)[0] == "port_in_use"
                assert failure(one)[1] == "no path: your local ports are in use"
