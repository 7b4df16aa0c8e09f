"""Appointments that no planner makes: refused or missed, in words, and nobody else is fired at."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from peer.core.volley import SYN_CEILING
from peer.io.hosts import own_networks
from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint
from rendezvous.protocol.messages import (
    PROTOCOL_VERSION,
    Appointment,
    AttemptRequest,
    AttemptResponse,
    Candidate,
    CandidateKind,
)
from tests.api.server import program
from tests.loopback.faults.peer.hostile import (
    LEAD_US,
    LISTEN,
    Request,
    appointment,
    hostile,
    http,
    now_us,
)
from tests.loopback.faults.peer.partner import partner
from tests.loopback.faults.peer.process import ended, event, failure, happened
from tests.loopback.ports import free_ports
from tests.loopback.programs import Peer

YEAR_US = 365 * 86_400 * 1_000_000
ANYBODY = "127.0.0.1:9999"
ONLY = "the rendezvous appointed only targets that this peer refuses"


def foreign() -> str:
    """Return an address of a private network that this host is not on."""
    networks = [network for network in own_networks() if network.version == 4]
    strange = ("10.99.99.99", "172.30.99.99", "192.168.99.99")
    return next(text for text in strange if not any(ip_address(text) in n for n in networks))


def own_endpoints(request: AttemptRequest) -> list[str]:
    """Return where the peer that reports is, by its own ports' indices."""
    seen = {
        candidate.port_index: candidate.endpoint
        for candidate in request.report.candidates
        if candidate.kind is CandidateKind.SRFLX
    }
    return [seen[index] for index in sorted(seen)]


