"""Learn what a report says: clock and mapping, at once and in parallel.

Fresh local ports for every attempt: re-using the very 4-tuple of an earlier
punched connection meets stale conntrack state for about 10 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from peer.core.clockmap import ClockMap, OffsetEstimate
from peer.core.mapping import Mapping, Observation, own_endpoints, summarise
from peer.core.rtt import Exchange, RttEstimate, from_exchanges
from peer.core.times import MonoNs
from peer.core.trace import ClockLearned, MappingLearned
from peer.errors import MidairError, RefusedError, UnreachableError
from peer.io.clock import Clock
from peer.io.hosts import source_address
from peer.io.ntp import NtpReading, measure_ntp
from peer.io.observe import observe, resolve_reflectors
from peer.io.signaling import Signaling
from peer.io.sockets import LocalPort, claim_ports
from peer.settings import PAIR_PORTS, Settings
from rendezvous.protocol.endpoints import Endpoint, Family
from rendezvous.protocol.messages import Candidate, CandidateKind, Offset, Report
from rendezvous.protocol.times import NS_PER_MS, NS_PER_S, bound_us_from_ns, us_from_ns

EXCHANGES = 6
"""Readings of the rendezvous's clock; the one of least delay counts.  With four, peers on a slow
host, which had to share this clock, came out up to 8 ms apart."""
MORE_EXCHANGES = 12
"""So many while NTP keeps the report waiting anyway: then this clock is the one that matters."""
NTP_TIMEOUT_NS = 1_500 * NS_PER_MS
"""Most that NTP may take; a server that is silent while others answer costs far less."""
PREPARE_NS = 100 * NS_PER_MS
"""From reading an appointment to being armed: 50 ms in which nothing else computes, and as much
for a host that is busy.  With 60 ms together one session in ten came too late for the first
crossing on a machine with more to do."""
FRESH_NS = 10 * NS_PER_S
"""A report older than this is measured again: the NAT and the clocks move on."""


@dataclass(slots=True)
class Learned:
    """Everything an attempt needs; close it when the attempt is over."""

    ports: list[LocalPort]
    mapping: Mapping
    observations: list[Observation]
    ntp: NtpReading
    rendezvous: OffsetEstimate
    round_trip: RttEstimate
    at: MonoNs
    prepare_ns: int = PREPARE_NS
    report: Report = field(init=False)

    def __post_init__(self) -> None:
        """Write the report down."""
        ntp = self.ntp.estimate
        self.report = Report(
            ntp=_offset(ntp, self.at) if ntp is not None else None,
            rendezvous=_offset(self.rendezvous, self.at),
            rtt_us=us_from_ns(self.round_trip.rtt_ns),
            jitter_us=us_from_ns(self.round_trip.jitter_ns),
            prepare_us=us_from_ns(self.prepare_ns),
            mapping=self.mapping.behaviour,
            preserves_port=self.mapping.preserves_port,
            candidates=self.mapping.candidates,
        )

    def offset(self, timescale: str) -> OffsetEstimate:
        """Return the offset that belongs to an appointment's timescale.

        Args:
            timescale: ``utc`` or ``rendezvous``.

        Returns:
            The estimate.

        Raises:
            RefusedError: UTC was appointed, although this peer reported that it has none.
        """
        if timescale != "utc":
            return self.rendezvous
        if self.ntp.estimate is None:
            raise RefusedError("the rendezvous appointed UTC to a peer that does not know it")
        return self.ntp.estimate

    @property
    def report_took_ns(self) -> int:
        """How long the appointment was on its way: half a round trip to the rendezvous."""
        return self.round_trip.rtt_ns // 2

    @property
    def addresses(self) -> frozenset[str]:
        """The public addresses seen: whether the NAT moved between two attempts."""
        return frozenset(seen.mapped.address for seen in self.observations)

    @property
    def own(self) -> frozenset[Endpoint]:
        """Where this peer itself is."""
        return own_endpoints(self.observations, self.mapping.candidates)

    def close(self) -> None:
        """Give every port back that no winner has taken."""
        for port in self.ports:
            port.close()


def _offset(estimate: OffsetEstimate, now: MonoNs) -> Offset:
    bound_us = bound_us_from_ns(estimate.bound_at(now))
    return Offset(offset_us=us_from_ns(estimate.offset_ns), bound_us=bound_us)


async def learn(
    settings: Settings, signaling: Signaling, clock: Clock, clockmap: ClockMap
) -> Learned:
    """Claim fresh ports and measure clock and mapping from them.

    Args:
        settings: the user's.
        signaling: seated.
        clock: the host's.
        clockmap: the local clock.

    Returns:
        What was learned, with its report.

    Raises:
        PortInUseError: the user's local ports are taken.
        RendezvousError: the rendezvous or its reflector cannot be reached.
    """
    reflectors = _routable(
        await resolve_reflectors(signaling.seated.reflectors, signaling.asking.addresses)
    )
    if not reflectors:
        raise _no_reflector(signaling)
    ports = claim_ports(tuple(sorted(reflectors)), PAIR_PORTS, settings.local_port)
    try:
        async with asyncio.TaskGroup() as tasks:
            ntp = tasks.create_task(_ntp(settings, clock, clockmap))
            times = tasks.create_task(_times(signaling, clockmap, ntp))
            asked = tasks.create_task(_observe(ports, reflectors, signaling, clock, times))
        seen = asked.result()
        if not seen:
            raise _no_reflector(signaling)
        rendezvous, round_trip = times.result()
        mapping = summarise(seen, _hosts(ports, reflectors))
        return Learned(
            ports,
            mapping,
            seen,
            ntp.result(),
            rendezvous,
            round_trip,
            clock.now(),
            PREPARE_NS + settings.hooks.lead_ns,
        )
    except BaseException as error:
        for port in ports:
            port.close()
        if isinstance(error, ValidationError):
            # The signaling bounds round trips: only a clock can be beyond a report's limits.
            raise RefusedError(
                "the rendezvous or an NTP server gave a time that is no time",
                "Check the clock of the rendezvous, and name other servers with --ntp",
            ) from None
        raise _single(error) from None


def _single(error: BaseException) -> BaseException:
    """Take one of our own errors out of a TaskGroup's wrapping; anything else stays whole."""
    if isinstance(error, BaseExceptionGroup):
        ours, _ = error.split(MidairError)
        if ours is not None:
            return _single(ours.exceptions[0])
    return error


