"""Try the kernel on the spot, and read its settings."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from peer.core.doctor.kernel import KernelSeen
from peer.errors import PortInUseError
from peer.io.sockets import check_ports, claim_ports, ephemeral_range
from peer.settings import PAIR_PORTS

_LOOPBACK = "127.0.0.1"
_CONNTRACK = Path("/proc/sys/net/netfilter")
_NUMBERS = {
    "count": "nf_conntrack_count",
    "max": "nf_conntrack_max",
    "syn_sent": "nf_conntrack_tcp_timeout_syn_sent",
    "close_wait": "nf_conntrack_tcp_timeout_close_wait",
    "established": "nf_conntrack_tcp_timeout_established",
}
_SAID = b"I love you."


def look_at_kernel(first_port: int | None) -> KernelSeen:
    """Try a simultaneous open, and read what concerns ports and connections.

    Args:
        first_port: of the user's ports; None: they are drawn.

    Returns:
        What was seen.
    """
    mine = None if first_port is None else (first_port, first_port + PAIR_PORTS - 1)
    return KernelSeen(
        refused=refused_to_meet_itself(),
        ephemeral=ephemeral_range(),
        local_ports=mine,
        busy=() if mine is None else _busy(*mine),
        conntrack=_conntrack(),
    )


def refused_to_meet_itself() -> str | None:
    """Connect a socket to itself, which is a simultaneous open with one socket for both ends.

    Its SYN arrives while it is in SYN-SENT, as a partner's would (RFC 9293 §3.5), and no listener
    is there.  Unlike two sockets it needs neither delay nor luck.

    Returns:
        Why it did not work; None: it did.
    """
    try:
        [port] = claim_ports((4,), 1, None)
    except (OSError, PortInUseError) as error:
        return str(error)
    try:
        sock = port.volley
        sock.settimeout(1)
        sock.connect((_LOOPBACK, port.port))
        sock.sendall(_SAID)
        heard = sock.recv(len(_SAID), socket.MSG_WAITALL)
    except OSError as error:
        return error.strerror or errno.errorcode.get(error.errno or 0, str(error))
    finally:
        port.close()
    return None if heard == _SAID else "what was sent came back changed"


def _busy(first: int, last: int) -> tuple[int, ...]:
    busy = []
    for number in range(first, last + 1):
        try:
            check_ports(1, number)
        except PortInUseError:
            busy.append(number)
    return tuple(busy)


def _conntrack() -> dict[str, int]:
    found = {}
    for name, file in _NUMBERS.items():
        try:
            found[name] = int((_CONNTRACK / file).read_text())
        except (OSError, ValueError):
            continue  # no connection tracking here, or not for this user's eyes
    return found
