"""The local ports of an attempt, and every option their sockets need.

A port is claimed exclusively by its *volley socket*: bound without
SO_REUSEADDR, so that EADDRINUSE means that somebody has it, which is set right
afterwards.  Siblings on the same port (the connections to the reflector) set
it before they bind.  SO_REUSEPORT stays off: with it two processes of one user
would share a port in silence, a listener's included.

Reference: Linux ``socket(7)``, ``tcp(7)``; measured on Linux 6.1 and 6.18.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from peer.errors import PortInUseError
from rendezvous.protocol.endpoints import Endpoint, Family

FIRST_PORT = 10_000
"""Random local ports start here: below live too many well-known services."""
FEWEST_OUTSIDE = 1_000
"""Ports that must be left outside the kernel's ephemeral range.  Busy servers widen it to nearly
all ports: then ours are inside, which only a peer that connects to its own host would notice."""
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_RANGE = (32_768, 60_999)
_IP_RECVERR = 11  # linux/in.h; the socket module of Python 3.11 has no name for it
_IPV6_RECVERR = 25  # linux/in6.h
_TABLES: dict[Family, Path] = {4: Path("/proc/net/tcp"), 6: Path("/proc/net/tcp6")}
_TIME_WAIT = 6  # net/tcp_states.h
_TRIES = 40
_AF: dict[Family, socket.AddressFamily] = {4: socket.AF_INET, 6: socket.AF_INET6}
_ANY: dict[Family, str] = {4: "0.0.0.0", 6: "::"}


@dataclass(slots=True)
class LocalPort:
    """One claimed port: the socket that will fire, and its siblings."""

    index: int
    family: Family
    port: int
    volley: socket.socket
    lock: socket.socket
    """Held against other peers on this host; see :func:`_lock`."""
    siblings: list[socket.socket] = field(default_factory=list)
    taken: bool = False
    """The volley socket has another owner now."""

    def take(self) -> socket.socket:
        """Hand the volley socket over; from now on the caller closes it."""
        self.taken = True
        return self.volley

    def sibling(self) -> socket.socket:
        """Open another socket on the same port; closed with the claim."""
        sock = _new_socket(self.family)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Closed with a RST: a TIME_WAIT would keep the port from the next attempt's claim.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.bind((_ANY[self.family], self.port))
        except OSError:
            sock.close()
            raise
        self.siblings.append(sock)
        return sock

    def close_siblings(self) -> None:
        """Close the connections to the reflector, which held the NAT's mapping."""
        for sock in self.siblings:
            sock.close()
        self.siblings.clear()

    def close(self) -> None:
        """Give the port back."""
        self.close_siblings()
        self.lock.close()
        if not self.taken:
            self.volley.close()


