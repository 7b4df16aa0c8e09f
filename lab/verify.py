"""Proves that the routers and links of a living lab are what their labels say.

Measures with :mod:`lab.probes` and :mod:`lab.datagrams`, and judges here, by plain functions.
Nothing should be concluded from a lab that was not verified: probe-lab's verify-nat.sh is the
precedent.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab import datagrams, probes
from lab.topology import ADDRESSES, SIDES, LinkSpec, RouterSpec, Side
from lab.world import World

_ROUND_TRIPS = 7
_DATAGRAMS = 400
_DELAY_TOLERANCE = 0.1
"""Relative. A 40 ms path measures 40.2 ms in the guest, 44 ms at worst when it is busy."""
_DELAY_FLOOR_MS = 5.0
"""What the path without netem may take; 0.1 ms on the host, 1 ms in the guest."""
_SIGMAS = 4.0
"""Chance of a false alarm for a binomial count: 1 in 16,000."""
_TRIES_WITH_LOSS = 12
"""With every second round trip lost all are in one of 4,096 cases."""
_FIRST_PORT = 28_000
"""Below net.ipv4.ip_local_port_range, outside the ports that routers allocate."""
_REMAPPED = range(20000, 21000)
_SEQUENTIAL = range(20000, 20256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One property of one side, as stated and as measured."""

    side: Side
    what: str
    stated: str
    measured: str
    holds: bool


def mapping_word(local_port: int, ports: Sequence[int]) -> str:
    """Name the port allocation that five flows from one local port show.

    Reference: RFC 4787 section 4.1 and 4.2; the words are lab.topology's.
    """
    if all(port == local_port for port in ports):
        return "preserving"
    if len(set(ports)) == 1:
        return "remapped" if ports[0] in _REMAPPED else "one other port"
    steps = {(after - before) % len(_SEQUENTIAL) for before, after in itertools.pairwise(ports)}
    if steps == {1} and all(port in _SEQUENTIAL for port in ports):
        return "sequential"
    return "random" if len(set(ports)) == len(ports) else "mixed"


def delay_holds(times_ms: Sequence[float], stated_ms: float, jitter_ms: float) -> bool:
    """Tell whether one of some round trips fits a stated one, and none is shorter."""
    slack = jitter_ms + max(1.0 if stated_ms else _DELAY_FLOOR_MS, stated_ms * _DELAY_TOLERANCE)
    return bool(times_ms) and abs(min(times_ms) - stated_ms) <= slack


def loss_holds(sent: int, lost: int, stated_percent: float) -> bool:
    """Tell whether a count of lost packets fits a stated loss (binomial, four sigma)."""
    share = stated_percent / 100
    spread = _SIGMAS * math.sqrt(sent * share * (1 - share))
    return abs(lost - sent * share) <= spread


def verify(world: World) -> list[Finding]:
    """Measure both sides of a lab in which nothing else runs, and judge.

    Args:
        world: the lab; no time servers may run in it. Its routers forget all flows afterwards.
    """
    findings = [finding for side in SIDES for finding in _verify_side(world, side)]
    world.flush()
    return findings


def _verify_side(world: World, side: Side) -> Iterator[Finding]:
    router, access = world.spec.side(side).router, world.spec.side(side).access
    if world.spec.ipv4:
        yield _mapping(world, side, router)
    yield from _answers(world, side, router)
    passes = datagrams.ntp_passes(world, side)
    words = ("blocked", "passes")
    yield Finding(
        side=side,
        what="NTP",
        stated=words[not router.block_ntp],
        measured=words[passes],
        holds=passes != router.block_ntp,
    )
    yield _delay(world, side)
    for name, link in (("up", access.up), ("down", access.down)):
        yield from _losses(world, side, name, link)


