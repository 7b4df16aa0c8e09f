"""What ``midair-lab demo`` says before and after its drawing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lab.diagram import Crossing, SpaceTime
from lab.options import LabOptions
from lab.scenario import SessionRun
from lab.seat import Event
from lab.topology import ADDRESSES, SIDES, Side

NAMES: dict[Side, str] = {"a": "peer A", "b": "peer B"}
_OTHER: dict[Side, Side] = {"a": "b", "b": "a"}
_ANSWERS = {
    "rst": "refuse strangers with a RST",
    "drop": "drop strangers' SYNs in silence",
    "icmp": "refuse strangers with an ICMP error",
    "admin": "refuse strangers with an ICMP error",
}


@dataclass(frozen=True, slots=True)
class Demo:
    """What there is to show of a session that connected."""

    session: SessionRun
    model: SpaceTime
    claim: Crossing
    connected: dict[Side, Event]


def introduction(options: LabOptions) -> str:
    """Say what the lab is, before the drawing.

    Args:
        options: the lab.

    Returns:
        A few lines.
    """
    delay_ms = options.world.a.access.up.delay_ms + options.world.b.access.down.delay_ms
    lines = [f"Two hosts, {delay_ms:g} ms apart, that cannot reach each other:", ""]
    for side in SIDES:
        clock = _clock_error(options.clock_s(side))
        lines.append(f"  {NAMES[side]}  {_where(side, options)}, clock {clock}")
    lines += ["", f"  Their routers would {_reception(options)}."]
    lines += ["", "Time runs down, in ms after the instant that the rendezvous had appointed:", ""]
    return "\n".join(lines)


def _reception(options: LabOptions) -> str:
    """Say what becomes of a SYN that nobody asked for."""
    routers = [options.world.side(side).router for side in SIDES]
    said = ["let everybody in" if r.mode == "none" else _ANSWERS[r.answer] for r in routers]
    return said[0] if said[0] == said[1] else f"{said[0]} (A) and {said[1]} (B)"


def _where(side: Side, options: LabOptions) -> str:
    """Say where a peer is: its own address, and the one the internet knows it by."""
    addresses, mode = ADDRESSES[side], options.world.side(side).router.mode
    own = address(side, options)
    if mode == "nat" and options.world.ipv4:
        return f"{own} behind NAT {addresses.outside(mode)}"
    return f"{own} behind a firewall" if mode != "none" else own


def address(side: Side, options: LabOptions) -> str:
    """Return a peer's own address.

    Args:
        side: which peer.
        options: the lab.

    Returns:
        The IPv4 address, or the IPv6 one in a lab without IPv4.
    """
    if not options.world.ipv4:
        return ADDRESSES[side].lan_peer6
    return ADDRESSES[side].peer(options.world.side(side).router.mode)


def _clock_error(seconds: float) -> str:
    if not seconds:
        return "right"
    return f"{abs(seconds):g} s {'fast' if seconds > 0 else 'slow'}"


def conclusion(shown: Demo, options: LabOptions) -> str:
    """Say what was measured, after the drawing.

    Args:
        shown: of a session that connected.
        options: the lab it was in.

    Returns:
        A few lines.
    """
    claim = shown.claim
    lines = ["", f"{claim.reason[0].upper()}{claim.reason[1:]}.", ""]
    for side in SIDES:
        event = shown.connected[side]
        by = "NTP" if event["timescale"] == "utc" else "the rendezvous"
        lines.append(
            f"  {NAMES[side]} found its clock {-event['offset_us'] / 1e6:+.6f} s wrong "
            f"(± {event['bound_us'] / 1e3:.1f} ms, by {by}) and fired "
            f"{event['fire_error_us'] / 1e3:.2f} ms after the instant"
        )
    own_us = abs(shown.connected["a"]["skew_us"])
    seen = "" if claim.skew_ns is None else f", {abs(claim.skew_ns) / 1e6:.2f} ms by the captures"
    lines.append(f"  first SYNs apart: {own_us / 1e3:.2f} ms by the peers' own clocks{seen}")
    opened = "" if claim.open_ns is None else f", open {claim.open_ns / 1e6:.1f} ms after the later"
    local, remote = (shown.connected["a"][end] for end in ("local", "remote"))
    lines.append(f"  one connection, {local} ⇄ {remote}{opened}")
    lines.append("")
    for side in SIDES:
        # What one said is what the other one received.
        text = shown.session.peers[_OTHER[side]].received.decode().rstrip("\n")
        lines.append(f"  {NAMES[side]} said “{text}”")
    return "\n".join(lines)


def failure(session: SessionRun) -> str:
    """Say why there is nothing to draw.

    Args:
        session: one that did not connect.

    Returns:
        A few lines.
    """
    lines = ["The peers did not connect:"]
    for side in SIDES:
        peer = session.peers[side]
        event = peer.event("failed")
        said = f"{event['message']}. {event['hint']}" if event else peer.noise or "nothing"
        lines.append(f"  {NAMES[side]}, exit {peer.exit_code}: {said}")
    return "\n".join(lines)
