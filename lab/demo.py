"""``midair-lab demo``: one session, told and drawn for a person who has never seen one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from lab.demo_text import NAMES, Demo, address, conclusion, failure, introduction
from lab.diagram import Flow, build, crossing, draw_svg, draw_text, quoting
from lab.interrupt import signals_raise
from lab.options import LabOptions
from lab.scenario import MESSAGES, Scenario, SessionRun, installed_script
from lab.seat import Event
from lab.topology import SIDES
from lab.world import World

Say = Callable[[str], None]

_NEXT = "run --repeat 20 --clock-a 3.7 --clock-b -41"


def demo(options: LabOptions, *, svg: Path | None) -> bool:
    """Run one session, draw it, and say what was seen.

    Args:
        options: the lab.
        svg: where to write the picture, too.

    Returns:
        Whether the two peers connected and the captures show crossing SYNs.
    """
    say = _progress()
    say("building two LANs, two routers and an internet …")
    with signals_raise(), World(options.world) as world:
        say("starting the rendezvous, the time servers and both peers …")
        with Scenario(world, options) as scenario:
            say("the peers meet, learn, agree an instant, and fire …")
            session = scenario.run()
    say("")
    shown = examine(session, options)
    if shown is None:
        print(failure(session))
        return False
    color = wants_color()
    width = shutil.get_terminal_size().columns
    print(introduction(options))
    print(draw_text(shown.model, width=width, color=color))
    print(conclusion(shown, options))
    if svg is not None:
        svg.write_text(picture(shown, options), encoding="utf-8")
        print(f"\nThe picture is in {svg}.")
    print(f"\nAgain, and counted:  {_program()} {_NEXT}")
    return shown.claim.simultaneous


def examine(session: SessionRun, options: LabOptions) -> Demo | None:
    """Match both captures of a session.

    Args:
        session: one that may have connected.
        options: the lab it was in.

    Returns:
        What there is to show; None if the peers did not connect.
    """
    connected = {side: session.peers[side].event("connected") for side in SIDES}
    told = {side: event for side, event in connected.items() if event is not None}
    appointment = session.peers["a"].event("appointment")
    if len(told) < len(SIDES) or appointment is None:
        return None
    wrong_s = options.rendezvous_clock_s if appointment["timescale"] == "rendezvous" else 0.0
    model = build(
        session.packets["a"],
        session.packets["b"],
        # Captures have the kernel's true time, which is what the time servers serve.
        origin_ns=appointment["instant_us"] * 1000 - int(wrong_s * 1e9),
        names=(NAMES["a"], NAMES["b"]),
        flows=(_flow(told["a"]), _flow(told["b"])),
        note=quoting([MESSAGES["a"], MESSAGES["b"]]),
    )
    return Demo(session, model, crossing(model), told)


def _flow(connected: Event) -> Flow:
    return Flow(_endpoint(connected["local"]), _endpoint(connected["remote"]))


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def picture(shown: Demo, options: LabOptions) -> str:
    """Draw a session as SVG.

    Args:
        shown: of a session that connected.
        options: the lab it was in.

    Returns:
        The picture.
    """
    routers = [_router(options.world.side(side).router.mode, options) for side in SIDES]
    return draw_svg(
        shown.model,
        title="Two SYNs meet in mid-air",
        caption="Captured at both hosts; times in ms after the appointed instant",
        hosts=(address("a", options), address("b", options)),
        routers=(routers[0], routers[1]),
    )


def _router(mode: str, options: LabOptions) -> str | None:
    if mode == "none":
        return None
    return "NAT" if mode == "nat" and options.world.ipv4 else "firewall"


def _progress() -> Say:
    """Say on a terminal's standard error what goes on, each step over the one before."""
    terminal = sys.stderr.isatty()

    def say(text: str) -> None:
        if terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
        elif text:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    return say


def _program() -> str:
    """Return how to call this program: a fresh checkout has it in .venv/bin only."""
    if shutil.which("midair-lab"):
        return "midair-lab"
    return os.path.relpath(installed_script("midair-lab"))


def wants_color() -> bool:
    """Follow https://no-color.org and FORCE_COLOR; otherwise colour is for terminals."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
