"""``midair-lab``: two peers, two routers and an internet on one machine.

Only click is imported here; what a command needs, it imports itself.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

from lab.experiments.command import experiment
from lab.options import LabOptions, lab_options

if TYPE_CHECKING:
    from lab.verify import Finding

EXIT_DOES_NOT_HOLD = 1
EXIT_USAGE = 2
EXIT_NOT_RUN = 127
"""As shells have it."""
DEMO_CLOCK_A_S, DEMO_CLOCK_B_S = 3.7, -41.0
"""Wall clocks nobody should depend on: the demo's are wrong on purpose."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="midair", prog_name="midair-lab")
def cli() -> None:
    """Two peers behind two routers, real kernels between them, on this one machine.

    Needs Linux and iptables. Where this kernel cannot delay packets, or you are not root, the
    lab runs in a user-mode Linux guest by itself.
    """


cli.add_command(experiment)


def enter_lab(options: LabOptions, *, time_servers: bool = True) -> None:
    """Return where the lab can run; otherwise run this very command in a guest and exit.

    Exits with 2 where something is missing, saying what, and how to install it.

    Args:
        options: the lab that is wanted.
        time_servers: the command will start them.
    """
    from lab import guest, requirements

    place = requirements.choose_place(netem=options.world.needs_netem)
    absent = requirements.missing(
        place,
        time_servers=time_servers and bool(options.time_server_errors_s),
        wrong_clocks=options.needs_faketime,
    )
    if absent:
        click.echo(f"midair-lab: {requirements.explain(absent)}", err=True)
        sys.exit(EXIT_USAGE)
    if place is requirements.Place.GUEST:
        sys.exit(guest.run_in_guest(guest.this_command(sys.argv[1:])))


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--force", is_flag=True, help="Even if this machine could do it without a guest.")
@click.option("--memory", default="3G", show_default=True, help="The guest's memory.")
@click.option(
    "--disk",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    metavar="FILE",
    help="A file that the guest has as its disk /dev/ubda.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def guest(force: bool, memory: str, disk: Path | None, command: Sequence[str]) -> None:
    """Run COMMAND where packets can be delayed: here, or in a user-mode Linux guest.

    The guest sees this machine's files, the current folder and the environment; output and exit
    code are the command's. It has a network of its own, without the outside.
    """
    from lab import guest as guests
    from lab import requirements, system

    place = requirements.choose_place(netem=True)
    if system.in_guest() or (place is requirements.Place.HERE and not force):
        try:
            os.execvp(command[0], list(command))
        except OSError as error:
            _fail(f"{command[0]}: {error.strerror}", exit_code=EXIT_NOT_RUN)
    place = requirements.Place.GUEST
    absent = requirements.missing(place, time_servers=False, wrong_clocks=False)
    if absent:
        click.echo(f"midair-lab: {requirements.explain(absent)}", err=True)
        sys.exit(EXIT_USAGE)
    sys.exit(guests.run_in_guest(command, memory=memory, disk=disk))


@cli.command()
@lab_options()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(options: LabOptions, as_json: bool) -> None:
    """Prove that each router and link is what its label says. Exit 1 if one is not."""
    enter_lab(options, time_servers=False)
    from lab.interrupt import signals_raise
    from lab.verify import verify as measure
    from lab.world import World

    with signals_raise(), World(options.world) as world:
        findings = measure(world)
    if as_json:
        _print_json(findings)
    else:
        _print_table(findings, options)
    sys.exit(0 if all(finding.holds for finding in findings) else EXIT_DOES_NOT_HOLD)


@cli.command()
@lab_options()
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Sessions.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def run(options: LabOptions, repeat: int, as_json: bool) -> None:
    """Run sessions of two peers and measure them. Exit 1 if one does not connect."""
    enter_lab(options)
    from lab.run_command import run as run_sessions

    all_connected = run_sessions(options, repeat=repeat, as_json=as_json)
    sys.exit(0 if all_connected else EXIT_DOES_NOT_HOLD)


@cli.command()
@lab_options(clock_a_s=DEMO_CLOCK_A_S, clock_b_s=DEMO_CLOCK_B_S)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the diagram as a picture, too.",
)
def demo(options: LabOptions, svg: Path | None) -> None:
    """Show two peers meeting in mid-air: one session, drawn from its packets."""
    enter_lab(options)
    from lab.demo import demo as show

    sys.exit(0 if show(options, svg=svg) else EXIT_DOES_NOT_HOLD)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--interface", default="eth0", show_default=True, help="Of this host.")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def capture(interface: str, file: Path, command: Sequence[str]) -> None:
    """Run COMMAND on this host and write what passes the interface meanwhile to FILE (pcap).

    The exit code is the command's. Two such files of two hosts are what `diagram` draws.
    """
    from lab.recording import NotRunError, record

    try:
        recorded = record(file, interface, command)
    except NotRunError as error:
        _fail(str(error), exit_code=EXIT_NOT_RUN)
    except OSError as error:
        _fail(f"{interface} cannot be captured into {file}: {error.strerror}")
    if recorded.lost:
        click.echo(f"midair-lab: the capture lost {recorded.lost} packets", err=True)
    sys.exit(recorded.exit_code)


