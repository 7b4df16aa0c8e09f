"""Ask reflectors how this host is seen, and try whether its NAT leads back to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from peer.core.doctor.nat import NatSeen, is_translated
from peer.core.mapping import Observation
from peer.core.times import MonoNs
from peer.core.volley import VolleyRule
from peer.errors import MidairError
from peer.io.clock import Clock
from peer.io.fire import Barrel, VolleyThread
from peer.io.hosts import source_address
from peer.io.observe import observe
from peer.io.sockets import LocalPort, claim_ports
from peer.settings import PAIR_PORTS
from rendezvous.protocol.endpoints import Endpoint, Family, is_private
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S

HAIRPIN_NS = 700 * NS_PER_MS
"""Many round trips to the own NAT; a NAT that drops what it will not lead back says nothing."""
HAIRPIN_BUDGET = 60
SOMEWHERE = Endpoint("2000::1", 9)
"""An address of the global kind (RFC 4291 §2.4); nothing is sent there."""

Reflectors = dict[Family, list[Endpoint]]


async def look_at_nat(
    reflectors: Reflectors, session: str | None, clock: Clock, first_port: int | None
) -> NatSeen:
    """Ask every reflector from every port.

    Args:
        reflectors: by family.
        session: of the rendezvous whose reflectors they are; None: they are others.
        clock: for limits of time.
        first_port: of the user's ports; None: they are drawn.

    Returns:
        What was seen.
    """
    routable: Reflectors = {
        family: found
        for family, found in reflectors.items()
        if source_address(found[0]) is not None
    }
    if not routable:
        return NatSeen(asked=True, ipv6=own_ipv6())
    try:
        ports = claim_ports(tuple(sorted(routable)), PAIR_PORTS, first_port)
    except MidairError as error:
        return NatSeen(asked=True, trouble=error.what, ipv6=own_ipv6())
    try:
        seen = await observe(ports, routable, session, clock)
        hairpin = await _leads_back(ports, [each for each in seen if each.local.family == 4], clock)
    finally:
        for port in ports:
            port.close()
    return NatSeen(asked=True, observations=tuple(seen), hairpin=hairpin, ipv6=own_ipv6())


def own_ipv6() -> str | None:
    """Return this host's address of the global kind, None without one or without a route."""
    address = source_address(SOMEWHERE)
    return None if address is None or is_private(address) else address


async def _leads_back(
    ports: Sequence[LocalPort], seen: Sequence[Observation], clock: Clock
) -> bool | None:
    """Let two ports fire at each other's public endpoint, as two hosts behind one NAT might."""
    mapped = {each.port_index: each.mapped for each in seen}
    pair = [port for port in ports if port.family == 4 and port.index in mapped][:2]
    if len(pair) < 2 or not is_translated(seen):
        return None
    one, other = pair
    barrels = [
        Barrel(0, one.volley, mapped[other.index]),
        Barrel(1, other.volley, mapped[one.index]),
    ]
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    opened: list[Barrel] = []

    def tell() -> None:
        loop.call_soon_threadsafe(news.set)

    def connected(barrel: Barrel, _: int) -> None:
        opened.append(barrel)
        tell()

    now = clock.now()
    rule = VolleyRule(HAIRPIN_BUDGET, MonoNs(now + HAIRPIN_NS))
    thread = VolleyThread(barrels, now, rule, on_open=connected, on_end=tell)
    thread.start()
    try:
        async with asyncio.timeout(2 * HAIRPIN_NS / NS_PER_S):
            await news.wait()
    finally:
        thread.stop()
    return bool(opened)
