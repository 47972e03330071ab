"""Stop what start.py started, by the pid files of its run directory: ``stop.py RUN_DIRECTORY``."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from supervise import GRACE, read_pid

PATIENCE = 2 * GRACE + 4  # seconds: the loop's own grace for its command, and some for itself
LOCAL = ("localhost", "127.0.0.1", "::1")


def stop_here(folder: Path) -> bool:
    """Stop the loops of one host and what they run; workers first, then the scheduler.

    Returns
    -------
    bool
        Whether all of it is gone.
    """
    files = sorted(file for file in folder.glob("*.pid") if not file.name.endswith(".child.pid"))
    workers = [file for file in files if file.stem != "scheduler"]
    gone = [_stop(group) for group in (workers, [file for file in files if file not in workers])]
    for orphan in folder.glob("*.child.pid"):  # a loop that was killed leaves its command behind
        if (pid := read_pid(orphan)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        orphan.unlink(missing_ok=True)
    return all(gone)


def _stop(files: list[Path]) -> bool:
    waiting = {file: pid for file in files if (pid := read_pid(file)) is not None}
    for pid in waiting.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < deadline:
        time.sleep(0.05)
        # The pid file goes last, so a file without a living process means the loop has ended
        waiting = {file: pid for file, pid in waiting.items() if read_pid(file) == pid}
    for file, pid in waiting.items():
        print(f"{file.stem} (process {pid}) did not end in {PATIENCE:.0f} s; killing it", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for file in files:
        file.unlink(missing_ok=True)
    return not waiting


def stop_all(run: Path, ssh: str) -> bool:
    """Stop every host of a run directory, the scheduler's last."""
    hosts = sorted(path.name for path in run.iterdir() if path.is_dir()) if run.is_dir() else []
    hosts.sort(key=lambda host: (run / host / "scheduler.pid").exists())
    gone = True
    for host in hosts:
        if host in LOCAL or (run / host / "scheduler.pid").exists():  # the scheduler runs where start.py ran
            gone &= stop_here(run / host)
        else:
            here = [sys.executable, str(Path(__file__).resolve()), "--here", str(run / host)]
            gone &= subprocess.run([*shlex.split(ssh), host, shlex.join(here)], check=False).returncode == 0
    (run / "scheduler.json").unlink(missing_ok=True)
    return gone


def main() -> int:
    """Parse the command line and stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the run directory given to start.py")
    parser.add_argument("--ssh", default="ssh -o BatchMode=yes", help="how to reach other hosts")
    parser.add_argument("--here", action="store_true", help="RUN is one host's folder, on this host")
    options = parser.parse_args()
    gone = stop_here(options.run) if options.here else stop_all(options.run.resolve(), options.ssh)
    return 0 if gone else 1


if __name__ == "__main__":
    sys.exit(main())
