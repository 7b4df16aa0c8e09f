"""A living lab: builds the namespaces, links and routers of a :class:`~lab.topology.WorldSpec`.

Knows nothing of rendezvous, clocks or peers; those are programs that others start in it.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lab import namespace, netem, process, router
from lab.namespace import Namespace
from lab.topology import (
    ADDRESSES,
    ROLES,
    SIDES,
    AccessSpec,
    LinkSpec,
    RouterSpec,
    Side,
    WorldSpec,
)
from lab.wiring import add_address, add_route, lay_all

if TYPE_CHECKING:
    from pyroute2 import IPRoute

_SERIAL = itertools.count()


def _is_orphan(name: str) -> bool:
    match = re.match(r"midair-(\d+)x\d+-", name)
    return match is not None and not Path("/proc", match[1]).exists()


def sweep() -> list[str]:
    """Remove what labs left whose process is gone (kill -9); return the namespaces' names."""
    swept = []
    for name in namespace.names():
        if _is_orphan(name):
            namespace.remove(name)
            swept.append(name)
    for folder in Path(tempfile.gettempdir()).glob("midair-*x*-*"):
        if _is_orphan(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    return swept


class World:
    """Context manager of a lab.

    Raises:
        OSError: not permitted, or the kernel lacks something.
        RouterError: the router script failed.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self.tag = f"{os.getpid()}x{next(_SERIAL)}"
        self._spaces: dict[str, Namespace] = {}
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=f"midair-{self.tag}-"))
        """For files of programs in the lab; removed with it."""
        try:
            for role in ROLES:
                self._spaces[role] = Namespace(self.ns(role))
            lay_all(self._spaces, self.spec)
            for side in SIDES:
                self._dress_peer(side)
                self._apply_router(side)
                self._apply_access(side)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill every program in the lab and remove it. Repeating it does nothing."""
        process.kill_all(self._programs)
        self._programs.clear()
        process.kill_inhabitants({space.inode for space in self._spaces.values()})
        while self._spaces:
            self._spaces.popitem()[1].close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ns(self, role: str) -> str:
        """Return the namespace's name of a role (``peer-a``, ``router-b``, ``rendezvous`` …)."""
        return f"midair-{self.tag}-{role}"

    def space(self, role: str) -> Namespace:
        """Return the living namespace of a role."""
        return self._spaces[role]

    def popen(
        self,
        role: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a program in a namespace; it is killed with the lab at the latest.

        Args:
            role: where.
            argv: the program and its arguments.
            environment: added to this process's own.
            options: of :class:`subprocess.Popen`.
        """
        started = self.space(role).call(
            lambda: process.start(argv, environment=environment or {}, **options)
        )
        self._programs.append(started)
        return started

    def set_router(self, side: Side, spec: RouterSpec) -> None:
        """Make a router of the living lab behave differently, and forget all flows there."""
        before = self.spec.side(side).router
        self._change(side, router=spec)
        if (before.mode == "nat") != (spec.mode == "nat"):
            self._dress_peer(side)
        self._apply_router(side)
        self.flush(side)

    def set_access(self, side: Side, access: AccessSpec) -> None:
        """Change one access link of the living lab."""
        self._change(side, access=access)
        self._apply_access(side)

    def set_link(self, path: LinkSpec) -> None:
        """Change both access links to equal halves of a path from router to router."""
        for side in SIDES:
            self.set_access(side, AccessSpec.half_of(path))

    def flush(self, *sides: Side) -> None:
        """Make routers forget every flow, as after a power cut. All routers when none is named."""
        for side in sides or SIDES:
            self.space(f"router-{side}").call(router.forget_flows)

    def counters(self, side: Side) -> dict[str, int]:
        """Return what a router dropped or refused: invalid4, unsolicited4, ntp4, other4, …6."""
        return self.space(f"router-{side}").call(router.read_counters)

    def _change(self, side: Side, **changes: Any) -> None:
        changed = dataclasses.replace(self.spec.side(side), **changes)
        self.spec = (
            dataclasses.replace(self.spec, a=changed)
            if side == "a"
            else dataclasses.replace(self.spec, b=changed)
        )

    def _dress_peer(self, side: Side) -> None:
        """Give a peer the address that fits its router: private behind a NAT."""
        spec, addresses = self.spec, ADDRESSES[side]
        mode = spec.side(side).router.mode
        peer = self.space(f"peer-{side}")

        def dress(ipr: IPRoute) -> None:
            index = ipr.link_lookup(ifname="eth0")[0]
            ipr.flush_addr(index=index)
            if spec.ipv4:
                add_address(ipr, index, addresses.peer(mode), 24)
                add_route(ipr, index, "0.0.0.0/0", addresses.router(mode))
            if spec.ipv6:
                add_address(ipr, index, addresses.lan_peer6, 64)
                add_route(ipr, index, "::/0", addresses.lan_router6)

        peer.netlink(dress)

    def _apply_router(self, side: Side) -> None:
        spec = self.spec.side(side).router
        self.space(f"router-{side}").call(lambda: router.apply(spec, ADDRESSES[side].wan))

    def _apply_access(self, side: Side) -> None:
        access = self.spec.side(side).access
        for role, name, link in (
            (f"router-{side}", "wan", access.up),
            ("internet", f"to-{side}", access.down),
        ):
            self.space(role).netlink(
                lambda ipr, name=name, link=link: netem.shape(  # type: ignore[misc]
                    ipr, ipr.link_lookup(ifname=name)[0], link
                )
            )
