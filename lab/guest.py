"""A guest: a user-mode Linux kernel for hosts whose own kernel has no netem.

Runs one command under Debian's ``user-mode-linux`` with the host's file system as its root, and
passes its standard output, standard error and exit code through. Not a sandbox: the command may
write whatever the caller may write.

Theory of operation
    The guest's serial lines are pipes of ours::

        console  kernel messages, kept for the error message only
        ttyS1    the command's standard output
        ttyS2    the command's standard error
        ttyS3    control: "booted", then "exit N"

    Files would not do: hostfs writes them back late. The kernel runs as init of a PID namespace
    whose parent dies with us (PR_SET_PDEATHSIG), so that nothing of it outlives this process,
    however that ends.

Reference: https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html
"""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import system, wide_registers
from lab.interrupt import Interrupted, signals_raise

DEFAULT_MEMORY = "3G"
_LINUX = "/usr/bin/linux.uml"
_INIT = Path(__file__).with_name("guest_init.sh")
_CONSOLE_LINES = 40
_EXIT_GRACE_S = 5.0
"""How long a guest that said "exit" may take to halt; measured: 0.1 s."""
_MEMORY_HEADROOM = 2
"""/dev/shm is used for the guest's memory only with this many times its size free."""

EXIT_NO_GUEST = 2


class GuestError(Exception):
    """The guest did not boot, or died under its command; the text holds its last console lines."""


