"""Standard input and output that break, and a disk that is full: the exit code tells the truth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.loopback.faults.peer.manners import Talk
from tests.loopback.faults.peer.partner import partner, playing
from tests.loopback.faults.peer.process import ended, event, failure, happened
from tests.loopback.programs import BIN, NO_NTP, PATIENCE_S, Peer
from tests.loopback.streams import reset, tcp_pair

BROKE = "the connection broke: aborted here: "
FULL_TEXT = "No space left on device"


async def test_output_when_its_reader_has_gone_breaks_the_connection_in_words(url: str) -> None:
    true = Talk(b"nobody reads this")
    async with partner(url, {0: true}) as played:
        with Peer("listen", "--json", url=url) as one:
            assert one.process.stdout is not None
            one.process.stdout.close()
            one.process.stdout = None
            await played.join((await event(one, "code"))["code"])
            async with playing(played):
                await event(one, "failed")
                one.process.wait(PATIENCE_S)
                await true.over.wait()
            assert one.process.returncode == 1
            assert failure(one) == ("broken", f"{BROKE}standard output: Broken pipe")
            assert happened(one.events)[-2] == "closed"
    assert true.broken == "the partner aborted: standard output: Broken pipe"


@pytest.fixture
def full_disk() -> Iterator[int]:
    """A descriptor that nothing can be written to."""
    with open("/dev/full", "wb") as file:
        yield file.fileno()


@contextlib.contextmanager
def connector(code: str, url: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a connector with streams that are no pipes of ours."""
    words = ("connect", code, "--json", "--rendezvous", url, "--ntp", NO_NTP)
    with subprocess.Popen([BIN / "midair", *words], stderr=subprocess.PIPE, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


async def last_of(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a process; return its last event."""
    _, said = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    return cast(dict[str, Any], json.loads(said.splitlines()[-1]))


async def test_output_when_the_disk_is_full_breaks_the_connection_in_words(
    url: str, full_disk: int
) -> None:
    true = Talk(b"more than fits")
    async with partner(url, {0: true}) as played:
        streams = {"stdin": subprocess.DEVNULL, "stdout": full_disk}
        with connector(await played.open(), url, **streams) as process:
            await played.wait()
            async with playing(played):
                last = await last_of(process)
                await true.over.wait()
    assert (process.returncode, last["exit"]) == (1, 1)
    assert last["message"] == f"{BROKE}standard output: {FULL_TEXT}"
    assert true.broken == f"the partner aborted: standard output: {FULL_TEXT}"


async def test_output_when_the_disk_is_full_and_nothing_comes_is_no_fault(
    url: str, full_disk: int
) -> None:
    true = Talk()
    async with partner(url, {0: true}) as played:
        streams = {"stdin": subprocess.DEVNULL, "stdout": full_disk}
        with connector(await played.open(), url, **streams) as process:
            await played.wait()
            async with playing(played):
                assert (await last_of(process))["event"] == "closed"
    assert process.returncode == 0


async def test_input_when_it_cannot_be_read_breaks_the_connection_in_words(url: str) -> None:
    true = Talk(b"still listening")
    near, far = tcp_pair()
    with near:
        reset(far)
        async with partner(url, {0: true}) as played:
            with connector(
                await played.open(), url, stdin=near, stdout=subprocess.DEVNULL
            ) as process:
                await played.wait()
                async with playing(played):
                    last = await last_of(process)
                    await true.over.wait()
    assert process.returncode == 1
    assert last["message"] == f"{BROKE}standard input: Connection reset by peer"
    assert true.broken == "the partner aborted: standard input: Connection reset by peer"


async def test_input_when_closed_at_once_ends_one_direction_only(url: str) -> None:
    true = Talk(b"the other goes on")
    async with partner(url, {0: true}) as played:
        with Peer("listen", "--json", url=url) as one:
            one.end_input()
            await played.join((await event(one, "code"))["code"])
            async with playing(played):
                assert await ended(one) == (0, b"the other goes on")
                await true.over.wait()
    assert (true.heard, true.broken) == (b"", None)


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "words"])
async def test_trace_when_the_disk_is_full_is_given_up_and_nothing_else(
    url: str, as_json: bool
) -> None:
    true = Talk(b"all of it")
    words = ("--json",) if as_json else ()
    async with partner(url, {0: true}) as played:
        code = await played.open()
        with Peer("connect", code, *words, "--trace", "/dev/full", url=url) as one:
            await played.wait()
            async with playing(played):
                assert await ended(one, b"mine") == (0, b"all of it")
            said = f"the trace /dev/full is not written any more: {FULL_TEXT}"
            assert one.said.count("not written any more") == 1
            if as_json:
                # Every line is JSON, the warning too.
                events = [json.loads(line) for line in one.said.splitlines()]
                assert happened(events)[:3] == ["paired", "warning", "clock"]
                assert events[1]["message"] == said
            else:
                assert f"midair: {said}\n" in one.said


async def test_trace_when_it_is_a_folder_ends_with_2_before_anything(
    url: str, tmp_path: Path
) -> None:
    with Peer("listen", "--json", "--trace", str(tmp_path), url=url) as one:
        assert await ended(one) == (2, b"")
        assert happened(one.events) == ["failed"]
        message = f"the trace cannot be written to {tmp_path}: Is a directory"
        assert failure(one) == ("usage", message)
