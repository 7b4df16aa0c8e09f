"""Ladders: space-time diagrams of any number of hosts or sockets, from the captures of all.

``build`` makes one, ``fold`` and ``annotate`` change it, ``draw_text`` and ``draw_svg`` show it.
"""

from lab.diagram.ladder.build import annotate, build, fold
from lab.diagram.ladder.model import Flight, Fold, Ladder, Lane, Mark, Note
from lab.diagram.ladder.svg import Panel, draw_svg
from lab.diagram.ladder.text import draw_text

__all__ = [
    "Flight",
    "Fold",
    "Ladder",
    "Lane",
    "Mark",
    "Note",
    "Panel",
    "annotate",
    "build",
    "draw_svg",
    "draw_text",
    "fold",
]
