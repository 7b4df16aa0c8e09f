"""What of a flow is worth drawing: the opening in full, repetitions and the rest folded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.diagram.crossing import crossing
from lab.diagram.model import Arrow, Fate, Kind, Side, SpaceTime

KEPT_EXCHANGES = 2
"""Of a run of refused SYNs with their refusals so many are drawn: the first, and the last ones."""
CARRIED = 0.1
"""Data that leaves within this share of a flight after an ACK stands for it: it carries it, too."""
KEPT_DATA = 2
"""Data packets drawn in each direction where none of them has a note."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Packets that are not drawn one by one."""

    start_ns: int
    """When the first of them left."""
    end_ns: int
    """When the last of them ended."""
    count: int
    what: str

    @property
    def label(self) -> str:
        """What stands in their place."""
        return f"{self.count} more {self.what}"


Item = Arrow | Fold


def digest(model: SpaceTime, *, acks: bool = True) -> list[Item]:
    """Choose what to draw.

    Args:
        model: The flow.
        acks: Whether to draw the ACKs that end the handshake, too.

    Returns:
        Arrows and, in place of the others, folds; by time.
    """
    hidden = _repeated(model.arrows)
    rest = _rest(model, acks=acks)
    items: list[Item] = [a for i, a in enumerate(model.arrows) if i not in hidden and i not in rest]
    items += _folds(model.arrows, sorted(hidden), _refused_name)
    items += _folds(model.arrows, sorted(rest), lambda of: "packet" if len(of) == 1 else "packets")
    return sorted(items, key=lambda item: item.start_ns)


def _repeated(arrows: Sequence[Arrow]) -> set[int]:
    """The indexes of refused SYNs and refusals in the middle of each host's runs of them."""
    answered = {a.answers: i for i, a in enumerate(arrows) if a.answers is not None}
    hidden: set[int] = set()
    for side in Side:
        run = [i for i in sorted(answered) if arrows[i].sender is side]
        if len(run) > KEPT_EXCHANGES:
            for index in run[1 : 1 - KEPT_EXCHANGES]:
                hidden |= {index, answered[index]}
    return hidden


def _rest(model: SpaceTime, *, acks: bool) -> set[int]:
    """The indexes of what follows the opening and tells nothing new."""
    done = crossing(model).established_ns
    if done[0] is None or done[1] is None:
        return set()
    # Whatever brought a host to ESTABLISHED is drawn: the state stands beside its end.
    opening = {(side, t_ns) for side, t_ns in zip(Side, done, strict=True)}
    noted = any(a.kind is Kind.DATA and a.note for a in model.arrows)
    drawn = {Side.A: 0, Side.B: 0}
    acked = {Side.A: False, Side.B: False}
    hidden: set[int] = set()
    for index, arrow in enumerate(model.arrows):
        if (arrow.sender.other, arrow.end_ns) in opening:
            keep = True
        elif arrow.kind is Kind.DATA:
            drawn[arrow.sender] += 1
            keep = bool(arrow.note) if noted else drawn[arrow.sender] <= KEPT_DATA
        elif arrow.kind is Kind.ACK:
            # The one that ends the handshake, not those of the data.
            keep = acks and arrow.ack == 1 and not acked[arrow.sender]
            acked[arrow.sender] = True
        else:
            keep = arrow.kind is not Kind.FIN
        if not keep:
            hidden.add(index)
    return hidden | _carried(model, hidden)


def _carried(model: SpaceTime, hidden: set[int]) -> set[int]:
    """The indexes of ACKs that change no state and that a data packet follows closely."""
    changed = {(c.side, c.t_ns) for c in model.changes}
    data = [a for i, a in enumerate(model.arrows) if a.kind is Kind.DATA and i not in hidden]
    return {
        index
        for index, ack in enumerate(model.arrows)
        if ack.kind is Kind.ACK
        and (ack.sender.other, ack.end_ns) not in changed
        and any(
            d.sender is ack.sender
            and 0 <= d.start_ns - ack.start_ns < CARRIED * (d.end_ns - d.start_ns)
            for d in data
        )
    }


def _refused_name(arrows: Sequence[Arrow]) -> str:
    kinds = dict.fromkeys(a.kind.value for a in arrows)
    return "/".join(kinds)


def _folds(
    arrows: Sequence[Arrow], indexes: Sequence[int], name: Callable[[Sequence[Arrow]], str]
) -> list[Fold]:
    """Make one fold of each run of hidden arrows with no drawn one between them."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    folds = []
    for run in runs:
        members = [arrows[i] for i in run]
        # Acknowledgements and ends alone are not worth a line.
        if all(a.kind in (Kind.ACK, Kind.FIN) for a in members):
            continue
        ends = [a.end_ns for a in members if a.fate is not Fate.LOST] or [members[0].start_ns]
        folds.append(Fold(members[0].start_ns, max(ends), len(members), name(members)))
    return folds
