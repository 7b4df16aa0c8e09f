"""``midair doctor``: what this host has, what it lacks, and what to expect of partners."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence

from peer.core.doctor.check import Check, Status, exit_code, worst
from peer.core.doctor.clock import judge_clock
from peer.core.doctor.kernel import judge_kernel
from peer.core.doctor.nat import judge_ipv6, judge_nat
from peer.core.doctor.partners import Expectation, expectations
from peer.core.doctor.rendezvous import judge_rendezvous
from peer.core.meeting import MAX_BOUND_US
from peer.errors import MidairError
from peer.io.clock import SystemClock
from peer.io.doctor.examine import Seen, examine
from peer.settings import DoctorSettings
from rendezvous.protocol.times import bound_us_from_ns

COLUMNS = 80
_NAME, _STATUS = 12, 9
_MARKS = {True: "yes", False: "no", None: "not known"}
_LAST = {
    Status.OK: "Nothing is amiss.",
    Status.WARNING: "Nothing is broken.",
    Status.BROKEN: "Something is broken: see above.",
}


def run_doctor(settings: DoctorSettings, say: Callable[[str], None], *, as_json: bool) -> int:
    """Examine this host, and say what was found.

    Args:
        settings: the user's.
        say: takes it, without the last end of line.
        as_json: one JSON object instead of words.

    Returns:
        0, or what the commands would exit with that need what is broken; see
        :mod:`peer.errors`.
    """
    try:
        seen = asyncio.run(examine(settings, SystemClock()))
    except MidairError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"midair: {error}\n")
        return error.exit_code
    checks = judge(seen)
    expected = expectations(seen.nat, has_ntp=_can_meet(seen))
    code = exit_code(checks)
    if as_json:
        say(json.dumps(as_object(checks, expected, code), ensure_ascii=False))
    else:
        say("\n".join(as_text(checks, expected)))
    return code


def judge(seen: Seen) -> tuple[Check, ...]:
    """Judge everything that was seen.

    Args:
        seen: all of it.

    Returns:
        The checks, in the order in which they are told.
    """
    return (
        judge_clock(seen.clock),
        judge_kernel(seen.kernel),
        judge_rendezvous(seen.rendezvous),
        judge_nat(seen.nat),
        judge_ipv6(seen.nat),
    )


def _can_meet(seen: Seen) -> bool:
    ntp = seen.clock.ntp
    return ntp is not None and bound_us_from_ns(ntp.bound_ns) <= MAX_BOUND_US


def as_object(
    checks: Sequence[Check], expected: Sequence[Expectation], code: int
) -> dict[str, object]:
    """Put what was found into one object for JSON.

    Args:
        checks: all.
        expected: of each kind of partner.
        code: what the command exits with.

    Returns:
        The object; its keys are never renamed.
    """
    return {
        **{
            check.name.lower(): {
                "status": check.status.value,
                "lines": list(check.lines),
                **check.facts,
            }
            for check in checks
        },
        "partners": [
            {"partner": row.partner, "rendezvous": row.rendezvous, "meet": row.meet}
            for row in expected
        ],
        "exit": code,
    }


def as_text(checks: Sequence[Check], expected: Sequence[Expectation]) -> Iterator[str]:
    """Say what was found in lines of 80 columns.

    Args:
        checks: all.
        expected: of each kind of partner.

    Yields:
        The lines.
    """
    indent = " " * (_NAME + _STATUS)
    for check in checks:
        status = "–" if check.status is Status.UNKNOWN else check.status.value
        head = f"{check.name:{_NAME}}{status:{_STATUS}}"
        for line in check.lines:
            yield textwrap.fill(
                line,
                COLUMNS,
                initial_indent=head,
                subsequent_indent=f"{indent}  ",
                break_on_hyphens=False,
            )
            head = indent
    yield ""
    yield from _table(expected)
    yield ""
    yield _LAST[worst(*(check.status for check in checks))]


def _table(expected: Sequence[Expectation]) -> Iterator[str]:
    if all(row.rendezvous is None for row in expected):
        yield "What to expect of partners depends on the NAT in front of this host."
        return
    width = max(len(row.partner) for row in expected)
    yield f"{'A direct connection with a partner that has':{width + 4}}listen, connect  meet"
    for row in expected:
        marks = f"{_MARKS[row.rendezvous]:17}{_MARKS[row.meet]}"
        yield f"  {row.partner:{width + 2}}{marks}"