def _mapping(world: World, side: Side, router: RouterSpec) -> Finding:
    at, words, shown = ADDRESSES[side], set(), []
    expected_host = at.outside(router.mode)
    for port in (_FIRST_PORT, _FIRST_PORT + 1):
        seen = probes.mapped_endpoints(world, side, port)
        word = mapping_word(port, [endpoint[1] for endpoint in seen])
        if {host for host, _ in seen} != {expected_host}:
            word = f"{word}, from {seen[0][0]}"
        words.add(word)
        shown.append(f"{port} → {_brief([endpoint[1] for endpoint in seen])}")
    stated = router.mapping if router.mode == "nat" else "preserving"
    return Finding(
        side=side,
        what="mapping",
        stated=stated if router.mode == "nat" else "not translated",
        measured="; ".join(shown),
        holds=words == {stated},
    )


def _brief(ports: Sequence[int]) -> str:
    if len(set(ports)) == 1:
        return f"{ports[0]} ({len(ports)} times)"
    return ", ".join(str(port) for port in ports)


def _answers(world: World, side: Side, router: RouterSpec) -> Iterator[Finding]:
    # Behind a router that filters nothing the peer's own kernel answers: RST, RFC 9293 3.5.2.
    stated = "rst" if router.mode == "none" else router.answer
    before = world.counters(side)
    families = [ipv6 for ipv6 in (False, True) if (world.spec.ipv6 if ipv6 else world.spec.ipv4)]
    answers = [_ask(world, side, ipv6=ipv6) for ipv6 in families]
    after = world.counters(side)
    for ipv6, answer in zip(families, answers, strict=True):
        counter = "unsolicited6" if ipv6 else "unsolicited4"
        counted = after.get(counter, 0) - before.get(counter, 0)
        when = "" if answer.after_ms is None else f" after {answer.after_ms:.1f} ms"
        yield Finding(
            side=side,
            what="answer to a SYN" + (", IPv6" if ipv6 else ""),
            stated=stated,
            measured=f"{answer.kind}{when}, router counted {counted}",
            holds=answer.kind == stated and (counted > 0) == (router.mode != "none"),
        )


def _ask(world: World, side: Side, *, ipv6: bool) -> probes.Answer:
    """Send a SYN; on a path that loses packets, several until one is answered."""
    links = [link for each in SIDES for link in _links(world, each)]
    answer = probes.Answer("drop", None)
    for number in range(_TRIES_WITH_LOSS if any(link.loss_percent for link in links) else 1):
        # A fresh port each time, or the routers would take it for the same flow.
        port = _FIRST_PORT + 10 + 2 * number + (side == "b")
        answer = probes.unsolicited(world, side, port, ipv6=ipv6)
        if answer.kind != "drop":
            break
    return answer


def _links(world: World, side: Side) -> tuple[LinkSpec, LinkSpec]:
    access = world.spec.side(side).access
    return access.up, access.down


def _delay(world: World, side: Side) -> Finding:
    access = world.spec.side(side).access
    stated = access.up.delay_ms + access.down.delay_ms
    times = probes.round_trips_ms(world, side, _ROUND_TRIPS)
    shortest = f"{min(times):.2f} ms" if times else "no answer"
    jitter = access.up.jitter_ms + access.down.jitter_ms
    holds = delay_holds(times, stated, jitter)
    if access.up.reorder_percent or access.down.reorder_percent:
        # Some packets skip the delay, and so some round trips a part of it: not all may.
        holds = any(delay_holds([time], stated, jitter) for time in times)
    return Finding(
        side=side,
        what="round trip to a server",
        stated=f"{stated:g} ms",
        measured=shortest,
        holds=holds,
    )


def _losses(world: World, side: Side, name: str, link: LinkSpec) -> Iterator[Finding]:
    row = datagrams.datagrams(world, side, _DATAGRAMS, down=name == "down")
    yield Finding(
        side=side,
        what=f"loss {name}",
        stated=f"{link.loss_percent:g} %",
        measured=f"{row.lost} of {row.sent}",
        holds=loss_holds(row.sent, row.lost, link.loss_percent),
    )
    if link.reorder_percent or not link.jitter_ms:
        yield Finding(
            side=side,
            what=f"reordering {name}",
            stated=f"{link.reorder_percent:g} %",
            measured=f"{row.overtaking} of {row.sent}",
            holds=(row.overtaking > 0) == (link.reorder_percent > 0),
        )
