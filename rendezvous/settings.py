"""The settings of a rendezvous: environment (``MIDAIR_RENDEZVOUS_*``), then arguments.

Built once, by the command line, and handed down; nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rendezvous.protocol.endpoints import split_host_port
from rendezvous.protocol.messages import MAX_POLL_US, RelayLimits
from rendezvous.protocol.times import US_PER_S
from rendezvous.store import GUESSES, VISITS, Limits


def _listening(text: str) -> str:
    split_host_port(text)
    return text


def _reachable(text: str) -> str:
    if split_host_port(text)[1] == 0:
        raise ValueError(f"{text!r}: port 0 leads nowhere, name the one that peers reach")
    return text


def _words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


# NoDecode: not as JSON, which nobody wants to write into a unit file.
_Words = (NoDecode, BeforeValidator(_words))
Hosts = Annotated[tuple[str, ...], *_Words]
HostPorts = Annotated[tuple[Annotated[str, AfterValidator(_listening)], ...], *_Words]
PublicHostPorts = Annotated[tuple[Annotated[str, AfterValidator(_reachable)], ...], *_Words]
Networks = Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], *_Words]


class Settings(BaseSettings):
    """Everything that can be set; in the environment, commas or spaces divide a list."""

    model_config = SettingsConfigDict(
        env_prefix="MIDAIR_RENDEZVOUS_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: Hosts = ()
    """Addresses to listen on; none: every IPv4 and IPv6 address."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Of HTTP; 0: any free one."""
    reflector: HostPorts = ()
    """``HOST:PORT`` of each reflector; none: 8081 and 8082 on every host."""
    reflector_public: PublicHostPorts = ()
    """What peers are told instead, where a NAT or a container's port mapping is in between."""
    public_url: str | None = None
    """What /openapi.json names as the server's URL; peers use what their users tell them."""

    token_key: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Key of the address tokens, 32 characters or more; none: a new one at every start."""
    trusted_proxies: Networks = ()
    """Networks whose X-Forwarded-For is believed, and that may hold any number of connections."""

    ttl_s: Annotated[int, Field(ge=1)] = 600
    """How long a session is kept after its last request; a parked one keeps it."""
    poll_s: Annotated[float, Field(gt=0, le=MAX_POLL_US / US_PER_S)] = MAX_POLL_US / US_PER_S
    """The longest a request is parked; less where a proxy in between cuts earlier.  Two reports
    meet only while both are parked, and peers ask again after 100 ms: seconds, not less."""
    settle_s: Annotated[float, Field(ge=0, le=3)] = 2.5
    """So long after its start the server keeps who joins under a nameplate that it does not know:
    the one who waits there comes back only after Retry-After.  A peer waits 3 s for an answer."""
    max_sessions: Annotated[int, Field(ge=1)] = 100_000
    visits: Annotated[int, Field(ge=1)] = VISITS.burst
    """Sessions that one client address may open or join at once, then one a second."""
    guesses: Annotated[int, Field(ge=1)] = GUESSES.burst
    """Nameplates that one client address may try in vain, then one each six seconds."""
    max_body_octets: Annotated[int, Field(ge=1024)] = 64 * 1024
    """A report with 32 candidates has 6 kB."""
    body_s: Annotated[float, Field(gt=0)] = 10.0
    """How long a client may take to send a request."""

    http_sockets: Annotated[int, Field(ge=1)] | None = None
    """HTTP connections in all; none: what the descriptor limit and the reflector leave."""
    http_per_client: Annotated[int, Field(ge=4)] = 64
    """HTTP connections of one client address; a peer has one or two."""
    http_head_s: Annotated[float, Field(gt=0)] = 10.0
    """A client that connects, or begins a request, and has not sent the whole head by then is
    dropped: it holds a descriptor."""
    http_idle_s: Annotated[int, Field(ge=1)] = 60
    """An unused HTTP connection is closed after this: longer than the longest poll and a peer's
    thinking time, since a new handshake costs a round trip."""
    unread_s: Annotated[int, Field(ge=1)] = 30
    """A client that takes nothing of an answer, or whose host is gone, is dropped after this
    (RFC 5482, the TCP user timeout; Linux only)."""
    reflector_per_client: Annotated[int, Field(ge=16)] = 64
    """Reflector sockets of one client address: 16 serve one peer, so four behind one NAT."""
    reflector_sockets: Annotated[int, Field(ge=1)] | None = None
    """Reflector sockets in all; none: half of what the descriptor limit allows."""
    reflector_idle_s: Annotated[float, Field(gt=0)] = 60.0
    """An unused reflector connection is closed after this; an attempt takes 10 s."""
    reflector_partial_s: Annotated[float, Field(gt=0)] = 5.0
    """How long a client may take to send the rest of a message."""

    relay: HostPorts = ()
    """``HOST:PORT`` of each listener of the relay; none: 8083 on every host (any free one, where
    HTTP's is any free one)."""
    relay_public: PublicHostPorts = ()
    """What peers are told instead, where a NAT or a container's port mapping is in between."""
    relay_off: bool = False
    """No relay: peers between which no path opens are told so, as ever."""
    relay_pairs: Annotated[int, Field(ge=1)] = 100
    """Pairs at one time, those who wait for a partner included; at most what a quarter of the
    descriptors allows."""
    relay_per_client: Annotated[int, Field(ge=2)] = 16
    """The relay's connections of one client address."""
    relay_octets: Annotated[int, Field(ge=1)] | None = None
    """Of a pair, both directions together; then the pair is ended. None: any number."""
    relay_octets_per_s: Annotated[int, Field(ge=16 * 1024)] | None = None
    """The same for one second; who sends faster is slowed down. None: as fast as it goes."""
    relay_header_s: Annotated[float, Field(gt=0)] = 10.0
    """How long a client may take to show its ticket."""
    relay_wait_s: Annotated[float, Field(gt=0)] = 30.0
    """How long it may wait there for its partner."""
    relay_idle_s: Annotated[float, Field(gt=0)] = 7440.0
    """A pair without an octet in either direction is ended after this: what a NAT grants an idle
    connection, 2 h 4 min (RFC 5382 REQ-5). Hosts that are gone are noticed earlier."""

    @property
    def relay_limits(self) -> RelayLimits:
        """What peers are told of the relay."""
        return RelayLimits(octets=self.relay_octets, octets_per_s=self.relay_octets_per_s)

    @property
    def key(self) -> bytes | None:
        """The token key as octets."""
        return None if self.token_key is None else self.token_key.get_secret_value().encode()

    @property
    def poll_us(self) -> int:
        """The longest poll in microseconds."""
        return int(self.poll_s * US_PER_S)

    @property
    def settle_us(self) -> int:
        """The time after a start in microseconds."""
        return int(self.settle_s * US_PER_S)

    def trusts(self, address: str) -> bool:
        """Tell whether an address is a trusted proxy's.

        Args:
            address: as the socket module gives it, or any text.

        Returns:
            False for what is no IP address.
        """
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.trusted_proxies)

    @property
    def limits(self) -> Limits:
        """The store's limits."""
        return Limits(
            ttl_us=self.ttl_s * US_PER_S,
            max_sessions=self.max_sessions,
            visits=VISITS.with_burst(self.visits),
            guesses=GUESSES.with_burst(self.guesses),
        )
