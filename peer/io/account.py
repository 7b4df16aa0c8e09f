"""What an attempt tells: its facts to the far end, its events to the user, and how it was won."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from peer.core.clockmap import ClockMap, OffsetEstimate
from peer.core.greeting import Facts
from peer.core.race import Race
from peer.core.times import MonoNs
from peer.core.trace import Appointed, Connected, ShotFired, TraceEvent, VolleyDone
from peer.io.clock import Clock
from peer.io.fire import Barrel, VolleyThread
from peer.io.greet import Winner
from peer.io.ground import Ground
from peer.io.sockets import endpoint_of
from peer.io.tls import Tls
from rendezvous.protocol.messages import Appointment, Role
from rendezvous.protocol.times import NS_PER_MS, bound_us_from_ns, us_from_ns


@dataclass(slots=True, kw_only=True)
class Account:
    """Of one attempt, whose other half is :class:`peer.io.attempt.Attempt`.

    Attributes:
        role: as appointed; None: the greetings find it.
        offset: in the appointment's timescale.
        opened_shots: of each pair that has opened, how many it took.
        thread: the volley's, once there is one.
    """

    appointment: Appointment
    learned: Ground
    role: Role | None
    offset: OffsetEstimate
    clock: Clock
    clockmap: ClockMap
    emit: Callable[[TraceEvent], None]
    started_at: MonoNs
    received_at: MonoNs
    authenticated: bool
    opened_shots: dict[int, int] = field(default_factory=dict)
    thread: VolleyThread = field(init=False)

    def facts(self, pair: int) -> Facts:
        """Return what the far end is told of a pair that has opened.

        Args:
            pair: its number.
        """
        barrel = self._barrel(pair)
        return Facts(
            winner_shots=self.opened_shots[pair],
            shots=self.thread.rule.shots,
            refusals=self.thread.rule.refusals,
            bound_us=bound_us_from_ns(self.offset.bound_at(self.clock.now())),
            first_us=self._corrected_us(barrel.first_at),
            instant_error_us=self.fire_error_us,
        )

    def _barrel(self, pair: int) -> Barrel:
        return next(barrel for barrel in self.thread.barrels if barrel.pair == pair)

    def _corrected_us(self, at: MonoNs | None) -> int:
        assert at is not None
        return us_from_ns(self.clockmap.utc(at, self.offset))

    @property
    def fire_error_us(self) -> int:
        """How long after its instant the volley's first shot left, late appointments included."""
        first = self.thread.first_at
        return 0 if first is None else us_from_ns(first - self.thread.instant)

    def trace_appointment(self, barrels: Sequence[Barrel], instant: MonoNs) -> None:
        """Tell what was appointed.

        Args:
            barrels: what will be fired at.
            instant: when.
        """
        lead_us = us_from_ns(instant - self.received_at)
        ports = {port.volley: port for port in self.learned.ports}
        self.emit(
            Appointed(
                attempt=self.appointment.attempt,
                role=self.role,
                timescale=self.appointment.timescale,
                instant_us=self.appointment.instant_us,
                lead_us=max(0, lead_us),
                late_us=max(0, -lead_us),
                offset_us=us_from_ns(self.offset.offset_ns),
                bound_us=bound_us_from_ns(self.offset.bound_at(self.received_at)),
                pairs=[(f":{ports[b.sock].port}", str(b.remote)) for b in barrels],
            )
        )

    def trace_shots(self) -> None:
        """Tell what the volley did, once it is over."""
        rule = self.thread.rule
        for barrel in self.thread.barrels:
            if barrel.first_at is not None:
                self.emit(
                    ShotFired(
                        attempt=self.appointment.attempt,
                        pair=barrel.pair,
                        shot=1,
                        at_us=self._corrected_us(barrel.first_at),
                        local_us=us_from_ns(self.clockmap.local(barrel.first_at)),
                        fire_error_us=us_from_ns(barrel.first_at - self.thread.instant),
                    )
                )
        self.emit(VolleyDone(self.appointment.attempt, rule.shots, rule.refusals))

    def connected(
        self, sock: socket.socket, winner: Winner, race: Race, tls: Tls | None
    ) -> Connected:
        """Return how the connection came about.

        Args:
            sock: the one that both ends keep.
            winner: its pair and both ends' facts.
            race: that it won.
            tls: what encrypts it; None: nothing.
        """
        barrel, own, far = self._barrel(winner.pair), winner.own_facts, winner.far_facts
        now, rtt_us = self.clock.now(), us_from_ns(race.round_trip_ns(winner.pair))
        return Connected(
            local=str(endpoint_of(sock)),
            remote=str(barrel.remote),
            path="direct",
            role=race.role_of(winner.pair),
            attempt=self.appointment.attempt,
            pair=winner.pair,
            first_shot=own.winner_shots == 1 and far.winner_shots == 1,
            skew_us=own.first_us - far.first_us,
            shots=own.shots,
            refusals=own.refusals,
            winner_shots=own.winner_shots,
            sync_margin_us=rtt_us // 2 - own.bound_us - far.bound_us,
            fire_error_us=own.instant_error_us,
            rtt_us=rtt_us,
            timescale=self.appointment.timescale,
            offset_us=us_from_ns(self.offset.offset_ns),
            bound_us=own.bound_us,
            since_report_ms=self._since_report_ms(now),
            elapsed_ms=round((now - self.started_at) / NS_PER_MS, 1),
            encrypted="" if tls is None else tls.cipher(),
            authenticated=self.authenticated,
        )

    def _since_report_ms(self, now: MonoNs) -> float | None:
        took_ns = self.learned.report_took_ns
        if took_ns is None:
            return None
        return round((now - self.received_at + took_ns) / NS_PER_MS, 1)
