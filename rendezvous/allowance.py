"""How much a client address may ask for: one token bucket each.

A client address is an IPv4 address or an IPv6 /64, which is what one customer
has (RFC 6177 §2: *at least a /64*); a smaller unit would be no limit at all.
"""

from __future__ import annotations

import functools
import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from rendezvous.protocol.errors import ProblemWord
from rendezvous.refusal import Refused

MAX_BUCKETS = 100_000
"""About 20 MB.  Beyond it the address that was quiet for longest starts afresh."""
_REMEMBERED = 4096
"""Client addresses whose key is not worked out again: a client asks some twenty times a session."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A bucket of ``burst`` tokens, one more every ``refill_us``."""

    burst: int
    refill_us: int

    def with_burst(self, burst: int) -> Allowance:
        """Return the same with another burst."""
        return Allowance(burst, self.refill_us)


class Allowances:
    """One bucket for each client address."""

    def __init__(self, allowance: Allowance, what: str) -> None:
        """Take the size of the buckets.

        Args:
            allowance: of each address.
            what: what is limited, for the sentence that refuses it.
        """
        self._allowance = allowance
        self._what = what
        # The time at which the bucket is full again; least recently used first.
        self._full_at_us: OrderedDict[str, int] = OrderedDict()

    def spend(self, client: str, now_us: int) -> None:
        """Take one token.

        Args:
            client: a client key.
            now_us: the rendezvous's time.

        Raises:
            Refused: ``too_many``, the bucket is empty.
        """
        self.check(client, now_us)
        full_at_us = max(self._full_at_us.get(client, now_us), now_us)
        self._full_at_us[client] = full_at_us + self._allowance.refill_us
        self._full_at_us.move_to_end(client)
        if len(self._full_at_us) > MAX_BUCKETS:
            self._full_at_us.popitem(last=False)

    def check(self, client: str, now_us: int) -> None:
        """Refuse a client whose bucket is empty; take nothing from it.

        Args:
            client: a client key.
            now_us: the rendezvous's time.

        Raises:
            Refused: ``too_many``.
        """
        empty_at_us = (self._allowance.burst - 1) * self._allowance.refill_us
        wait_us = self._full_at_us.get(client, now_us) - now_us - empty_at_us
        if wait_us > 0:
            raise Refused(
                ProblemWord.TOO_MANY,
                f"too many {self._what} from this address: wait and try again",
                retry_after_us=wait_us,
            )


@functools.lru_cache(_REMEMBERED)
def client_key(address: str) -> str:
    """Return what counts as one client.

    Args:
        address: an IP address as the socket module gives it.

    Returns:
        The IPv4 address, or the IPv6 address's /64.
    """
    if ":" not in address and "%" not in address:
        return address  # IPv4 has one notation
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # a Unix socket's, or a test's
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))
