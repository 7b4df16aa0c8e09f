"""Routers of the lab: runs the one router script inside a router's namespace.

The functions act on the namespace of the calling thread; see :meth:`lab.world.World.set_router`.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from pathlib import Path

from lab import system
from lab.topology import RouterSpec

_PACKAGED = Path(__file__).with_name("router.sh")
SCRIPT = (
    _PACKAGED
    if _PACKAGED.exists()
    else Path(__file__).resolve().parents[1] / "deploy/router/router.sh"
)
"""Compose's own; pyproject.toml puts it beside this module in a wheel."""

_NETLINK_NETFILTER = 12
_CTNETLINK_DELETE = 1 << 8 | 2
"""<linux/netfilter/nfnetlink_conntrack.h>: NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE."""
_REQUEST_AND_ACK = 0x5


class RouterError(Exception):
    """The router script failed; the text is what it said."""


def environment(spec: RouterSpec, wan_address: str) -> dict[str, str]:
    """Translate a router into the script's variables."""
    return {
        "WAN": "wan",
        "LAN": "lan",
        "WAN_ADDRESS": wan_address,
        "MODE": spec.mode,
        "MAPPING": spec.mapping,
        "ANSWER": spec.answer,
        "BLOCK_NTP": "1" if spec.block_ntp else "0",
        # Links are lab.netem's; empty, so that none come from the caller's environment.
        "NETEM_UP": "",
        "NETEM_DOWN": "",
    }


def _run(arguments: list[str], variables: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", str(SCRIPT), *arguments],
        env=system.environment(**variables),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RouterError(f"router.sh: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def apply(spec: RouterSpec, wan_address: str) -> None:
    """Make the namespace behave like ``spec``.

    Raises:
        RouterError: the script failed.
    """
    _run([], environment(spec, wan_address))


def read_counters() -> dict[str, int]:
    """Return how many packets each rule that drops or refuses has seen."""
    return parse_counters(_run(["counters"], {}))


def parse_counters(text: str) -> dict[str, int]:
    """Parse what ``router.sh counters`` prints: a name and a number on each line."""
    pairs = (line.split() for line in text.splitlines())
    return {name: int(number) for name, number in pairs}


def forget_flows() -> None:
    """Delete every entry of the connection tracker.

    Raises:
        OSError: the kernel has no nf_conntrack_netlink, or it is not permitted.

    Reference: nfnetlink: a delete request without a tuple deletes all, of every family.
    """
    body = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
    header = struct.pack("=IHHII", 16 + len(body), _CTNETLINK_DELETE, _REQUEST_AND_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.send(header + body)
        answer = netlink.recv(4096)
    (error,) = struct.unpack_from("=i", answer, 16)
    if error:
        raise OSError(-error, f"flush of conntrack: {os.strerror(-error)}")
