"""The project's own promises: versions, commands, contracts and what a clone must contain."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from lab.router import SCRIPT

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
LOCKED = {path.stem: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
SCRIPTS = [
    "deploy/setup.sh",
    "deploy/venv.sh",
    "deploy/resolve.sh",
    "deploy/bare-debian.sh",
    "deploy/cache.sh",
    "deploy/mirror.sh",
    "deploy/wheels.sh",
    "deploy/with-docker.sh",
    "deploy/base/make.sh",
    "deploy/engine/fetch.sh",
    "deploy/engine/run.sh",
    "deploy/peer/entrypoint.sh",
    "deploy/router/entrypoint.sh",
    ".ci/run",
]


def requirements() -> list[str]:
    """Return every requirement of the project, those of the extras included."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    found = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return [line for line in found if not line.startswith("midair")]


def pins(text: str) -> list[tuple[str, str]]:
    """Return (name, version) of every line that pins one."""
    return re.findall(r"^([a-z][^ =]*)==([^ \n]+)", text, re.MULTILINE)


@pytest.mark.parametrize("requirement", requirements())
def test_requirement_when_declared_is_bounded_on_both_sides(requirement: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+>=[\d.]+,<[\d.]+", requirement)


@pytest.mark.parametrize("requirement", requirements())
def test_requirement_when_declared_is_pinned_in_the_constraints(requirement: str) -> None:
    name = re.split(r"[>=<]", requirement)[0]

    assert re.search(rf"^{re.escape(name)}==", CONSTRAINTS, re.MULTILINE)


@pytest.mark.parametrize("locked", LOCKED.values(), ids=LOCKED)
def test_locked_requirement_when_resolved_carries_hashes(locked: str) -> None:
    hashed = re.findall(r"^[a-z].* \\\n    --hash=sha256:", locked, re.MULTILINE)

    assert len(hashed) == len(pins(locked)) > 0


def test_locked_requirements_when_resolved_have_the_versions_of_the_constraints() -> None:
    # The rivals have an environment of their own.
    locked = {pin for name, text in LOCKED.items() if name != "rivals" for pin in pins(text)}

    assert set(LOCKED) == {"bench", "dev", "rivals"}
    assert locked == set(pins(CONSTRAINTS))


@pytest.mark.parametrize("text", [CONSTRAINTS, *LOCKED.values()], ids=["constraints", *LOCKED])
def test_versions_when_resolved_name_no_index_and_no_folder(text: str) -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links|file:| @ ", text)


def test_commands_when_installed_are_the_documented_three() -> None:
    commands = {
        entry.name: entry.value
        for entry in metadata.distribution("midair").entry_points
        if entry.group == "console_scripts"
    }

    assert commands == {
        "midair": "peer.cli:main",
        "midair-rendezvous": "rendezvous.cli:main",
        "midair-lab": "lab.cli:main",
    }


def test_changelog_when_released_names_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert "## [Unreleased]" in changelog or f"## [{PYPROJECT['project']['version']}]" in changelog


@pytest.mark.parametrize("package", ["rendezvous", "peer", "lab"])
def test_package_when_installed_is_marked_as_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("verdict", ["skip", "module"])
def test_skip_when_in_ci_fails_the_run(verdict: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    whole_module = ", allow_module_level=True" if verdict == "module" else ""
    indent = "" if verdict == "module" else "def test_it():\n    "
    # The text of another test, which is skipped so that its run fails: nothing steps aside here.
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n\n{indent}pytest.skip('no'{whole_module})\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]

    run = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, env={"CI": "true"}, check=False
    )

    assert run.returncode != 0
    assert "skipped in CI" in run.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_when_parsed_has_no_syntax_error(script: str) -> None:
    path = ROOT / script
    shell = path.read_text().splitlines()[0].removeprefix("#!").split()[-1]

    assert path.stat().st_mode & 0o111
    subprocess.run([shell, "-n", str(path)], check=True)


def test_router_script_when_run_by_the_lab_is_the_one_that_compose_uses() -> None:
    packaged = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert ROOT / "deploy/router/router.sh" == SCRIPT
    assert packaged == {"deploy/router/router.sh": "lab/router.sh"}
