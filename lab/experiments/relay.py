"""Rooms with a cable between them that this program carries: each frame is held back for a while.

Theory of operation
    Every host has a veth pair whose other end is in a room without any address. There an
    AF_PACKET socket reads what the host sends, and after the delay writes it to the port of the
    host that its destination address names. Both kernels are real and neither can tell; what is
    ours is the cable alone. So SYNs cross on kernels that have no netem, and without root.

    Segments may reach us with a checksum that a network card would fill in, or longer than a
    frame: PACKET_VNET_HDR puts what the kernel knows of that in front of each frame, and takes it
    back when we write it.

Reference: packet(7), veth(4); virtio 1.2 section 5.1.6 (the header, which goes through unread).
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lab.closing import Closing
from lab.experiments.kernel import Watch
from lab.experiments.room import Room

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
"""<linux/if_packet.h>; the socket module has none of them."""
_VNET_HEADER, _MAC = 10, 6
_FRAME_BYTES = 2**17
_WORD = 64
"""Bytes read of what wakes the relay's thread; what they say does not matter."""
_PERMANENT = 0x80
"""<linux/neighbour.h> NUD_PERMANENT: no SYN waits for ARP."""
INTERFACE = "eth0"
_NETWORK = "192.0.2"
"""TEST-NET-1 (RFC 5737): public to whoever looks at the address, nobody's in truth."""


def address(number: int) -> str:
    """Return the IPv4 address of the host with this number, from 1."""
    return f"{_NETWORK}.{number}"


def _mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def _mac_bytes(number: int) -> bytes:
    return bytes.fromhex(_mac(number).replace(":", ""))


def _macs(frame: bytes) -> tuple[bytes, bytes]:
    """Return where a frame goes, and where it comes from."""
    at = _VNET_HEADER + _MAC
    return frame[_VNET_HEADER:at], frame[at : at + _MAC]


class Relay(Closing):
    """Hosts on one cable.

    Args:
        names: of the hosts; they get addresses from ``192.0.2.1`` on, in this order.
        delay_s: how long each frame is held back.
    """

    def __init__(self, names: Sequence[str], *, delay_s: float) -> None:
        self._watch: Watch | None = None
        self._delay_s = delay_s
        self._held: frozenset[bytes] = frozenset()
        self._over = False
        self.rooms: dict[str, Room] = {}
        self._ports: dict[bytes, socket.socket] = {}
        self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._carry, name="relay", daemon=True)
        self._room = Room("relay")
        try:
            for name in names:
                self.rooms[name] = Room(name)
            for number, room in enumerate(self.rooms.values(), start=1):
                self._plug_in(room, number)
            self._thread.start()
        except BaseException:
            self.close()
            raise

    def _plug_in(self, room: Room, number: int) -> None:
        port = f"port{number}"
        for place in (room, self._room):
            # Its advertisements would only be noise in the captures.
            place.sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        with self._room.namespace() as far:
            room.netlink(
                lambda ipr: ipr.link(
                    "add",
                    ifname=INTERFACE,
                    kind="veth",
                    address=_mac(number),
                    peer={"ifname": port, "net_ns_fd": far},
                )
            )
        self._room.netlink(lambda ipr: _bring_up(ipr, port))
        room.netlink(lambda ipr: _configure(ipr, number, hosts=len(self.rooms)))
        self._ports[_mac_bytes(number)] = self._room.call(lambda: _tap(port))

    @contextlib.contextmanager
    def holding(self, *names: str) -> Iterator[None]:
        """Deliver nothing between some hosts for a while: what they send is all in the air at once.

        On a busy machine this program may be kept from its next call for longer than the delay.

        Args:
            names: of the hosts; all if there are none.
        """
        numbers = [
            number for number, name in enumerate(self.rooms, start=1) if not names or name in names
        ]
        self._held = frozenset(_mac_bytes(number) for number in numbers)
        try:
            yield
        finally:
            self._held = frozenset()
            self._wake[1].send(b"go on")

    @contextlib.contextmanager
    def watched(self, watch: Watch) -> Iterator[None]:
        """Look at sockets before each delivery.

        Every state that a delivery ends is seen then, however busy the machine is.
        """
        self._watch = watch
        try:
            yield
        finally:
            self._watch = None

    def _carry(self) -> None:
        """Carry frames until told to stop: the relay's thread."""
        flying: list[tuple[float, int, bytes]] = []
        aside: list[tuple[float, int, bytes]] = []
        order = itertools.count()
        sources = [self._wake[0], *self._ports.values()]
        while not self._over:
            patience = max(0.0, flying[0][0] - time.monotonic()) if flying else None
            readable, _, _ = select.select(sources, [], [], patience)
            due = time.monotonic() + self._delay_s
            for port in readable:
                if port is self._wake[0]:
                    port.recv(_WORD)
                    continue
                for frame in _frames(port):
                    aside.append((due, next(order), frame))
            # Of what was held back too long all arrives at once, in the order in which it left.
            for late in [late for late in aside if not set(_macs(late[2])) <= self._held]:
                aside.remove(late)
                heapq.heappush(flying, late)
            while flying and flying[0][0] <= time.monotonic():
                self._deliver(heapq.heappop(flying)[2])

    def _deliver(self, frame: bytes) -> None:
        watch = self._watch
        if watch is not None:
            watch.look()
        port = self._ports.get(_macs(frame)[0])
        if port is not None:
            # The far end may be gone: so is the frame, as on any cable.
            with contextlib.suppress(OSError):
                port.send(frame)

    def close(self) -> None:
        """Unplug everything."""
        if self._thread.ident is not None:
            self._over = True
            self._wake[1].send(b"stop")
            self._thread.join()
        for port in (*self._ports.values(), *self._wake):
            port.close()
        for room in (*self.rooms.values(), self._room):
            room.close()


def _bring_up(ipr: IPRoute, interface: str) -> int:
    index: int = ipr.link_lookup(ifname=interface)[0]
    ipr.link("set", index=index, state="up")
    return index


def _configure(ipr: IPRoute, number: int, *, hosts: int) -> None:
    index = _bring_up(ipr, INTERFACE)
    ipr.addr("add", index=index, address=address(number), prefixlen=24)
    for other in range(1, hosts + 1):
        if other != number:
            ipr.neigh(
                "replace",
                dst=address(other),
                lladdr=_mac(other),
                ifindex=index,
                state=_PERMANENT,
            )


def _tap(port: str) -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tap.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    tap.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    tap.setblocking(False)
    tap.bind((port, _ETH_P_ALL))
    return tap


def _frames(port: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield port.recv(_FRAME_BYTES)
