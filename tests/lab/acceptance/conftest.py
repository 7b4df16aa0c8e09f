"""A living scenario for each module: two NATs, 20 ms one way, the peers' clocks 44.7 s apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.bench.sections import options
from lab.bench.stage import set_routers, staged
from lab.scenario import Scenario
from lab.topology import RouterSpec


@pytest.fixture(scope="module")
def module_scenario() -> Iterator[Scenario]:
    """Build it."""
    with staged(options()) as ready:
        yield ready


@pytest.fixture
def scenario(module_scenario: Scenario) -> Scenario:
    """Give a test the module's scenario with routers that preserve ports and answer RST."""
    set_routers(module_scenario.world, RouterSpec(), RouterSpec())
    return module_scenario
