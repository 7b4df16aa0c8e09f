"""What a running session looks for on the disk: nothing, from the partner's coming on."""

from __future__ import annotations

from pathlib import Path

from tests.loopback.programs import finish_both, pair, rendezvous

WATCH = """
import os, sys
from peer import tell

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        with open(os.environ["LOOKED_FOR"], "a") as file:
            print(name, file=file)

def watched(self, event, original=tell.Tellers.__call__):
    if event.event == "paired":
        open(os.environ["LOOKED_FOR"], "a").close()
        sys.meta_path.insert(0, Finder)
    if event.event == "connected":
        sys.meta_path.remove(Finder)
    original(self, event)

tell.Tellers.__call__ = watched
"""
"""Runs in each peer before its program does."""


def test_session_from_the_partner_s_coming_to_the_connection_looks_for_no_module(
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    looked_for = tmp_path / "looked-for"
    env = {"PYTHONPATH": str(tmp_path), "LOOKED_FOR": str(looked_for)}
    with rendezvous() as url, pair(url, env=env) as (one, other):
        ends = finish_both(one, other)
    assert ends == ((0, b""), (0, b""))
    assert looked_for.read_text() == ""
