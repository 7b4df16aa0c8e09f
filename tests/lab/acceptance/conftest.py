"""A living scenario for each module: two NATs, 20 ms one way, the peers' clocks 44.7 s apart."""

from __future__ import annotations

import pytest

from lab.bench.stage import set_routers
from lab.scenario import Scenario
from lab.topology import RouterSpec


@pytest.fixture
def scenario(module_scenario: Scenario) -> Scenario:
    """Give a test the module's scenario with routers that preserve ports and answer RST."""
    set_routers(module_scenario.world, RouterSpec(), RouterSpec())
    return module_scenario
