"""These tests need an engine: ``make compose-test`` brings one. Without it they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.project import FIRST_UP, Project, Went


@pytest.fixture(scope="session")
def first() -> Iterator[tuple[Project, Went]]:
    """Build the images and bring all up, as people do; leave nothing behind but the images."""
    if subprocess.run(["docker", "compose", "version"], check=False).returncode != 0:
        pytest.fail("docker compose is missing: run make compose-test", pytrace=False)
    project = Project("midair-test")
    project.down()
    yield project, project.up(*FIRST_UP)
    project.down()


@pytest.fixture(scope="session")
def project(first: tuple[Project, Went]) -> Project:
    """Give the project whose images are built."""
    return first[0]
