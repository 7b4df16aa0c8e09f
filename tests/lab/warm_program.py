"""A program for the tests of lab.warm: shows what it was given, ends as it is told."""

from __future__ import annotations

import os
import sys
import time


def main() -> object:
    """Echo arguments, environment and standard input; the first argument says how to end."""
    how = sys.argv[1]
    print("argv", sys.argv[1:], "skew", os.environ.get("MIDAIR_TEST_SKEW_MS"))
    print("clock", int(time.time()))
    print("stdin", sys.stdin.read().strip())
    print("to stderr", file=sys.stderr)
    if how == "sleep":
        sys.stdout.flush()
        time.sleep(600)
    if how == "raise":
        raise RuntimeError("on purpose")
    if how == "exit":
        sys.exit(7)
    return None if how == "return" else int(how)
