"""Processes for tests: started on loopback and free ports, waited for, and ended by their own pids."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil


def free_port() -> int:
    """Find a port that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until(true: Callable[[], object], seconds: float = 30) -> None:
    """Look again and again, but not for ever."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def process_tree(pid: int) -> list[psutil.Process]:
    """List a process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def memory_of(pid: int) -> int:
    """Resident bytes of a process tree."""
    total = 0
    for one in process_tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs, and is not just waiting to be reaped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Started:
    """A process that was started, with what it writes in a file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.process.pid

    @property
    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, text: str, seconds: float = 40) -> None:
        """Wait until it has written something, or fail with what it wrote instead."""

        def written() -> bool:
            assert self.process.poll() is None or text in self.text, f"ended early:\n{self.text}"
            return text in self.text

        wait_until(written, seconds)

    def kill(self) -> None:
        """End it and its descendants, whatever state they are in."""
        if self.process.poll() is None:
            for one in reversed(process_tree(self.pid)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.wait(10)


@contextlib.contextmanager
def started(command: Sequence[str], log: Path) -> Iterator[Started]:
    """Start a process, and end it with whatever it has started."""
    one = Started(command, log)
    try:
        yield one
    finally:
        one.kill()


def dask(*arguments: object) -> list[str]:
    """Command line of Dask's own commands."""
    return [sys.executable, "-m", "dask", *map(str, arguments)]


def visiomatic(*arguments: object) -> list[str]:
    """Command line of ours."""
    return [sys.executable, "-m", "visiomatic_dask", *map(str, arguments)]


@contextlib.contextmanager
def dask_cluster(
    folder: Path, workers: int, threads: int = 1, port: int | None = None, options: Sequence[object] = ()
) -> Iterator[tuple[str, list[Started]]]:
    """Start a scheduler and workers (with more options, if any) as processes; give its address and the workers."""
    port = port or free_port()
    address = f"tcp://127.0.0.1:{port}"
    file = folder / "scheduler.json"
    command = dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--scheduler-file", file)
    with contextlib.ExitStack() as stack:
        scheduler = stack.enter_context(started(command, folder / "scheduler.log"))
        scheduler.wait_for("Scheduler at:")
        running = []
        for number in range(workers):
            one = dask(
                *("worker", address, "--host", "127.0.0.1", "--no-nanny", "--no-dashboard", "--nthreads", threads),
                *("--memory-limit", "1GB", "--name", f"w{number}", "--local-directory", folder / f"scratch-{number}"),
                *options,
            )
            running.append(stack.enter_context(started(one, folder / f"worker-{number}.log")))
        for worker in running:
            worker.wait_for("Starting established connection")
        yield address, running


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate with openssl."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return key, certificate
