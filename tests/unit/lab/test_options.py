"""The options that describe a lab, as commands get them."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from lab.options import LabOptions, lab_options
from lab.topology import AccessSpec, LinkSpec, RouterSpec


def options_of(*argv: str) -> LabOptions:
    got: list[LabOptions] = []

    @click.command()
    @lab_options(clock_a_s=3.7)
    def command(options: LabOptions) -> None:
        got.append(options)

    result = CliRunner().invoke(command, argv)
    assert result.exit_code == 0, result.output
    return got[0]


def test_options_when_nothing_is_said_are_the_defaults() -> None:
    options = options_of()
    assert options.world.a.router == options.world.b.router == RouterSpec()
    assert options.world.a.access == AccessSpec.half_of(LinkSpec(delay_ms=20))
    assert (options.world.ipv4, options.world.ipv6) == (True, False)
    assert (options.clock_s("a"), options.clock_s("b")) == (3.7, 0)
    assert options.time_server_errors_s == (0.0,)
    assert options.needs_faketime


def test_options_of_one_router_leave_the_other() -> None:
    options = options_of("--nat-a", "random", "--answer", "icmp", "--answer-b", "drop")
    assert options.world.a.router == RouterSpec(mapping="random", answer="icmp")
    assert options.world.b.router == RouterSpec(answer="drop")


def test_options_ipv6_alone_leaves_ipv4_out() -> None:
    assert not options_of("--ipv6").world.ipv4
    both = options_of("--ipv6", "--ipv4").world
    assert (both.ipv4, both.ipv6) == (True, True)


def test_options_block_ntp_is_for_one_side_or_both() -> None:
    assert options_of("--block-ntp", "b").world.b.router.block_ntp
    assert not options_of("--block-ntp", "b").world.a.router.block_ntp
    assert options_of("--block-ntp", "both").world.a.router.block_ntp


@pytest.mark.parametrize(
    ("argv", "errors"),
    [
        (("--falseticker", "-9"), (0, 0, 0, -9)),
        (("--ntp-servers", "3"), (0, 0, 0)),
        (("--ntp-servers", "0"), ()),
    ],
)
def test_options_time_servers(argv: tuple[str, ...], errors: tuple[float, ...]) -> None:
    assert options_of(*argv).time_server_errors_s == errors


def test_options_that_contradict_are_a_usage_error_in_words() -> None:
    @click.command()
    @lab_options()
    def command(options: LabOptions) -> None:
        raise AssertionError(options)

    result = CliRunner().invoke(command, ["--delay", "0", "--reorder", "5"])
    assert result.exit_code == 2
    assert "reordering needs a delay" in result.output
