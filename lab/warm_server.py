"""The inside of :mod:`lab.warm`: imports a console script once, then forks for every run of it.

Started as ``python -m lab.warm_server FD PROGRAM MODULE…``. FD is a SOCK_SEQPACKET socket; each
packet is one JSON object::

    to us      {"argv": […], "environment": {…}}  with three descriptors: stdin, stdout, stderr
               {"kill": PID, "signal": N}
    from us    {"ready": true} or {"error": TEXT}, once
               {"pid": PID}                       the answer to a run
               {"pid": PID, "exit": CODE}         when it is over
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.metadata
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, cast

MAX_MESSAGE = 65536
_PR_SET_PDEATHSIG = 1
"""<linux/prctl.h>."""


def load(program: str) -> Callable[[], object]:
    """Import a program: the name of a console script, or ``module:function``.

    Raises:
        LookupError: no such console script is installed.
    """
    if ":" in program:
        module, _, name = program.partition(":")
        return cast("Callable[[], object]", getattr(importlib.import_module(module), name))
    scripts = importlib.metadata.entry_points(group="console_scripts", name=program)
    for script in scripts:
        return cast("Callable[[], object]", script.load())
    raise LookupError(f"no console script {program!r} is installed")


def _exit_code(result: object) -> int:
    """Do with what a program returned, or passed to sys.exit(), what Python does."""
    if result is None:
        return 0
    if isinstance(result, int):
        return result & 0xFF
    print(result, file=sys.stderr)
    return 1


def _own_pages() -> None:
    """Copy now what the program would copy page by page, as it first uses each object.

    A program that has imported its modules itself has its pages. To a fork each costs a fault, in
    the guest 30 µs, and thousands of them would be measured as the program's own time: sessions
    there took half as long again as those of programs that were started anew.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _become(
    main: Callable[[], object], program: str, order: dict[str, Any], streams: list[int]
) -> NoReturn:
    """Be a program that has just been started, in a forked child; never returns."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        for target, descriptor in enumerate(streams):
            os.dup2(descriptor, target)
        os.closerange(3, max(streams) + 1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(order["environment"])
        sys.argv = [program, *order["argv"]]
        _own_pages()
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  (the program's for its whole life)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        try:
            code = _exit_code(main())
        except SystemExit as end:
            code = _exit_code(end.code)
        except KeyboardInterrupt:
            code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


class _Server:
    def __init__(self, control: socket.socket, program: str, main: Callable[[], object]) -> None:
        self._control = control
        self._program = program
        self._main = main
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, int] = {}
        """pidfd → pid."""

    def serve(self) -> None:
        """Obey until the other end closes its socket."""
        self._selector.register(self._control, selectors.EVENT_READ)
        self._send({"ready": True})
        while True:
            for key, _ in self._selector.select():
                if key.fd != self._control.fileno():
                    self._reap(key.fd)
                elif not self._obey():
                    return

    def _send(self, message: dict[str, object]) -> None:
        self._control.send(json.dumps(message).encode())

    def _obey(self) -> bool:
        data, streams, _, _ = socket.recv_fds(self._control, MAX_MESSAGE, 3)
        if not data:
            return False
        order = json.loads(data)
        if "kill" in order:
            # Children are reaped here only, so that the number still means the same process.
            if order["kill"] in self._children.values():
                os.kill(order["kill"], order["signal"])
            return True
        child = os.fork()
        if child == 0:
            self._control.close()
            _become(self._main, self._program, order, streams)
        for stream in streams:
            os.close(stream)
        handle = os.pidfd_open(child)
        self._children[handle] = child
        self._selector.register(handle, selectors.EVENT_READ)
        self._send({"pid": child})
        return True

    def _reap(self, handle: int) -> None:
        child = self._children.pop(handle)
        self._selector.unregister(handle)
        os.close(handle)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self._send({"pid": child, "exit": status if status >= 0 else 128 - status})


def main() -> None:
    """Import, say so, and serve."""
    descriptor, program, *preload = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    control.set_inheritable(False)
    try:
        entry = load(program)
        for module in preload:
            importlib.import_module(module)
    except Exception as error:
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    # What is here now is never garbage, and is shared with the children as long as untouched.
    gc.collect()
    gc.freeze()
    # Killed by the lab as a group; a Ctrl-C at the terminal is the lab's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Server(control, program, entry).serve()


if __name__ == "__main__":
    main()
