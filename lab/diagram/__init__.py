"""Space-time diagrams of a TCP flow between two hosts, drawn from the captures of both.

``build`` makes the model of two captures, ``crossing`` decides the claim "simultaneous open" from
it, ``draw_text`` and ``draw_svg`` show it. All pure.
"""

from lab.diagram.captures import build
from lab.diagram.crossing import Crossing, crossing
from lab.diagram.match import assemble, pick_flows, quoting
from lab.diagram.model import Arrow, Fate, Flow, Kind, Seen, Side, SpaceTime, State
from lab.diagram.svg import draw_svg
from lab.diagram.text import draw_text

__all__ = [
    "Arrow",
    "Crossing",
    "Fate",
    "Flow",
    "Kind",
    "Seen",
    "Side",
    "SpaceTime",
    "State",
    "assemble",
    "build",
    "crossing",
    "draw_svg",
    "draw_text",
    "pick_flows",
    "quoting",
]
