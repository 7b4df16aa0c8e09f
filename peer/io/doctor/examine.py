"""Look at everything, as much at once as possible."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

from peer.core.clockmap import ClockMap, OffsetEstimate
from peer.core.doctor.clock import ClockSeen
from peer.core.doctor.kernel import KernelSeen
from peer.core.doctor.nat import NatSeen
from peer.core.doctor.rendezvous import RendezvousSeen
from peer.core.rtt import from_exchanges
from peer.core.times import MonoNs
from peer.errors import MidairError
from peer.io.clock import Clock, read_clockmap
from peer.io.doctor.kernel import look_at_kernel
from peer.io.doctor.nat import look_at_nat, own_ipv6
from peer.io.ntp import NtpReading, measure_ntp
from peer.io.observe import resolve_reflectors
from peer.io.signaling import Signaling
from peer.settings import DoctorSettings
from rendezvous.protocol.messages import Reason
from rendezvous.protocol.times import NS_PER_S, us_from_ns

EXCHANGES = 6
"""Readings of the rendezvous's clock, as many as a report is made from."""
NTP_TIMEOUT_NS = 3 * NS_PER_S
"""Twice what a report waits: somebody who asks wants to know about slow servers, too."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything."""

    clock: ClockSeen
    kernel: KernelSeen
    rendezvous: RendezvousSeen
    nat: NatSeen


@dataclass(frozen=True, slots=True)
class _Outside:
    nat: NatSeen
    rendezvous: RendezvousSeen = field(default_factory=RendezvousSeen)
    clock: OffsetEstimate | None = None


async def examine(settings: DoctorSettings, clock: Clock) -> Seen:
    """Look at clock, kernel and network.

    Args:
        settings: the user's.
        clock: the host's.

    Returns:
        What was seen; troubles are in it, not raised.

    Raises:
        UsageError: the URL of the rendezvous is none.
    """
    # First, since what comes then takes ports.
    kernel = look_at_kernel(settings.local_port)
    clockmap = read_clockmap(clock)
    signaling = (
        None
        if settings.rendezvous is None
        else Signaling(settings.rendezvous, clock, secrets.token_hex(32))
    )
    async with asyncio.TaskGroup() as tasks:
        ntp = tasks.create_task(
            measure_ntp(
                settings.ntp, clock, clockmap, deadline=MonoNs(clock.now() + NTP_TIMEOUT_NS)
            )
        )
        if signaling is not None:
            task = tasks.create_task(_with_rendezvous(signaling, settings, clock, clockmap))
        else:
            task = tasks.create_task(_without(settings, clock))
    outside = task.result()
    return Seen(_clock(ntp.result(), outside), kernel, outside.rendezvous, outside.nat)


def _clock(ntp: NtpReading, outside: _Outside) -> ClockSeen:
    return ClockSeen(
        ntp=ntp.estimate,
        survivors=ntp.survivors,
        falsetickers=ntp.falsetickers,
        failures=ntp.failures,
        rendezvous=outside.clock,
        rtt_us=outside.rendezvous.rtt_us,
    )


async def _with_rendezvous(
    signaling: Signaling, settings: DoctorSettings, clock: Clock, clockmap: ClockMap
) -> _Outside:
    try:
        # A session of its own, which ends with it: only seats are told of reflectors.
        seated = await signaling.open()
        exchanges = [await signaling.exchange_time(clockmap) for _ in range(EXCHANGES)]
        estimate, round_trip = from_exchanges(exchanges)
        seen = RendezvousSeen(
            signaling.asking.url,
            rtt_us=us_from_ns(round_trip.rtt_ns),
            reflectors=len(seated.reflectors),
        )
        if settings.reflectors:
            return _Outside(await _named(settings, clock), seen, estimate)
        found = await resolve_reflectors(seated.reflectors, signaling.asking.addresses)
        nat = await look_at_nat(found, seated.session, clock, settings.local_port)
        return _Outside(nat, seen, estimate)
    except (MidairError, ValueError) as error:
        # ValueError: its clock ran while it answered.
        trouble = RendezvousSeen(signaling.asking.url, trouble=str(error))
        return _Outside(await _named(settings, clock), trouble)
    finally:
        try:
            await signaling.leave(Reason.DONE)
        finally:
            await signaling.aclose()


async def _without(settings: DoctorSettings, clock: Clock) -> _Outside:
    return _Outside(await _named(settings, clock))


async def _named(settings: DoctorSettings, clock: Clock) -> NatSeen:
    """Ask the reflectors that the user named, if any."""
    if not settings.reflectors:
        return NatSeen(asked=False, ipv6=own_ipv6())
    found = await resolve_reflectors(settings.reflectors, (), own_choice=True)
    return await look_at_nat(found, None, clock, settings.local_port)
