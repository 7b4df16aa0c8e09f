"""Ask the reflector, from every local port, what source it sees.

Each local port opens a TCP connection to two reflector endpoints, all at once,
and asks with a STUN Binding request.  The connections stay open through the
volley: they hold the NAT's mapping.

Reference: RFC 8489 (Binding), RFC 5780 §4.3 (two endpoints to compare).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence

from peer.core.mapping import Observation, enough
from peer.core.targets import refusal
from peer.core.times import MonoNs
from peer.io.clock import Clock
from peer.io.hosts import own_networks
from peer.io.resolve import resolve
from peer.io.sockets import LocalPort
from rendezvous.protocol import stun
from rendezvous.protocol.endpoints import Endpoint, EndpointError, Family, split_host_port
from rendezvous.protocol.errors import ProtocolError
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S

REFLECTORS_PER_FAMILY = 2
"""Two answers show whether a mapping depends on the destination."""
ADVERTISED_MAX = 16
"""What is advertised beyond these is not looked up."""
LEARN_TIMEOUT_NS = 3 * NS_PER_S
"""Two SYN retransmissions (RFC 6298: 1 s, Linux 6.x: 1 s again)."""
GRACE_NS = 50 * NS_PER_MS
"""Beside four round trips: scheduling on a slow host.  A lost SYN is not waited for once
there is :func:`peer.core.mapping.enough`: other ports have answered."""
_STUN_HEADER = 20


async def resolve_reflectors(
    advertised: Sequence[str], rendezvous: Sequence[str], *, own_choice: bool = False
) -> dict[Family, list[Endpoint]]:
    """Turn what the rendezvous advertises into endpoints, by family.

    Args:
        advertised: ``HOST:PORT``; ``*`` means the rendezvous's own host.
        rendezvous: the rendezvous's own addresses.
        own_choice: this peer's user names them, not a rendezvous: none is left out.

    Returns:
        Up to two endpoints for each family, at two addresses where there are.  Left out is
        what no peer connects to, unless it is the rendezvous's own address: a rendezvous that
        lies must not make its peers knock at anybody's door.
    """
    networks = own_networks()
    found: dict[Family, list[Endpoint]] = {}
    for text in advertised[:ADVERTISED_MAX]:
        try:
            host, port = split_host_port(text)
            addresses = rendezvous if host == "*" else await _addresses(host, port)
            endpoints = [Endpoint.of(address, port) for address in addresses]
        except (EndpointError, OSError):
            continue  # the next one may be good; none at all is said by the caller
        for endpoint in endpoints:
            known = found.setdefault(endpoint.family, [])
            own = own_choice or endpoint.address in rendezvous
            strange = None if own else refusal(endpoint, networks, on_one_host=False)
            if endpoint not in known and strange is None:
                known.append(endpoint)
    return {family: _two(endpoints) for family, endpoints in found.items() if endpoints}


async def _addresses(host: str, port: int) -> list[str]:
    return [str(target.address[0]) for target in await resolve(host, port)]


def _two(endpoints: list[Endpoint]) -> list[Endpoint]:
    first = endpoints[0]
    # Another address tells more than another port of the same one.
    others = sorted(endpoints[1:], key=lambda e: (e.address == first.address, e.port == first.port))
    return [first, *others[: REFLECTORS_PER_FAMILY - 1]]


async def observe(
    ports: Sequence[LocalPort],
    reflectors: dict[Family, list[Endpoint]],
    session: str | None,
    clock: Clock,
) -> list[Observation]:
    """Ask every reflector from every port, and stop when enough is known.

    Args:
        ports: claimed ports; each gets a sibling for each reflector, left open.
        reflectors: endpoints by family.
        session: the session the tokens are for; None: no tokens are wanted.
        clock: to bound the waiting.

    Returns:
        Every answer that came in time; empty when no reflector answered.
    """
    seen: list[Observation] = []
    started = clock.now()
    deadline = MonoNs(started + LEARN_TIMEOUT_NS)
    asked = [(port, reflector) for port in ports for reflector in reflectors[port.family]]
    pending = {
        asyncio.ensure_future(_ask(port, reflector, session))  # noqa: TID251 - see below
        for port, reflector in asked
    }
    # asyncio.wait() with a moving deadline needs task objects; all of them end before this
    # function does, as in a TaskGroup.
    fewest = min(len(found) for found in reflectors.values())
    try:
        while pending and clock.now() < deadline:
            timeout = (deadline - clock.now()) / NS_PER_S
            done, pending = await asyncio.wait(
                pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            seen += [answer for task in done if (answer := task.result()) is not None]
            now = clock.now()
            if deadline == started + LEARN_TIMEOUT_NS and enough(seen, fewest):
                deadline = min(deadline, MonoNs(now + GRACE_NS + 2 * (now - started)))
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return seen


async def _ask(port: LocalPort, reflector: Endpoint, session: str | None) -> Observation | None:
    loop = asyncio.get_running_loop()
    transaction = secrets.token_bytes(12)
    try:
        sock = port.sibling()
        await loop.sock_connect(sock, (reflector.address, reflector.port))
        await loop.sock_sendall(sock, stun.encode_binding_request(transaction, session))
        header = await _read_exactly(sock, _STUN_HEADER)
        answer = stun.decode(
            header + await _read_exactly(sock, stun.frame_length(header) - _STUN_HEADER)
        )
    except (OSError, ProtocolError):
        return None
    if answer.transaction_id != transaction or answer.mapped is None:
        return None
    local, number = sock.getsockname()[:2]
    return Observation(
        port.index, Endpoint.of(local, number), reflector, answer.mapped, answer.token
    )


async def _read_exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        chunk = await loop.sock_recv(sock, count - len(data))
        if not chunk:
            raise ConnectionResetError("the reflector closed the connection")
        data += chunk
    return data
