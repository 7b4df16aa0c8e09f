"""What the lab needs of the machine: where it can run, what is missing, how to install it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lab import wide_registers
from lab.guest import has_netem
from lab.process import clock_error, missing_programs
from lab.router import SCRIPT, environment
from lab.system import in_guest, succeeds
from lab.topology import RouterSpec

_PROGRAMS = {
    "iptables": "iptables",
    "ip6tables": "iptables",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
"""Program → Debian's package of it."""
_GUEST_PROGRAMS = {
    "linux.uml": "user-mode-linux",
    "modprobe": "kmod",
    "ip": "iproute2",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "iptables": "iptables",
}


class Place(Enum):
    """Where a lab can run."""

    HERE = "here"
    GUEST = "guest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that is not installed."""

    what: str
    package: str


def kernel_can_route() -> bool:
    """Tell whether namespaces with NAT can be made here, by making one.

    Not as an ordinary user, not in most containers, not without the kernel's modules for NAT.
    """
    variables = {**environment(RouterSpec(), ""), "WAN": "lo", "LAN": "lo"}
    return succeeds(["unshare", "--net", "sh", str(SCRIPT)], **variables)


def choose_place(*, netem: bool) -> Place:
    """Choose where to run: here if this kernel and user can, else in a guest.

    Args:
        netem: links delay, lose or reorder packets.
    """
    if in_guest() or (kernel_can_route() and (has_netem() or not netem)):
        return Place.HERE
    return Place.GUEST


def missing(place: Place, *, time_servers: bool, wrong_clocks: bool) -> list[Missing]:
    """List what is not installed.

    Args:
        place: where the lab will run.
        time_servers: there will be some.
        wrong_clocks: somebody's clock will be wrong.
    """
    needed = {**_PROGRAMS, **(_GUEST_PROGRAMS if place is Place.GUEST else {})}
    if time_servers:
        needed["chronyd"] = "chrony"
    absent = [Missing(what=name, package=needed[name]) for name in missing_programs(needed)]
    helped = wide_registers.compiler() or not wide_registers.are_wider_than_known()
    if place is Place.GUEST and not helped:
        absent.append(Missing(what="a C compiler (for this processor)", package="tcc"))
    if wrong_clocks:
        try:
            clock_error(1.0)
        except FileNotFoundError:
            absent.append(Missing(what="libfaketime", package="libfaketime"))
    return absent


def explain(absent: Sequence[Missing]) -> str:
    """Say what is missing and how to install it, in two lines."""
    whats = ", ".join(item.what for item in absent)
    packages = " ".join(sorted({item.package for item in absent}))
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"the lab needs {whats}\ninstall with: {sudo}apt-get install {packages}"
