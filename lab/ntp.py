"""Time servers of the lab: real chronyds, in the ``ntp`` namespace.

They serve the kernel's clock and never set it (``-x``). A falseticker is the same program under
faketime.

Reference: chronyd(8), chrony.conf(5); RFC 5905 for the packet.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab.process import clock_error
from lab.system import find
from lab.topology import NTP_IPV4, NTP_IPV6
from lab.world import World

_READY_WITHIN_S = 15.0
"""In the guest four of them need 2 s to start."""
_POLL_S = 0.02
_CLIENT_REQUEST = bytes([0x23]) + bytes(47)
"""RFC 5905 section 7.3: leap 0, version 4, mode 3 (client)."""
_STRATUM = 3


class NtpError(Exception):
    """A time server did not start or does not answer; the text says what it said."""


def is_answer(data: bytes) -> bool:
    """Tell whether a datagram is a synchronised server's answer.

    RFC 5905: mode 4 is server, leap 3 means unsynchronised, stratum 0 is a kiss of death.
    """
    return len(data) >= 48 and data[0] & 7 == 4 and data[0] >> 6 != 3 and data[1] != 0


def configuration(folder: Path, addresses: Sequence[str]) -> str:
    """Write a chronyd's configuration for one server.

    Args:
        folder: for its pid file.
        addresses: at most one of IPv4 and one of IPv6.
    """
    lines = [
        f"local stratum {_STRATUM}",
        "allow",
        "cmdport 0",
        "port 123",
        f"pidfile {folder}/pid",
        *(f"bindaddress {address}" for address in addresses),
    ]
    return "\n".join(lines) + "\n"


class TimeServers:
    """Time servers at 192.0.2.21 and following, living as long as the world.

    Args:
        world: where.
        errors_s: one server for each, wrong by so many seconds; at most four. 0 is truthful.
    """

    def __init__(self, world: World, errors_s: Sequence[float] = (0.0,)) -> None:
        if not 1 <= len(errors_s) <= len(NTP_IPV4):
            raise ValueError(f"the lab has one to {len(NTP_IPV4)} time servers")
        self._world = world
        self._errors_s = tuple(errors_s)

    @property
    def addresses(self) -> list[str]:
        """Their addresses: of IPv4 if the lab has it, else of IPv6."""
        family = NTP_IPV4 if self._world.spec.ipv4 else NTP_IPV6
        return list(family[: len(self._errors_s)])

    def start(self) -> None:
        """Start all servers and wait until each has answered a query.

        Raises:
            NtpError: one did not.
            FileNotFoundError: chronyd or libfaketime is missing.
        """
        started = [self._start(number) for number in range(len(self._errors_s))]
        deadline = time.monotonic() + _READY_WITHIN_S
        for address, program, log in started:
            while not self._world.space("ntp").call(lambda to=address: _query(to)):  # type: ignore[misc]
                if program.poll() is not None or time.monotonic() > deadline:
                    raise NtpError(f"the time server {address} is not there: {log.read_text()}")

    def _start(self, number: int) -> tuple[str, subprocess.Popen[bytes], Path]:
        spec = self._world.spec
        folder = self._world.folder / f"ntp-{number}"
        folder.mkdir()
        families = [(spec.ipv4, NTP_IPV4), (spec.ipv6, NTP_IPV6)]
        own = [addresses[number] for wanted, addresses in families if wanted]
        config, log = folder / "chrony.conf", folder / "log"
        config.write_text(configuration(folder, own))
        chronyd = find("chronyd")
        if chronyd is None:
            raise FileNotFoundError("chronyd")
        with log.open("wb") as output:
            program = self._world.popen(
                "ntp",
                # -d: stay in the foreground; -x: never touch the clock.
                [chronyd, "-d", "-x", "-u", "root", "-f", str(config)],
                environment=clock_error(self._errors_s[number]),
                stdout=output,
                stderr=output,
            )
        return own[0], program, log


def _query(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(_POLL_S)
        try:
            client.connect((address, 123))
            client.send(_CLIENT_REQUEST)
            return is_answer(client.recv(512))
        except OSError:
            # Refused at once until chronyd has its port: do not spin.
            time.sleep(_POLL_S)
            return False
