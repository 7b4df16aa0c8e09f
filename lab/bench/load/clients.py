"""The load clients as a program: ``python -m lab.bench.load.clients ORDER``, ORDER a JSON object.

::

    {"do": "pair", "target": T, "couples": N, "fresh": false, "warm_up": N, "rounds": N, "each": N}
        prints {"ready": true} after the warm-up; then for each round, which starts when a line
        comes in, {"seconds": S, "whole_ms": […], "appointed_ms": […]}
    {"do": "wait", "target": T, "waiters": N}
        prints {"parked": N}; then reads lines: {"join": N} answers {"woken": N, "lost": […]},
        {"drain": S} waits S seconds at most and answers {"refused": N, "waiting": N, "lost": […]}

T is ``{"http": [HOST, PORT], "reflectors": [[HOST, PORT], …]}``. Exit 1 with a sentence on
standard error if the server does not do its part.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from typing import Any

from lab.bench.load.asking import LoadError
from lab.bench.load.pairing import Couple, Target, Timing
from lab.bench.load.waiters import Crowd

DESCRIPTORS_SPARE = 200
"""Beside one for each waiter: couples, reflector connections, standard streams."""


def main() -> None:
    """Obey the order in the only argument."""
    order = json.loads(sys.argv[1])
    target = Target(
        http=(order["target"]["http"][0], order["target"]["http"][1]),
        reflectors=tuple((host, port) for host, port in order["target"]["reflectors"]),
    )
    # Nothing here is thrown away in circles, and a collection would count as the server's delay.
    gc.disable()
    try:
        if order["do"] == "pair":
            asyncio.run(_pair(order, target))
        else:
            asyncio.run(_wait(order, target))
    except* (LoadError, OSError, TimeoutError) as group:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        sys.exit(f"load client: {type(error).__name__}: {error}")


async def _pair(order: dict[str, Any], target: Target) -> None:
    couples = [Couple(number, target, fresh=order["fresh"]) for number in range(order["couples"])]
    try:
        await _round(couples, order["warm_up"])
        _say(ready=True)
        for _ in range(order["rounds"]):
            await _line()
            began = time.perf_counter()
            timings = await _round(couples, order["each"])
            _say(
                seconds=time.perf_counter() - began,
                whole_ms=[timing.whole_ms for timing in timings],
                appointed_ms=[timing.appointed_ms for timing in timings],
            )
    finally:
        for couple in couples:
            couple.close()


async def _round(couples: list[Couple], count: int) -> list[Timing]:
    """Pair ``count`` times, each couple taking the next turn as soon as it is free."""
    timings: list[Timing] = []
    turns = iter(range(count))

    async def keep_pairing(couple: Couple) -> None:
        for _ in turns:
            timings.append(await couple.pair())

    async with asyncio.TaskGroup() as group:
        for couple in couples:
            group.create_task(keep_pairing(couple))
    return timings


async def _wait(order: dict[str, Any], target: Target) -> None:
    _raise_limit(order["waiters"] + DESCRIPTORS_SPARE)
    crowd = Crowd(target, order["waiters"])
    async with asyncio.TaskGroup() as group:
        await crowd.park(group)
        _say(parked=order["waiters"] - len(crowd.lost), lost=crowd.lost[:3])
        while line := await _line():
            asked = json.loads(line)
            if "join" in asked:
                await crowd.join(asked["join"])
                _say(woken=crowd.woken, polls=crowd.polls, lost=crowd.lost[:3])
            else:
                waiting = crowd.still_waiting
                if waiting:
                    await asyncio.wait(waiting, timeout=asked["drain"])
                left = len(crowd.still_waiting)
                _say(refused=crowd.refused, waiting=left, lost=crowd.lost[:3])
                break
        for task in crowd.still_waiting:
            task.cancel()


def _raise_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))


async def _line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def _say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