def _new_socket(family: Family) -> socket.socket:
    sock = socket.socket(_AF[family], socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if family == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _lock(family: Family, port: int) -> socket.socket:
    # A name in the namespace's abstract UNIX sockets: it goes with the process.  The bind below
    # cannot tell another peer's port from one in TIME_WAIT, and that peer's socket is in no table
    # of the kernel's before it connects.
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0midair tcp{family} {port}")
    except OSError:
        lock.close()
        raise
    return lock


def _claim(index: int, family: Family, port: int) -> LocalPort:
    with ExitStack() as stack:
        lock = stack.enter_context(_lock(family, port))
        sock = stack.enter_context(_new_socket(family))
        try:
            sock.bind((_ANY[family], port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not _only_time_wait(family, port):
                raise
            # The session before is over and still remembered: its own next one may have the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((_ANY[family], port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Errors then come with the ICMP type and its sender: the reason word.
        if family == 4:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        stack.pop_all()
    return LocalPort(index, family, port, sock, lock)


def _only_time_wait(family: Family, port: int) -> bool:
    """Say whether the kernel remembers this port only for connections that are over."""
    states = []
    for table in (_TABLES[4], _TABLES[6]) if family == 6 else (_TABLES[4],):
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            return False
        for line in lines:
            _, local, _, state = line.split()[:4]
            if int(local.rpartition(":")[2], 16) == port:
                states.append(int(state, 16))
    return bool(states) and set(states) == {_TIME_WAIT}


def ephemeral_range() -> tuple[int, int]:
    """Return the ports that the kernel hands out by itself, first and last."""
    try:
        first, last = _RANGE_FILE.read_text().split()
    except (OSError, ValueError):
        return _DEFAULT_RANGE
    return int(first), int(last)


def _random_port(taken: set[int]) -> int:
    first, last = ephemeral_range()
    # A socket whose ephemeral port is its destination would meet itself, so ours never are.
    below = range(FIRST_PORT, max(first, FIRST_PORT))
    above = range(max(last + 1, FIRST_PORT), 65_536)
    if len(below) + len(above) < FEWEST_OUTSIDE:
        below, above = range(FIRST_PORT, 65_536), range(0)
    while True:
        drawn = secrets.randbelow(len(below) + len(above))
        port = below[drawn] if drawn < len(below) else above[drawn - len(below)]
        if port not in taken:
            return port


def claim_ports(families: tuple[Family, ...], count: int, first: int | None) -> list[LocalPort]:
    """Claim the local ports of one attempt, one number for all families.

    Args:
        families: 4, 6 or both.
        count: how many ports in each family.
        first: the user's first port, then ``first … first+count-1``; None: random ones
            outside the kernel's ephemeral range.

    Returns:
        Claims ordered by family, then index.

    Raises:
        PortInUseError: a program has one of the ports.
    """
    claimed: list[LocalPort] = []
    taken: set[int] = set()
    try:
        for index in range(count):
            claimed += _claim_index(index, families, first, taken)
    except BaseException:
        for port in claimed:
            port.close()
        raise
    return sorted(claimed, key=lambda claim: (claim.family, claim.index))


def _claim_index(
    index: int, families: tuple[Family, ...], first: int | None, taken: set[int]
) -> list[LocalPort]:
    for _ in range(_TRIES if first is None else 1):
        number = _random_port(taken) if first is None else first + index
        taken.add(number)
        claimed: list[LocalPort] = []
        try:
            for family in families:
                claimed.append(_claim(index, family, number))
        except OSError as error:
            for port in claimed:
                port.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            continue
        return claimed
    if first is not None:
        raise PortInUseError(
            f"local port {first + index} is in use, or not yours to take",
            f"Choose another with --local-port; see who has it: ss -tanp sport = :{first + index}",
        )
    raise PortInUseError("no free local port was found", "Close some of this host's connections")


def claim_numbers(families: Sequence[Family], numbers: Sequence[int]) -> list[LocalPort]:
    """Claim ports whose numbers are given; those that a program has are left out.

    Args:
        families: 4, 6 or both.
        numbers: of the ports; their places here are the claims' indices.

    Returns:
        Claims ordered by family, then index; perhaps none.
    """
    claimed: list[LocalPort] = []
    try:
        for family in families:
            for index, number in enumerate(numbers):
                try:
                    claimed.append(_claim(index, family, number))
                except OSError as error:
                    if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                        raise
    except BaseException:
        for port in claimed:
            port.close()
        raise
    return claimed


def endpoint_of(sock: socket.socket) -> Endpoint:
    """Return a socket's own endpoint.

    Args:
        sock: bound or connected.

    Returns:
        The endpoint in canonical form.
    """
    address, port = sock.getsockname()[:2]
    return Endpoint.of(address, port)


def check_ports(count: int, first: int) -> None:
    """Find out whether the user's ports can be claimed, and give them back.

    Args:
        count: how many ports.
        first: the first of them.

    Raises:
        PortInUseError: a program has one of the ports.
    """
    for port in claim_ports((4,), count, first):
        port.close()
