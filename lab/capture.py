"""Captures: an AF_PACKET socket that fills while a session runs and is read when it is over.

Reading live would compute beside the volley that is being measured; the kernel keeps the packets
and stamps each with its own true time.

Reference: packet(7), socket(7).
"""

from __future__ import annotations

import atexit
import errno
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from lab import packets
from lab.closing import Closing
from lab.packets import Packet

T = TypeVar("T")

_SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
"""<asm-generic/socket.h>; the socket module has neither."""
_ETH_P_ALL = 3
_PACKET_STATISTICS = 6
_SOL_PACKET = 263
_PACKET_OUTGOING = 4
_ETHER_TYPES = {0x0800, 0x86DD}
_BUFFER_BYTES = 64 * 2**20
"""About 50,000 small packets; a volley's ceiling is 5,000 SYNs, each answered once."""
_PACKET_BYTES = 65536
_STAMPS_WITHIN_S = 10.0
"""Measured: at once as a rule, tens of milliseconds on a busy machine."""
_PROBE_S = 0.001


class Space(Protocol):
    """A network namespace, this process's own or another (:class:`lab.namespace.Namespace`)."""

    def call(self, function: Callable[[], T]) -> T:
        """Run a function inside it."""
        ...


class Capture(Closing):
    """Captures what passes one interface of a namespace, from now until :meth:`close`.

    On an interface with netem outgoing packets are seen after their delay: for true times capture
    at the peers, whose interfaces delay nothing.

    Args:
        space: the namespace.
        interface: its interface's name.

    Raises:
        OSError: no such interface, or not permitted.
    """

    def __init__(self, space: Space, interface: str = "eth0") -> None:
        _await_stamps(space)
        self.interface = interface
        self._packets: list[Packet] = []
        self._lost = 0
        self._socket: socket.socket | None = space.call(self._open)

    def _open(self) -> socket.socket:
        # Protocol 0 at first: nothing is received from other interfaces before bind().
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        try:
            _enlarge(tap)
            tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            tap.setblocking(False)
            tap.bind((self.interface, _ETH_P_ALL))
        except BaseException:
            tap.close()
            raise
        return tap

    def packets(self) -> list[Packet]:
        """Return all IP packets so far, in the order of their times. Costs nothing before."""
        if self._socket is not None:
            self._packets.extend(_drain(self._socket))
            self._packets.sort(key=lambda packet: packet.t_ns)
        return list(self._packets)

    @property
    def lost(self) -> int:
        """How many packets did not fit into the buffer. A capture that lost some proves little."""
        if self._socket is not None:
            # The kernel resets its count with every reading.
            _, drops = struct.unpack(
                "=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            )
            self._lost += drops
        return self._lost

    def clear(self) -> None:
        """Forget what was captured so far: between two runs."""
        self.packets()
        self._packets.clear()

    def write_pcap(self, path: str | Path) -> None:
        """Write all packets so far for tcpdump or Wireshark."""
        Path(path).write_bytes(packets.pcap(self.packets()))

    def close(self) -> None:
        """End the capture; its packets stay readable."""
        if self._socket is not None:
            self.packets()
            self._lost = self.lost
            self._socket.close()
            self._socket = None


_keepers: list[socket.socket] = []
"""Nothing, or a socket that asks for stamps as long as this process lives."""


def _await_stamps(space: Space) -> None:
    """Wait until the kernel stamps packets as they pass.

    Linux begins with that some time after the first socket has asked for it, from a work queue;
    a packet that passes before is stamped when it is read, and a capture would be out of order.
    """
    if _keepers:
        return
    keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keeper.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    deadline = time.monotonic() + _STAMPS_WITHIN_S
    while not space.call(_is_stamped):
        if time.monotonic() > deadline:
            keeper.close()
            raise TimeoutError("the kernel does not stamp packets as they pass")
    _keepers.append(keeper)
    # As long as this process lives, and not a moment longer: an interpreter that ends warns.
    atexit.register(keeper.close)


def _is_stamped() -> bool:
    """Send a datagram to oneself, read it a while later, and tell which of both its stamp is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        probe.settimeout(_STAMPS_WITHIN_S)
        try:
            probe.bind(("127.0.0.1", 0))
            probe.sendto(b"?", probe.getsockname())
        except OSError:
            return True  # nobody can try where there is no loopback
        sent_ns = time.time_ns()
        time.sleep(_PROBE_S)
        _, ancillary, _, _ = probe.recvmsg(16, 64)
    return _timestamp(ancillary) <= sent_ns


def _enlarge(tap: socket.socket) -> None:
    try:
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        # Root of a user namespace only: what everybody may have, some 200 packets as a rule.
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)


def _drain(tap: socket.socket) -> Iterator[Packet]:
    while True:
        try:
            data, ancillary, _, address = tap.recvmsg(_PACKET_BYTES, 64)
        except BlockingIOError:
            return
        except OSError as error:
            # The interface went down with its lab: what was captured stays valid.
            if error.errno in (errno.ENETDOWN, errno.ENODEV):
                continue
            raise
        if address[1] not in _ETHER_TYPES:
            continue
        direction: packets.Direction = "out" if address[2] == _PACKET_OUTGOING else "in"
        packet = packets.parse(data, t_ns=_timestamp(ancillary), direction=direction)
        if packet is not None:
            yield packet


def _timestamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("@qq", data[:16])
            return int(seconds * 1_000_000_000 + nanoseconds)
    raise OSError("the kernel gave no time of arrival")
