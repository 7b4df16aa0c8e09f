"""Measurements of a living lab, from inside its namespaces. What they mean is lab.verify's.

Times are differences of kernel time stamps of one capture, so that what this process takes to
wake up is not in them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lab.capture import Capture
from lab.packets import Flags, Packet
from lab.topology import (
    ADDRESSES,
    NTP_IPV4,
    NTP_IPV6,
    RENDEZVOUS_IPV4,
    RENDEZVOUS_IPV6,
    Side,
)
from lab.world import World

_LISTEN_PORTS = (7101, 7102, 7103)
PATIENCE_S = 8.0
"""For what has to come: twenty tries, however lossy the path."""
SILENCE_S = 0.3
"""Beyond the path's round trip: when nothing has come by then, nothing comes."""

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back to a SYN that nobody had asked for."""

    kind: str
    """rst, icmp, admin, syn-ack, icmp-TYPE-CODE, or drop: nothing came."""
    after_ms: float | None


def family_of(world: World) -> tuple[socket.AddressFamily, str, tuple[str, ...]]:
    """Return the family that a lab has, and where rendezvous and time servers are in it."""
    if world.spec.ipv4:
        return socket.AF_INET, RENDEZVOUS_IPV4, NTP_IPV4
    return socket.AF_INET6, RENDEZVOUS_IPV6, NTP_IPV6


@contextmanager
def _listeners(world: World) -> Iterator[list[socket.socket]]:
    """Listen at five endpoints: two ports of one host, three hosts, so that both differ."""
    family, rendezvous, ntp = family_of(world)
    places = [
        ("rendezvous", rendezvous, _LISTEN_PORTS[0]),
        ("rendezvous", rendezvous, _LISTEN_PORTS[1]),
        ("ntp", ntp[0], _LISTEN_PORTS[0]),
        ("ntp", ntp[1], _LISTEN_PORTS[2]),
        ("rendezvous", rendezvous, _LISTEN_PORTS[2]),
    ]
    with ExitStack() as stack:
        sockets = []
        for role, address, port in places:
            listener = world.space(role).call(lambda: socket.socket(family, socket.SOCK_STREAM))
            stack.enter_context(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.settimeout(PATIENCE_S)
            listener.bind((address, port))
            listener.listen()
            sockets.append(listener)
        yield sockets


def mapped_endpoints(world: World, side: Side, local_port: int) -> list[Endpoint]:
    """Connect from one local port to five endpoints, one after another.

    Args:
        world: the lab.
        side: whose peer connects.
        local_port: its port.

    Returns:
        By what endpoint each of the five saw the peer.
    """
    seen: list[Endpoint] = []
    with _listeners(world) as listeners, ExitStack() as stack:
        for listener in listeners:
            client = _connect(world, side, local_port, listener)
            stack.enter_context(client)
            accepted, address = listener.accept()
            stack.enter_context(accepted)
            seen.append((address[0], address[1]))
            _end_with_reset(client)
    return seen


def _connect(world: World, side: Side, local_port: int, listener: socket.socket) -> socket.socket:
    """Connect, trying again sooner than TCP does where the path loses packets."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        client = world.space(f"peer-{side}").call(
            lambda: socket.socket(listener.family, socket.SOCK_STREAM)
        )
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.settimeout(SILENCE_S + path_round_trip_ms(world) / 1000)
        try:
            client.bind(("", local_port))
            client.connect(listener.getsockname())
            # Data is repeated after 0.2 s, and says all that a lost last ACK would have said.
            client.send(b"!")
            return client
        except TimeoutError:
            client.close()
            if time.monotonic() > deadline:
                raise
        except BaseException:
            client.close()
            raise


