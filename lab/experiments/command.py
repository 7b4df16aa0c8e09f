"""``midair-lab experiment``: run one, or all, and show what was seen.

Only click is imported here; what the command needs, it imports itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.experiments import MODULES

if TYPE_CHECKING:
    from lab.experiments.report import Report

EXIT_DOES_NOT_HOLD = 1
EXIT_USAGE = 2
ALL, LIST = "all", "list"


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an experiment.")
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw it; a folder for `all`."
)
@click.option(
    "--pcap",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write its packets for tcpdump or Wireshark; a folder for `all`.",
)
def experiment(name: str, as_json: bool, svg: Path | None, pcap: Path | None) -> None:
    """Show something strange that TCP sockets do, and check that they do.

    NAME is one of the experiments, `list`, or `all`. Exit 1 if a claim does not hold. Needs
    network namespaces: root, or a kernel that lets everybody have user namespaces.
    """
    if name == LIST:
        _list(as_json)
        return
    if name not in (ALL, *MODULES):
        raise click.UsageError(f"no experiment is called {name!r}: {', '.join(MODULES)}, or all")
    from lab.experiments.room import enter

    missing = enter(sys.argv[1:])
    if missing is not None:
        click.echo(f"midair-lab: {missing}", err=True)
        sys.exit(EXIT_USAGE)
    names = list(MODULES) if name == ALL else [name]
    held = [_run_and_show(each, as_json, svg, pcap, many=name == ALL) for each in names]
    if name == ALL and not as_json:
        click.echo(f"{sum(held)} of {len(held)} claims hold.")
    sys.exit(0 if all(held) else EXIT_DOES_NOT_HOLD)


def _list(as_json: bool) -> None:
    import json
    from importlib import import_module

    titles = {name: import_module(f"lab.experiments.{MODULES[name]}").TITLE for name in MODULES}
    if as_json:
        click.echo(json.dumps(titles))
        return
    width = max(map(len, titles))
    for name, title in titles.items():
        click.echo(f"{name:<{width}}  {title}")


def _run_and_show(
    name: str, as_json: bool, svg: Path | None, pcap: Path | None, *, many: bool
) -> bool:
    import json

    from lab.demo import wants_color
    from lab.experiments.show import as_values, as_words, picture
    from lab.packets import pcap as pcap_of

    report = _run(name)
    if as_json:
        click.echo(json.dumps(as_values(report), ensure_ascii=False))
    else:
        click.echo(as_words(report, color=wants_color()))
    packets = [packet for scene in report.scenes for packet in scene.packets]
    if svg is not None:
        _write(_place(svg, f"{name}.svg", many=many), picture(report).encode())
    if pcap is not None:
        _write(_place(pcap, f"{name}.pcap", many=many), pcap_of(packets))
    return report.holds


def _run(name: str) -> Report:
    """Run an experiment; exits with 2 and a sentence where that is not possible."""
    from importlib import import_module
    from subprocess import SubprocessError

    from pyroute2.netlink.exceptions import NetlinkError

    from lab.experiments.programs import ProgramError
    from lab.interrupt import signals_raise
    from lab.scenario import ScenarioError

    try:
        with signals_raise():
            report: Report = import_module(f"lab.experiments.{MODULES[name]}").run()
    except (OSError, NetlinkError, ProgramError, ScenarioError, SubprocessError) as error:
        click.echo(f"midair-lab: {name} could not be run here: {error}", err=True)
        sys.exit(EXIT_USAGE)
    return report


def _place(path: Path, name: str, *, many: bool) -> Path:
    return path / name if many else path


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        click.echo(f"midair-lab: {path} cannot be written: {error.strerror}", err=True)
        sys.exit(EXIT_USAGE)