@cli.command()
@click.argument("files", nargs=2, type=click.File("rb"), metavar="A.pcap B.pcap")
@click.option("--host-a", metavar="ADDRESS", help="Where it is not the one of most packets.")
@click.option("--host-b", metavar="ADDRESS", help="The same of the other one.")
@click.option("--quote", multiple=True, metavar="TEXT", help="Words that packets contain.")
@click.option("--lossy", is_flag=True, help="Exit 0 also where one of the two SYNs was lost.")
def diagram(
    files: tuple[BinaryIO, BinaryIO],
    host_a: str | None,
    host_b: str | None,
    quote: Sequence[str],
    lossy: bool,
) -> None:
    """Draw how two hosts were connected, from captures taken at both on one clock.

    Exit 1 if it was not by two SYNs that crossed.
    """
    from lab import replay
    from lab.diagram import draw_text

    try:
        packets = [
            replay.read(file.read(), host)
            for file, host in zip(files, (host_a, host_b), strict=True)
        ]
        shown = replay.replay(*packets, quotes=quote)
    except (ValueError, replay.ReplayError) as error:
        _fail(f"{' and '.join(file.name for file in files)}: {error}")
    click.echo("Time runs down, in ms after the first SYN:\n")
    click.echo(draw_text(shown.model, width=shutil.get_terminal_size().columns))
    click.echo(replay.conclusion(shown))
    holds = shown.claim.simultaneous or (lossy and shown.claim.half)
    sys.exit(0 if holds else EXIT_DOES_NOT_HOLD)


def _fail(words: str, *, exit_code: int = EXIT_USAGE) -> NoReturn:
    click.echo(f"midair-lab: {words}", err=True)
    sys.exit(exit_code)


def _print_json(findings: Sequence[Finding]) -> None:
    import dataclasses
    import json

    rows = [dataclasses.asdict(finding) for finding in findings]
    click.echo(json.dumps({"holds": all(row["holds"] for row in rows), "findings": rows}))


def _print_table(findings: Sequence[Finding], options: LabOptions) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "router", "property", "stated", "measured", box=None, pad_edge=False)
    for finding in findings:
        router = options.world.side(finding.side).router
        mark = "[green]✓[/]" if finding.holds else "[bold red]✗[/]"
        words = (f"{finding.side}, {router.label}", finding.what, finding.stated, finding.measured)
        table.add_row(mark, *words)
    console = Console(highlight=False)
    console.print(table)
    failed = sum(not finding.holds for finding in findings)
    console.print(f"{len(findings) - failed} of {len(findings)} hold")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; exits."""
    from lab.interrupt import Interrupted

    try:
        cli.main(args=None if argv is None else list(argv), prog_name="midair-lab")
    except Interrupted as interrupted:
        sys.exit(interrupted.exit_code)


if __name__ == "__main__":
    main()
