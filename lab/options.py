"""The options that describe a lab, shared by ``demo``, ``run`` and ``verify``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from lab.topology import (
    ANSWERS,
    MAPPINGS,
    AccessSpec,
    LinkSpec,
    RouterSpec,
    Side,
    SideSpec,
    WorldSpec,
)

F = TypeVar("F", bound=Callable[..., Any])

KINDS = (*MAPPINGS, "firewall", "none")
DEFAULT_DELAY_MS = 20.0
"""A common distance: a few hundred kilometres of fibre and two access networks."""
_TIME_SERVERS_WITH_FALSETICKER = 4
"""RFC 5905 wants three truechimers to outvote one falseticker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """A lab as asked for on the command line."""

    world: WorldSpec
    clock_a_s: float = 0.0
    """Error of peer a's wall clock; positive is fast."""
    clock_b_s: float = 0.0
    rendezvous_clock_s: float = 0.0
    time_server_errors_s: tuple[float, ...] = (0.0,)
    """One entry for each time server."""
    skew_b_ms: float = 0.0
    """Added to the instant at peer b only."""

    @property
    def needs_faketime(self) -> bool:
        """Tell whether somebody's clock is wrong."""
        clocks = (self.clock_a_s, self.clock_b_s, self.rendezvous_clock_s)
        return any(clocks) or any(self.time_server_errors_s)

    def clock_s(self, side: Side) -> float:
        """Return the error of a peer's wall clock."""
        return self.clock_a_s if side == "a" else self.clock_b_s


def parse(values: dict[str, Any]) -> LabOptions:
    """Take the lab's options out of a command's keyword arguments.

    Raises:
        ValueError: they contradict each other; the text says how.
    """
    path = LinkSpec(
        delay_ms=values.pop("delay"),
        jitter_ms=values.pop("jitter"),
        loss_percent=values.pop("loss"),
        reorder_percent=values.pop("reorder"),
        rate_mbit=values.pop("rate"),
    )
    both, block_ntp = values.pop("answer"), values.pop("block_ntp")
    sides = {
        side: SideSpec(
            router=RouterSpec.named(
                values.pop(f"nat_{side}"),
                answer=values.pop(f"answer_{side}") or both,
                block_ntp=block_ntp in (side, "both"),
            ),
            access=AccessSpec.half_of(path),
        )
        for side in ("a", "b")
    }
    ipv4, ipv6 = values.pop("ipv4"), values.pop("ipv6")
    servers, falseticker = values.pop("ntp_servers"), values.pop("falseticker")
    errors = [0.0] * (_TIME_SERVERS_WITH_FALSETICKER if falseticker else servers)
    if falseticker:
        errors[-1] = falseticker
    return LabOptions(
        world=WorldSpec(a=sides["a"], b=sides["b"], ipv4=ipv4 or not ipv6, ipv6=ipv6),
        clock_a_s=values.pop("clock_a"),
        clock_b_s=values.pop("clock_b"),
        rendezvous_clock_s=values.pop("rendezvous_clock"),
        time_server_errors_s=tuple(errors),
        skew_b_ms=values.pop("skew_b"),
    )


def _options(delay_ms: float, clock_a_s: float, clock_b_s: float) -> list[Callable[[F], F]]:
    option = functools.partial(click.option, show_default=True)
    kinds, answers = click.Choice(KINDS), click.Choice(ANSWERS)
    number = functools.partial(option, type=float, default=0.0)
    return [
        option("--nat-a", type=kinds, default="preserving", help="Router a: its NAT, or not one."),
        option("--nat-b", type=kinds, default="preserving", help="Router b, likewise."),
        option("--answer", type=answers, default="rst", help="Answer to a SYN nobody asked for."),
        click.option("--answer-a", type=answers, help="The same, of router a only."),
        click.option("--answer-b", type=answers, help="The same, of router b only."),
        option("--delay", type=float, default=delay_ms, help="ms one way, router to router."),
        number("--jitter", help="ms by which the delay varies."),
        number("--loss", help="Percent of packets lost, router to router."),
        number("--reorder", help="Percent of packets that overtake others."),
        number("--rate", help="Mbit/s of each access link; 0: unlimited."),
        option("--clock-a", type=float, default=clock_a_s, help="Peer a's clock: s, + is fast."),
        option("--clock-b", type=float, default=clock_b_s, help="Peer b's clock, likewise."),
        number("--rendezvous-clock", help="The rendezvous's clock, likewise."),
        click.option(
            "--block-ntp", type=click.Choice(["a", "b", "both"]), help="Drop UDP port 123 there."
        ),
        option(
            "--ntp-servers",
            type=click.IntRange(0, _TIME_SERVERS_WITH_FALSETICKER),
            default=1,
            help="Time servers.",
        ),
        click.option(
            "--falseticker",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help="Four time servers, the last of them wrong by so much.",
        ),
        click.option("--ipv4", is_flag=True, help="IPv4 only; with --ipv6: both.  [default]"),
        click.option("--ipv6", is_flag=True, help="IPv6 only: routers filter, none translates."),
        number("--skew-b", help="ms by which peer b fires late (negative: early)."),
    ]


def lab_options(
    *, delay_ms: float = DEFAULT_DELAY_MS, clock_a_s: float = 0.0, clock_b_s: float = 0.0
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a click command with the options of a lab; it gets them as ``options``.

    Args:
        delay_ms: default of ``--delay``.
        clock_a_s: default of ``--clock-a``.
        clock_b_s: default of ``--clock-b``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_options(**values: Any) -> Any:
            try:
                options = parse(values)
            except ValueError as error:
                raise click.UsageError(str(error)) from error
            return command(options=options, **values)

        for option in reversed(_options(delay_ms, clock_a_s, clock_b_s)):
            with_options = option(with_options)
        return with_options

    return decorate
