"""Transfers in every closing order: what is told as complete is complete, to the byte.

Forty of them; ``pytest --soak 5 tests/loopback/test_transfers.py`` makes it two hundred, each with
a size and an instant of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.loopback.streams import tcp_pair
from tests.loopback.transfer_end import pattern

PATIENCE_S = 120
LARGEST = 64 * 1024 * 1024
ROOT = Path(__file__).parents[2]
ORDERS = {
    "writer first": ("send-receive", "receive-send", False),
    "reader first": ("receive-send", "send-receive", False),
    "both": ("both", "both", True),
    "half-close": ("send-receive", "receive-send", True),
}
"""How the two ends go about it, and whether the second one sends as much as the first."""


def size() -> int:
    """Up to 64 MiB, as many small ones as large ones."""
    return int(2 ** random.uniform(0, 26)) if random.random() < 0.95 else LARGEST


class Ends:
    """Two processes with one connection."""

    def __init__(self, orders: tuple[str, str], sizes: tuple[int, int]) -> None:
        """Start them."""
        socks = tcp_pair()
        self.sizes = sizes
        self.processes = []
        for sock, role, order, length in zip(
            socks, ("initiator", "responder"), orders, sizes, strict=True
        ):
            line = [sys.executable, "-m", "tests.loopback.transfer_end"]
            line += [str(sock.fileno()), role, order, str(length)]
            self.processes.append(
                subprocess.Popen(
                    line, cwd=ROOT, pass_fds=[sock.fileno()], text=True, stdout=subprocess.PIPE
                )
            )
        for sock in socks:
            sock.close()

    def results(self, already: str = "") -> list[list[str]]:
        """Wait for both; the lines that each one printed.

        Args:
            already: read from the second one.
        """
        try:
            texts = [process.communicate(timeout=PATIENCE_S)[0] for process in self.processes]
            return [texts[0].splitlines(), (already + texts[1]).splitlines()]
        finally:
            for process in self.processes:
                process.kill()
                process.wait()


def check_whole(line: str, role: str, length: int) -> None:
    """Check that what an end calls complete is all that the far one, of this role, sent."""
    told = json.loads(line)
    assert told["complete"]
    assert told["received"] == length
    assert told["sha"] == hashlib.sha256(pattern(role, length)).hexdigest()


@pytest.mark.parametrize("time_again", range(6))
@pytest.mark.parametrize("order", ORDERS)
def test_transfer_in_any_closing_order_is_complete_at_both_ends(
    order: str, time_again: int
) -> None:
    one, other, duplex = ORDERS[order]
    length = size()
    sizes = (length, length if duplex else 0)
    if order == "half-close":
        sizes = (length, size())
    if order == "reader first":
        sizes = (0, length)
    a, b = Ends((one, other), sizes).results()
    check_whole(a[-1], "responder", sizes[1])
    check_whole(b[-1], "initiator", sizes[0])


@pytest.mark.parametrize("time_again", range(8))
@pytest.mark.parametrize("killed", [0, 1], ids=["writer killed", "reader killed"])
def test_transfer_when_an_end_is_killed_is_never_called_complete_in_part(
    killed: int, time_again: int
) -> None:
    length = size()
    ends = Ends(("send-receive", "receive-send"), (length, 0))
    reader = ends.processes[1]
    if random.random() < 0.8:
        assert reader.stdout is not None
        # In the midst of it. Past the file object: communicate() does not know what that has read.
        first = os.read(reader.stdout.fileno(), 1 << 16).decode()
        time.sleep(random.uniform(0, 0.05))
    else:
        first = ""
        time.sleep(random.uniform(0, 0.5))
    ends.processes[killed].kill()
    lines = ends.results(already=first)
    survivor = lines[1 - killed][-1]
    if not json.loads(survivor)["complete"]:
        return
    if killed == 0:
        check_whole(survivor, "initiator", length)
    else:
        counts = [int(line) for line in lines[1] if line.isdigit()]
        assert max(counts) == length  # the killed reader had it all before it said so
