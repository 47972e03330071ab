"""Servers for the browser tests: processes of their own, on free loopback ports, stopped by pid."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_START = 60.0
_STOP = 20.0


@contextmanager
def process(*arguments: str, log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a Python module until the block ends; its output goes to `log`, and into the message of a failure."""
    with log.open("w") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stderr=output, text=True, start_new_session=True
        )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait(_STOP)
        if started.stdout is not None:
            started.stdout.close()


@contextmanager
def serving(*arguments: str, log: Path) -> Iterator[str]:
    """Run ``visiomatic_dask serve`` on a free port, and give its URL."""
    command = ("visiomatic_dask", "serve", *arguments, "--port", "0", "--no-browser")
    with process(*command, log=log) as server:
        assert server.stdout is not None
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            for line in server.stdout or ():
                lines.put(line)

        threading.Thread(target=read, daemon=True).start()
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and server.poll() is None:
            try:
                match = re.search(r"http://\S+?/(?=\?|\s|$)", lines.get(timeout=0.5))
            except queue.Empty:
                continue
            if match:
                yield match[0]
                return
    raise AssertionError(f"the server did not start: {log.read_text()}")


def write_sky(path: Path, *options: Sequence[str] | str) -> Path:
    """Write a small demonstration cube by the command line."""
    command = [sys.executable, "-m", "visiomatic_dask", "demo", str(path), *map(str, options)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path
