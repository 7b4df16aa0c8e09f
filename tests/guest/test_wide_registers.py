"""Processors with more registers than the guest's kernel knows; proven on any processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import wide_registers
from lab.guest import run_in_guest

# hashlib lets the threads run at once, and computes in vector registers.
_THREADS_HASH = """
import hashlib, sys, threading
data = [bytes([n]) * 200_000 for n in range(4)]
right = [hashlib.blake2b(piece).hexdigest() for piece in data]
wrong = []
def work(n):
    for _ in range(100):
        if hashlib.blake2b(data[n]).hexdigest() != right[n]:
            wrong.append(n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(len(wrong))
"""


def test_guest_with_help_for_wide_registers_keeps_each_thread_s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wide_registers, "are_wider_than_known", lambda: True)

    assert run_in_guest(["python3", "-c", _THREADS_HASH]) == 0


def test_guest_that_needs_a_compiler_and_finds_none_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wide_registers, "are_wider_than_known", lambda: True)
    monkeypatch.setattr(wide_registers, "compiler", lambda: None)

    assert run_in_guest(["true"]) == 2
    assert "apt-get install tcc" in capfd.readouterr().err


def test_preload_when_the_kernel_has_room_is_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wide_registers, "are_wider_than_known", lambda: False)

    assert wide_registers.preload(tmp_path) == {}
