"""Keep one command running: start it, start it again when it ends, end it when told to.

Dask workers and their nannies leave with code 0 when the scheduler dies, and do not come back; a killed
scheduler does not either. This loop is the smallest thing that brings them back. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between restarts: doubles each time
SETTLED = 60.0  # a command that ran this long was healthy: its pauses start again from the first
GRACE = 8.0  # seconds a command has to end by itself
LAST_RITES = 2.0  # seconds its children have after it


class _Stopped(BaseException):
    """Raised by the signal handler; nothing catches it by accident."""


def _status(pid: int | str) -> list[str]:
    """Fields of a living process from its state on (see man 5 proc); empty if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [] if fields[0] in "ZX" else fields


def start_time(pid: int) -> str:
    """Say when a process began, in the kernel's ticks; empty if it is gone.

    Together with the pid this names one process for good: pids are used again, and a pid file may be old.
    """
    fields = _status(pid)
    return fields[19] if fields else ""


def group_lives(group: int) -> bool:
    """Say whether a process group has a living member; the kernel's own answer counts zombies."""
    numbers = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return any(_status(number)[2:3] == [str(group)] for number in numbers)


def write_pid(path: Path, pid: int) -> None:
    """Record a process; readers never see half of it."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(f"{pid} {start_time(pid)}\n")
    partial.replace(path)


def read_pid(path: Path) -> int | None:
    """Pid in a pid file, if that very process is still alive."""
    try:
        pid, _, began = path.read_text().strip().partition(" ")
        alive = start_time(int(pid)) == began != ""
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if alive else None


def _raise_stopped(_signal: int, _frame: FrameType | None) -> None:
    raise _Stopped


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back while a process exists that no variable knows yet."""
    caught = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, caught)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started: politely first, then its whole session."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    # What it started notices by itself and tidies up, shared memory for one: a moment for that, then no more.
    # The command leads a session of its own, so the group holds nobody else.
    deadline = time.monotonic() + LAST_RITES
    while group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def keep_running(name: str, folder: Path, command: list[str]) -> None:
    """Run the command again and again until SIGTERM."""
    child_file = folder / f"{name}.child.pid"
    pause = FIRST_PAUSE
    process: subprocess.Popen[bytes] | None = None
    try:
        while True:
            began = time.monotonic()
            with _signals_held():
                # The child must not inherit the held signals, or it could not be ended politely
                process = subprocess.Popen(
                    [sys.executable, "-c", _UNBLOCK, *command],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
                write_pid(child_file, process.pid)
            _say(name, f"started as {process.pid}")
            code = process.wait()
            end(process)  # a killed nanny may leave its worker behind for a moment
            lasted = time.monotonic() - began
            pause = FIRST_PAUSE if lasted > SETTLED else pause
            _say(name, f"ended with code {code} after {lasted:.1f} s; again in {pause:g} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    except _Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if process is not None:
            end(process)
        _say(name, "stopped")
    finally:
        child_file.unlink(missing_ok=True)


_UNBLOCK = (
    "import os, signal, sys; "
    "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT}); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def _say(name: str, text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} supervise {name}: {text}", flush=True)


def main() -> int:
    """Parse the command line; detach if asked; loop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where pid files and the log go")
    parser.add_argument("--name", required=True, help="what the files are called")
    parser.add_argument("--config", help="file or folder for DASK_CONFIG")
    parser.add_argument("--detach", action="store_true", help="return at once, leave the loop running")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- command and its arguments")
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("there is no command to run")
    options.folder.mkdir(parents=True, exist_ok=True)
    pid_file = options.folder / f"{options.name}.pid"
    running = read_pid(pid_file)
    if running is not None and running != os.getpid():  # the detaching parent writes ours before we can
        print(f"{options.name} is already supervised, by process {running}", file=sys.stderr)
        return 1
    if options.detach:
        again = [argument for argument in sys.argv[1:] if argument != "--detach"]
        with (options.folder / f"{options.name}.log").open("ab") as log:
            loop = subprocess.Popen(
                [sys.executable, __file__, *again],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        write_pid(pid_file, loop.pid)  # before anyone can ask to stop it
        return 0
    signal.signal(signal.SIGTERM, _raise_stopped)
    signal.signal(signal.SIGINT, _raise_stopped)
    if options.config:
        os.environ["DASK_CONFIG"] = options.config
    write_pid(pid_file, os.getpid())
    try:
        keep_running(options.name, options.folder, command)
    except _Stopped:  # told to stop before the loop began
        pass
    finally:
        pid_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