def _end_with_reset(client: socket.socket) -> None:
    """Close without TIME_WAIT, which would keep the port."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def round_trips_ms(world: World, side: Side, count: int) -> list[float]:
    """Measure the time from SYN to SYN-ACK between a peer and a server, some times."""
    with _listeners(world) as listeners, Capture(world.space(f"peer-{side}")) as capture:
        for _ in range(count):
            with _connect(world, side, 0, listeners[0]) as client:
                _accept(listeners[0], client, capture).close()
                _end_with_reset(client)
        return handshake_times_ms(capture.packets())


def _accept(listener: socket.socket, client: socket.socket, capture: Capture) -> socket.socket:
    """Accept a connected client; where that never comes, say what its packets were."""
    try:
        return listener.accept()[0]
    except TimeoutError:
        port = client.getsockname()[1]
        seen = [
            f"{packet.direction} {packet.tcp.flag_words}"
            for packet in capture.packets()
            if packet.tcp and port in (packet.tcp.source[1], packet.tcp.destination[1])
        ]
        raise TimeoutError(
            f"connected from port {port}, and not accepted for {PATIENCE_S:g} s: {', '.join(seen)}"
        ) from None


def handshake_times_ms(packets: Sequence[Packet]) -> list[float]:
    """Find, for each port, the last SYN that went out before its SYN-ACK came in."""
    sent: dict[Endpoint, int] = {}
    times = []
    for packet in packets:
        tcp = packet.tcp
        if tcp is None:
            continue
        if packet.direction == "out" and tcp.is_bare_syn:
            sent[tcp.source] = packet.t_ns
        elif packet.direction == "in" and Flags.SYN in tcp.flags and tcp.destination in sent:
            times.append((packet.t_ns - sent.pop(tcp.destination)) / 1e6)
    return times


def unsolicited(world: World, side: Side, local_port: int, *, ipv6: bool = False) -> Answer:
    """Send a SYN that nobody asked for from the other side's peer, and see what comes back.

    Args:
        world: the lab.
        side: which router, or peer, is addressed.
        local_port: both the sender's port and the one addressed.
        ipv6: over IPv6 instead of IPv4.
    """
    other: Side = "b" if side == "a" else "a"
    mode = world.spec.side(side).router.mode
    at = ADDRESSES[side]
    target = at.lan_peer6 if ipv6 else at.outside(mode)
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    space = world.space(f"peer-{other}")
    client = space.call(lambda: socket.socket(family, socket.SOCK_STREAM))
    with client, Capture(space) as capture:
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("", local_port))
        with contextlib.suppress(BlockingIOError):
            client.connect((target, local_port))
        select.select([], [client], [], SILENCE_S + path_round_trip_ms(world) / 1000)
        return classify_answer(capture.packets(), (target, local_port))


def classify_answer(packets: Sequence[Packet], target: Endpoint) -> Answer:
    """Say what a host got for the SYN that it sent to ``target``."""
    syn_ns: int | None = None
    for packet in packets:
        tcp, icmp = packet.tcp, packet.icmp
        if packet.direction == "out":
            if tcp is not None and tcp.is_bare_syn and tcp.destination == target:
                syn_ns = packet.t_ns
        elif syn_ns is not None:
            after_ms = (packet.t_ns - syn_ns) / 1e6
            if tcp is not None and tcp.source == target:
                return Answer("rst" if Flags.RST in tcp.flags else "syn-ack", after_ms)
            if icmp is not None and icmp.about is not None and icmp.about.destination == target:
                return Answer(_icmp_word(packet.version, icmp.type, icmp.code), after_ms)
    return Answer("drop", None)


def _icmp_word(version: int, kind: int, code: int) -> str:
    words = {
        (4, 3, 3): "icmp",  # RFC 792: destination unreachable, port
        (6, 1, 4): "icmp",  # RFC 4443
        (4, 3, 13): "admin",  # RFC 1812: communication administratively prohibited
        (6, 1, 1): "admin",
    }
    return words.get((version, kind, code), f"icmp-{kind}-{code}")


def path_round_trip_ms(world: World) -> float:
    """Say how long a packet takes from one router to the other and back, at most."""
    links = [
        link for side in (world.spec.a, world.spec.b) for link in (side.access.up, side.access.down)
    ]
    return sum(link.delay_ms + link.jitter_ms for link in links)