def this_command(arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs ``midair-lab`` with these arguments in a guest.

    By this interpreter and from this very installation, whatever lies in the current folder.
    """
    root = Path(__file__).resolve().parents[1]
    start = f"import sys; sys.path.insert(0, {str(root)!r}); from lab.cli import main; main()"
    return [sys.executable, "-P", "-c", start, *arguments]


def has_netem() -> bool:
    """Tell whether this kernel can delay packets, by trying it in a namespace of its own."""
    trial = ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    return system.succeeds(trial) or (
        system.succeeds(["modprobe", "-q", "sch_netem"]) and system.succeeds(trial)
    )


def run_in_guest(
    argv: Sequence[str],
    *,
    memory: str = DEFAULT_MEMORY,
    disk: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a command in a guest, its output going to this process's descriptors 1 and 2.

    Args:
        argv: the command and its arguments; looked up in PATH inside the guest.
        memory: size of the guest's memory, as the kernel's ``mem=`` takes it.
        disk: a file that the guest has as its disk ``/dev/ubda``, which nobody mounts by itself.
        environment: the command's environment; this process's own when absent.

    Returns:
        The command's exit code (128 + n when signal n ended it); 2, with the console's last lines
        on standard error, when the guest failed; 130 or 143 after SIGINT or SIGTERM; 141
        when nobody reads the output any more.
    """
    given = dict(os.environ if environment is None else environment)
    _sweep()
    with tempfile.TemporaryDirectory(prefix=f"midair-guest-{os.getpid()}-") as folder:
        directory = Path(folder)
        _write_settings(directory, argv, given)
        try:
            with signals_raise():
                return _boot(directory, memory, disk)
        except Interrupted as interrupted:
            return interrupted.exit_code
        except BrokenPipeError:
            # Nobody reads our output any more: end as a program does that SIGPIPE kills.
            return 128 + signal.SIGPIPE
        except (GuestError, wide_registers.NoCompilerError, OSError) as error:
            print(f"midair-lab: {error}", file=sys.stderr)
            return EXIT_NO_GUEST


def _sweep() -> None:
    """Remove the folders of guests whose program was killed with -9."""
    for folder in Path(tempfile.gettempdir()).glob("midair-guest-*-*"):
        if not Path("/proc", folder.name.split("-")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _write_settings(directory: Path, argv: Sequence[str], environment: dict[str, str]) -> None:
    """Leave what the init script needs where it finds it: the kernel's command line is short."""
    environment |= {
        system.GUEST_MARK: "1",
        "PATH": system.search_path(),
        "TMPDIR": "/run/tmp",  # the guest's own; hostfs is slow and is the host's
        # A guest that is killed may leave half-written files: no .pyc may be among them.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    entries = [f"{name}={value}" for name, value in environment.items()]
    for name, items in (("environment", entries), ("argv", argv), ("cwd", [os.getcwd()])):
        (directory / name).write_bytes(b"".join(os.fsencode(item) + b"\0" for item in items))
    size = shutil.get_terminal_size()
    (directory / "settings").write_text(
        f"rows={size.lines} columns={size.columns} "
        f"out_tty={os.isatty(1):d} err_tty={os.isatty(2):d}\n"
    )
    init = directory / "init"
    shutil.copyfile(_INIT, init)
    init.chmod(0o755)


@dataclass
class _Guest:
    """What is known of a running guest."""

    process: subprocess.Popen[bytes]
    lines: dict[int, str]
    """The read ends of our pipes, by what they carry."""
    console: collections.deque[bytes] = field(
        default_factory=lambda: collections.deque(maxlen=_CONSOLE_LINES)
    )
    control: bytearray = field(default_factory=bytearray)

    def exit_code(self) -> int | None:
        """Return what the guest said at its end, if it did."""
        for line in self.control.decode(errors="replace").splitlines():
            word, _, number = line.partition(" ")
            if word == "exit" and number.isdigit():
                return int(number)
        return None

    def complaint(self) -> str:
        """Say what went wrong, from what the guest left on its console."""
        booted = b"booted" in self.control
        head = "the guest died under its command" if booted else "the guest did not boot"
        text = b"".join(self.console) + bytes(self.control)
        tail = text.decode(errors="replace").splitlines()[-_CONSOLE_LINES:]
        return "\n  ".join([f"{head}; its last words:", *filter(None, map(str.strip, tail))])


def _command(directory: Path, memory: str, disk: Path | None, ends: Mapping[str, int]) -> list[str]:
    linux = system.find("linux.uml") or _LINUX
    wrap = ["setpriv", "--pdeathsig", "KILL"]
    # No /proc of its own: a chroot, whose root is no mount point, could not have one.
    namespace = ["unshare", "--pid", "--fork", "--kill-child"]
    # Inside a container the namespace may be refused: then the process group has to do.
    if system.succeeds([*namespace, "true"]):
        # A shell as its first process: that one ignores abort(), which ends a kernel in panic.
        wrap += [*namespace, "sh", "-c", '"$@"; exit $?', "sh"]
    return [
        *wrap,
        linux,
        f"mem={memory}",
        *("rootfstype=hostfs", "rootflags=/", "rw", f"init={directory}/init"),
        *("con=null", "ssl=null", f"con0=null,fd:{ends['console']}"),
        f"ssl1=null,fd:{ends['stdout']}",
        f"ssl2=null,fd:{ends['stderr']}",
        f"ssl3=null,fd:{ends['control']}",
        f"uml_dir={directory}",
        f"midair_guest={directory}",
        *([] if disk is None else [f"ubd0={disk}"]),
        "quiet",
    ]


def _boot(directory: Path, memory: str, disk: Path | None) -> int:
    ends: dict[str, int] = {}
    lines: dict[int, str] = {}
    for name in ("console", "stdout", "stderr", "control"):
        reader, ends[name] = os.pipe()
        lines[reader] = name
    log = (directory / "kernel.log").open("wb")
    process = None
    try:
        process = subprocess.Popen(
            _command(directory, memory, disk, ends),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=tuple(ends.values()),
            start_new_session=True,
            env=system.environment(
                TMPDIR=_memory_folder(directory, memory), **wide_registers.preload(directory)
            ),
        )
        for end in ends.values():
            os.close(end)
        ends.clear()
        guest = _Guest(process, lines)
        code = _pump(guest)
        if code is None:
            guest.console.extendleft([(directory / "kernel.log").read_bytes()[-4000:]])
            raise GuestError(guest.complaint())
        return code
    finally:
        log.close()
        for end in (*ends.values(), *lines):
            os.close(end)
        if process is not None:
            _end(process)


def _pump(guest: _Guest) -> int | None:
    """Pass output on until every line is closed or the guest said "exit"; return its code."""
    sinks = {"stdout": 1, "stderr": 2}
    with selectors.DefaultSelector() as selector:
        for reader in guest.lines:
            selector.register(reader, selectors.EVENT_READ)
        while selector.get_map():
            # After "exit" what is in the pipes is read, and no more waited for.
            ready = selector.select(0.0 if guest.exit_code() is not None else None)
            if not ready:
                break
            for key, _ in ready:
                reader = key.fd
                data = os.read(reader, 65536)
                name = guest.lines[reader]
                if not data:
                    selector.unregister(reader)
                elif name in sinks:
                    _write_all(sinks[name], data)
                elif name == "control":
                    guest.control += data
                else:
                    guest.console.append(data)
    return guest.exit_code()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a guest that is halting, then kill whatever is left of it."""
    try:
        process.wait(_EXIT_GRACE_S if sys.exc_info()[0] is None else 0)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _memory_folder(directory: Path, memory: str) -> str:
    """Choose where the guest's memory lies: with a small /dev/shm it would panic half-way."""
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    size = int(memory[:-1]) * units[memory[-1].upper()]
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        free = 0
    return "/dev/shm" if free >= _MEMORY_HEADROOM * size else str(directory)
