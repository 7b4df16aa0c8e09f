"""The doctor's report: 80 columns for people, one object for programs."""

from __future__ import annotations

import json
from dataclasses import replace

from peer.apps.doctor import COLUMNS, as_object, as_text
from peer.core.doctor.check import Check, Status
from peer.core.doctor.nat import NatSeen, judge_nat
from peer.core.doctor.partners import expectations
from tests.unit.peer.doctor.test_checks import nat

LONG = Check("kernel", Status.WARNING, ("a word " * 40, "short"), {"opens": True})


def test_text_when_lines_are_long_stays_within_80_columns() -> None:
    seen = nat("preserving")
    text = "\n".join(as_text([LONG, judge_nat(seen)], expectations(seen, has_ntp=True)))

    assert max(map(len, text.splitlines())) <= COLUMNS
    assert text.startswith("kernel      warning  a word")
    assert "\n                     short\n" in text
    assert text.endswith("Nothing is broken.")


def test_text_when_all_is_well_shows_what_to_expect() -> None:
    seen = nat("remapped")
    lines = list(as_text([judge_nat(seen)], expectations(seen, has_ntp=True)))
    table = [line.split() for line in lines if line.startswith("  a ")]

    assert [row[-2:] for row in table] == [["yes", "no"]] * 3 + [["no", "no"]]
    assert lines[-1] == "Nothing is amiss."


def test_text_when_the_nat_is_not_known_says_so_instead_of_a_table_without_answers() -> None:
    seen = NatSeen(asked=False)
    text = "\n".join(as_text([judge_nat(seen)], expectations(seen, has_ntp=True)))

    assert "not known" not in text
    assert "depends on the NAT" in text


def test_text_when_reflectors_are_on_this_side_of_the_nat_says_that_a_path_is_not_known() -> None:
    seen = nat("none", own="10.0.0.5")
    lines = list(as_text([judge_nat(seen)], expectations(seen, has_ntp=False)))
    table = [line.split() for line in lines if line.startswith("  a ")]

    assert [row[-3:] for row in table[:3]] == [["not", "known", "no"]] * 3
    assert table[3][-2:] == ["no", "no"]


def test_object_when_made_has_every_check_and_is_json() -> None:
    seen = replace(nat("sequential"), hairpin=False)
    found = json.loads(
        json.dumps(as_object([LONG, judge_nat(seen)], expectations(seen, has_ntp=True), 5))
    )

    assert list(found) == ["kernel", "nat", "partners", "exit"]
    assert found["kernel"] == {"status": "warning", "lines": [*LONG.lines], "opens": True}
    assert (found["nat"]["allocation"], found["nat"]["step"]) == ("sequential", 1)
    assert found["nat"]["hairpin"] is False
    assert found["partners"][0] == {
        "partner": "a public address, or only a firewall",
        "rendezvous": False,
        "meet": False,
    }
    assert found["exit"] == 5
