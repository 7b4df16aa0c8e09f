"""The example of docs/in-your-ci.md works, and fails where it should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.project import ROOT, Project

PAGE = (ROOT / "docs/in-your-ci.md").read_text()


def files() -> dict[str, str]:
    """Return the example's files by name: each stands in a block after its name."""
    return dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def example(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Write the example into a folder; the router's image is there, `project` has built it."""
    folder = tmp_path_factory.mktemp("example")
    for name, text in files().items():
        (folder / name).write_text(text)
    example = Project("midair-example", [folder / "compose.yaml"])
    yield example
    example.down()


def shown() -> tuple[list[str], list[str]]:
    """Return the words of the command that the page shows, and the lines it prints there."""
    block = re.search(r"^\$ docker compose (.*)\n…\n((?:.*\n)+?)```", PAGE, re.MULTILINE)
    assert block
    return block[1].split(), block[2].splitlines()


def test_example_when_run_as_the_page_says_prints_what_the_page_says(example: Project) -> None:
    words, lines = shown()
    went = example.up(*words)
    assert went.exit_code == 0, went.output
    assert [line for line in lines if line not in went.output.splitlines()] == []


def test_example_when_the_network_is_another_fails(example: Project) -> None:
    went = example.up(*shown()[0], LOSS="100")
    assert went.exit_code == 1, went.output
    # The router's question for the server's hardware address may be lost, too, and it says so.
    assert re.search("TimeoutError|No route to host", went.said("client")), went.output


def test_second_file_when_added_to_our_own_fits(project: Project, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    mine.write_text(files()["mine.yml"])
    both = Project("midair-test", [ROOT / "docker-compose.yml", mine])
    assert "mine" in both.run("config", "--services").stdout.split()


def test_router_when_described_has_a_row_for_each_variable() -> None:
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    script = (ROOT / "deploy/router/entrypoint.sh").read_text()
    names = re.findall(r"^#   ([A-Z_]+(?:, [A-Z_]+)*)  ", script, re.MULTILINE)
    assert rows == {name for line in names for name in line.split(", ")}
