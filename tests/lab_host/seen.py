"""Experiments that have been run, and what their captures have."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import import_module

from lab.experiments import MODULES
from lab.experiments.report import Report, Scene
from lab.packets import Endpoint, Flags, Packet, Tcp

LOVE = b"I love you."
SYN, SYN_ACK, RST, RST_ACK = Flags.SYN, Flags.SYN | Flags.ACK, Flags.RST, Flags.RST | Flags.ACK
ACK, DATA, FIN_ACK = Flags.ACK, Flags.PSH | Flags.ACK, Flags.FIN | Flags.ACK


@functools.cache
def report(name: str) -> Report:
    """Run an experiment, once for all tests."""
    found: Report = import_module(f"lab.experiments.{MODULES[name]}").run()
    return found


def scene(name: str, words: str) -> Scene:
    """Return the one scene whose title has these words."""
    (found,) = [one for one in report(name).scenes if words in one.title]
    return found


def segments(packets: Sequence[Packet]) -> list[Tcp]:
    """Keep what is TCP."""
    return [packet.tcp for packet in packets if packet.tcp]


def flags(packets: Sequence[Packet]) -> list[Flags]:
    """Return the flags of each segment."""
    return [tcp.flags for tcp in segments(packets)]


def of_flow(packets: Sequence[Packet], one: Endpoint, other: Endpoint) -> list[Packet]:
    """Keep the packets between two endpoints."""
    ends = {one, other}
    return [p for p in packets if p.tcp and {p.tcp.source, p.tcp.destination} == ends]
