"""A living scenario for each module of faults: two NATs that answer RST, 20 ms one way."""

from __future__ import annotations

import pytest

from lab.bench.sections import DELAY_MS
from lab.bench.stage import set_routers
from lab.scenario import Scenario
from lab.topology import SIDES, AccessSpec, LinkSpec, RouterSpec

ACCESS = AccessSpec.half_of(LinkSpec(delay_ms=DELAY_MS))


@pytest.fixture
def scenario(module_scenario: Scenario) -> Scenario:
    """Give a test the module's scenario with whole links, whatever the test before did to them."""
    world = module_scenario.world
    set_routers(world, RouterSpec(), RouterSpec())
    for side in SIDES:
        if world.spec.side(side).access != ACCESS:
            world.set_access(side, ACCESS)
    return module_scenario
