"""docs/experiments.md shows every experiment, and names only what there is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.experiments import MODULES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/experiments.md").read_text()
TITLES = {
    name: re.search(
        r'^TITLE = "(.*)"$', (ROOT / f"lab/experiments/{module}.py").read_text(), re.MULTILINE
    )
    for name, module in MODULES.items()
}


@pytest.mark.parametrize("name", MODULES)
def test_experiment_when_shown_has_its_command_its_picture_and_its_verdict(name: str) -> None:
    title = TITLES[name]
    assert title is not None
    picture = ROOT / f"docs/experiments/{name}.svg"

    assert f"$ midair-lab experiment {name}\n" in PAGE
    assert f"![{title[1]}](experiments/{name}.svg)" in PAGE
    assert title[1] in [element.text for element in ET.parse(picture).iter()]


def test_pictures_when_listed_are_those_of_the_page() -> None:
    pictures = {path.stem for path in (ROOT / "docs/experiments").iterdir()}

    assert pictures == set(MODULES)


def test_verdicts_when_shown_are_those_of_claims_that_held() -> None:
    verdicts = re.findall(r"^The claim (.*): (\d+) of (\d+)\.$", PAGE, re.MULTILINE)

    assert len(verdicts) == len(MODULES)
    assert all(words == "holds" and held == count for words, held, count in verdicts)
    assert "✗" not in PAGE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:peer|tests)/[\w/.]+?\.py)", PAGE))))
def test_file_when_named_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("test", sorted(set(re.findall(r"`(tests/[\w/.]+\.py::\w+)`", PAGE))))
def test_test_when_named_is_there(test: str) -> None:
    path, _, name = test.partition("::")

    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_links_when_followed_lead_somewhere() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) == anchors


def test_lines_when_counted_fit() -> None:
    # A row of a table, or a link, cannot be broken.
    lines = [line for line in PAGE.splitlines() if not line.startswith("|") and "https" not in line]

    assert [line for line in lines if len(line) > 100] == []
