"""Full collections come after so many closed connections, and at no other time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from rendezvous.garbage import NEVER, Collector


class Circle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def old_circle() -> weakref.ref[Circle]:
    circle = Circle()
    gc.collect()
    return weakref.ref(circle)


def test_garbage_that_has_grown_old_when_enough_is_closed_is_freed() -> None:
    collector = Collector(closings=3)
    collector.begin()
    circle = old_circle()
    for _ in range(2):
        collector.closed()
    assert circle() is not None
    collector.closed()
    assert circle() is None


def test_closings_when_collected_are_counted_anew() -> None:
    collector = Collector(closings=2)
    collector.begin()
    collector.closed()
    collector.closed()
    circle = old_circle()
    collector.closed()
    assert circle() is not None
    collector.closed()
    assert circle() is None


def test_everything_when_the_server_begins_is_left_to_it() -> None:
    Collector().begin()
    assert gc.get_threshold()[1:] == (NEVER, NEVER)
    assert gc.get_freeze_count() > 0


async def test_transport_when_closed_is_freed_by_a_collection() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    transport = weakref.ref(writer.transport)
    await reader.read()
    writer.close()
    await writer.wait_closed()
    server.close()
    del reader, writer
    Collector(closings=1).closed()
    assert transport() is None