@pytest.mark.parametrize(
    ("host", "remote", "why"),
    [
        ("127.0.0.2", ANYBODY, "127.0.0.1 is this host itself"),
        ("127.0.0.1", "127.0.0.1:22", "port 22 is below 1024"),
        ("127.0.0.1", f"{foreign()}:9999", "is private and not in a network of this host"),
        ("127.0.0.1", "169.254.169.254:9999", "is no host's address"),
        ("127.0.0.1", "224.0.0.1:9999", "is no host's address"),
        ("127.0.0.1", "0.0.0.0:9999", "is no host's address"),
        ("127.0.0.1", "[::1]:9999", "is none of this peer's ports"),
    ],
)
async def test_targets_when_nobody_should_be_fired_at_them_are_refused(
    host: str, remote: str, why: str
) -> None:
    def appoint(attempt: int, _: AttemptRequest) -> Appointment:
        return appointment(attempt, [remote] * 4)

    async with hostile(host=host, appoint=appoint) as server:
        with Peer(*LISTEN, "--json", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            verdict, message = failure(one)
            assert verdict == "refused"
            assert message.startswith(ONLY)
            assert why in message
            assert "volley" not in happened(one.events)


async def test_target_when_on_loopback_of_somebody_else_never_hears_of_it() -> None:
    def appoint(attempt: int, _: AttemptRequest) -> Appointment:
        return appointment(attempt, [f"127.0.0.1:{victim.getsockname()[1]}"])

    with socket.create_server(("127.0.0.1", 0)) as victim:
        async with hostile(host="127.0.0.2", appoint=appoint) as server:
            with Peer(*LISTEN, "--json", url=server.url) as one:
                assert (await ended(one, b"mine"))[0] == 3
        victim.setblocking(False)
        with pytest.raises(BlockingIOError):
            victim.accept()


@pytest.mark.parametrize("turned", [0, 1])
async def test_peer_when_appointed_to_itself_is_never_connected(turned: int) -> None:
    """To the very same ports, or each port to the next: two of its own would meet each other."""

    def appoint(attempt: int, request: AttemptRequest) -> Appointment:
        own = own_endpoints(request)
        return appointment(attempt, own[turned:] + own[:turned])

    async with hostile(appoint=appoint) as server:
        with Peer(*LISTEN, "--json", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            assert failure(one)[0] == "refused"
            assert "that is this peer itself" in failure(one)[1]


async def test_peer_when_its_partner_claims_its_ports_is_never_connected() -> None:
    """A partner on the same host gets tokens for the peer's own ports, by a third reflector."""
    first = free_ports()
    with program(*("--reflector", "127.0.0.1:0") * 3) as server:
        async with partner(server.url) as played:
            with Peer("listen", "--json", "--local-port", str(first), url=server.url) as one:
                await played.join((await event(one, "code"))["code"])
                await event(one, "mapping")
                session = played.signaling.seated.session
                stolen = tuple(
                    Candidate(
                        kind=CandidateKind.SRFLX,
                        port_index=index,
                        endpoint=f"127.0.0.1:{first + index}",
                        token=token_for(first + index, server.reflectors[2], session),
                    )
                    for index in range(4)
                )
                report = (await played.learn()).model_copy(update={"candidates": stolen})
                assert (await played.report(1, report)).appointment is not None
                assert await ended(one, b"mine") == (3, b"")
                assert failure(one)[0] == "refused"
                assert "that is this peer itself" in failure(one)[1]


def token_for(port: int, reflector: str, session: str) -> str:
    """Let a reflector prove a port that somebody else has, too."""
    transaction = bytes(12)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        far = Endpoint.parse(reflector)
        thief.connect((far.address, far.port))
        thief.sendall(stun.encode_binding_request(transaction, session))
        token = stun.decode(thief.recv(stun.MAX_FRAME_OCTETS)).token
    assert token is not None
    return token


Changes = Callable[[], dict[str, object]]


def at(instant_us: int, deadline_us: int) -> Changes:
    """Change the times, counted from now."""
    return lambda: {
        "instant_us": now_us() + instant_us,
        "deadline_us": now_us() + deadline_us,
    }


@pytest.mark.parametrize(
    ("changes", "ends_as"),
    [
        pytest.param(at(100 * YEAR_US, 200 * YEAR_US), (3, "refused"), id="a century ahead"),
        pytest.param(at(25_000_000, 30_000_000), (3, "refused"), id="half a minute ahead"),
        pytest.param(at(-50 * YEAR_US, -49 * YEAR_US), (5, "appointment_late"), id="long ago"),
        pytest.param(at(LEAD_US, -1_000_000), (5, "appointment_late"), id="over before it began"),
        pytest.param(at(-50 * YEAR_US, 50 * YEAR_US), (5, "timeout"), id="for ever"),
        pytest.param(lambda: {"timescale": "utc"}, (3, "refused"), id="utc, unknown here"),
        # Early or late: whether this machine was busy at the instant.
        pytest.param(lambda: {"syn_budget": 2**62}, (5, "refused_.*"), id="SYNs without end"),
    ],
)
async def test_appointment_when_its_numbers_are_absurd_ends_in_words(
    changes: Changes, ends_as: tuple[int, str]
) -> None:
    def appoint(attempt: int, _: AttemptRequest) -> Appointment:
        return appointment(attempt, [ANYBODY], **changes())

    async with hostile(appoint=appoint) as server:
        with Peer(*LISTEN, "--json", "--timeout", "2", url=server.url) as one:
            assert await ended(one, b"mine") == (ends_as[0], b"")
            assert re.fullmatch(ends_as[1], failure(one)[0])
            for fired in (e for e in one.events if e["event"] == "volley"):
                assert fired["shots"] <= SYN_CEILING


def broken(change: Callable[[dict[str, Any]], None]) -> Callable[[Request], Any]:
    """Answer a report with an appointment that is none, as the change makes it."""

    async def say(request: Request) -> None:
        plan = appointment(1, [ANYBODY])
        answer = AttemptResponse(version=PROTOCOL_VERSION, appointment=plan).model_dump()
        change(answer["appointment"])
        await request.say(http(json.dumps(answer).encode()))

    return say


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda a: a.update(pairs=a["pairs"] * 17), id="17 pairs"),
        pytest.param(lambda a: a.update(pairs=a["pairs"] * 10**6), id="a million pairs"),
        pytest.param(lambda a: a.update(deadline_us=float("inf")), id="infinity"),
        pytest.param(lambda a: a.update(role="boss"), id="a role that is none"),
    ],
)
async def test_appointment_when_it_is_none_ends_with_3(
    change: Callable[[dict[str, Any]], None],
) -> None:
    async with hostile({"report": broken(change)}) as server:
        with Peer(*LISTEN, "--json", url=server.url) as one:
            assert await ended(one, b"mine") == (3, b"")
            assert "answered what no rendezvous answers" in failure(one)[1]


async def test_pairs_when_they_share_a_number_or_a_port_are_fired_once() -> None:
    def appoint(attempt: int, _: AttemptRequest) -> Appointment:
        plan = appointment(attempt, [ANYBODY] * 4)
        one, two, three, four = plan.pairs
        twice = (
            one,
            two.model_copy(update={"pair": 0}),
            three.model_copy(update={"port_index": 0}),
        )
        return plan.model_copy(update={"pairs": (*twice, four)})

    async with hostile(appoint=appoint) as server:
        with Peer(*LISTEN, "--json", "--timeout", "1", url=server.url) as one:
            assert (await ended(one, b"mine"))[0] == 5
            (first, *_) = [e for e in one.events if e["event"] == "appointment"]
            assert len(first["pairs"]) == 2