def _no_reflector(signaling: Signaling) -> UnreachableError:
    names = ", ".join(signaling.seated.reflectors).replace("*", signaling.asking.host)
    return UnreachableError(
        f"no reflector of the rendezvous answers ({names or 'it names none'})",
        "Its TCP ports must be open to this host, beside the rendezvous's own",
    )


def _routable(reflectors: dict[Family, list[Endpoint]]) -> dict[Family, list[Endpoint]]:
    return {f: found for f, found in reflectors.items() if source_address(found[0]) is not None}


async def _ntp(settings: Settings, clock: Clock, clockmap: ClockMap) -> NtpReading:
    deadline = MonoNs(clock.now() + NTP_TIMEOUT_NS)
    return await measure_ntp(settings.ntp, clock, clockmap, deadline=deadline)


async def _observe(
    ports: Sequence[LocalPort],
    reflectors: dict[Family, list[Endpoint]],
    signaling: Signaling,
    clock: Clock,
    times: asyncio.Task[tuple[OffsetEstimate, RttEstimate]],
) -> list[Observation]:
    seen = await observe(ports, reflectors, signaling.seated.session, clock)
    if seen or times.done():
        return seen
    # A rendezvous that is restarted takes its reflectors along: they are back when it answers.
    await asyncio.wait([times])
    return await observe(ports, reflectors, signaling.seated.session, clock)


async def _times(
    signaling: Signaling, clockmap: ClockMap, ntp: asyncio.Task[NtpReading]
) -> tuple[OffsetEstimate, RttEstimate]:
    exchanges: list[Exchange] = []
    # One after another: exchanges that overlap would delay each other.
    while len(exchanges) < EXCHANGES or (len(exchanges) < MORE_EXCHANGES and not ntp.done()):
        exchanges.append(await signaling.exchange_time(clockmap))
    try:
        return from_exchanges(exchanges)
    except ValueError:
        raise RefusedError(
            "the rendezvous's clock runs while it answers faster than time passes here",
            "Its clock must not be stepped: `midair-rendezvous` reads it once",
        ) from None


def _hosts(ports: Sequence[LocalPort], reflectors: dict[Family, list[Endpoint]]) -> list[Candidate]:
    candidates = []
    for port in ports:
        address = source_address(reflectors[port.family][0])
        if address is not None:
            endpoint = Endpoint.of(address, port.port)
            candidates.append(
                Candidate(kind=CandidateKind.HOST, port_index=port.index, endpoint=str(endpoint))
            )
    return candidates


def trace_of(learned: Learned) -> tuple[ClockLearned, MappingLearned]:
    """Say what was learned as trace events.

    Args:
        learned: of this attempt.

    Returns:
        The clock's event and the mapping's.
    """
    ntp = learned.report.ntp
    rendezvous = learned.report.rendezvous
    clock = ClockLearned(
        ntp=None
        if ntp is None
        else {
            "offset_us": ntp.offset_us,
            "bound_us": ntp.bound_us,
            "servers": list(learned.ntp.survivors),
            "falsetickers": list(learned.ntp.falsetickers),
        },
        rendezvous={
            "offset_us": rendezvous.offset_us,
            "bound_us": rendezvous.bound_us,
            "rtt_us": learned.report.rtt_us,
        },
    )
    by_kind: dict[CandidateKind, list[str]] = {CandidateKind.HOST: [], CandidateKind.SRFLX: []}
    for candidate in learned.mapping.candidates:
        by_kind[candidate.kind].append(candidate.endpoint)
    mapping = MappingLearned(
        mapping=learned.mapping.behaviour.value,
        preserves_port=learned.mapping.preserves_port,
        local=sorted({str(seen.local) for seen in learned.observations}),
        srflx=by_kind[CandidateKind.SRFLX],
        host=by_kind[CandidateKind.HOST],
    )
    return clock, mapping
