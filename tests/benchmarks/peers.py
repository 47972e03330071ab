"""The servers that are compared: how to install, start, reach and stop each."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from .load import MeasurementError
from .tree import Tree

ROOT = Path(__file__).parents[2]
VERSION = "3.0.7"
VENV = ROOT / ".cache" / "visiomatic3"
PATIENCE = 120.0  # seconds for a server to answer at all


@dataclass(frozen=True)
class Peer:
    """A kind of server.

    Parameters
    ----------
    name
        What it is called in results.
    command
        Its command line, from the data folder, its cache folder and a port.
    light
        Path of a request that needs no data.
    """

    name: str
    command: Callable[[Path, Path, int], list[str]]
    light: str


@dataclass(frozen=True)
class Running:
    """A server that has answered its first request."""

    address: str
    start_seconds: float
    tree: Tree
    cache: Path

    def get(self, path: str, timeout: float = 300) -> tuple[str, bytes]:
        """Content type and body of an answer; anything but 200 is a failure."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=timeout) as answer:
                return answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            raise MeasurementError(f"{path} was answered {error.code}: {error.read()[:300]!r}") from error
        except OSError as error:
            raise MeasurementError(f"{path} was not answered: {error}") from error

    def cache_bytes(self) -> int:
        """Disk space of its cache folder (blocks, so that holes do not count)."""
        return sum(file.lstat().st_blocks * 512 for file in self.cache.rglob("*") if file.is_file())


def _ours(data: Path, _cache: Path, port: int) -> list[str]:
    return [
        sys.executable, "-m", "visiomatic_dask", "serve", str(data),
        "--host", "127.0.0.1", "--port", str(port), "--no-browser",
    ]  # fmt: skip


def _visiomatic(data: Path, cache: Path, port: int) -> list[str]:
    return [
        str(install_visiomatic()), "--data_dir", str(data), "--cache_dir", str(cache),
        "--host", "127.0.0.1", "--port", str(port), "--workers", "2", "--no_browser",
        "--config", str(cache / "no.conf"), "--ultradict_cache_file", str(cache / "dictionary.pkl"),
    ]  # fmt: skip


PEERS = {
    "ours": Peer("ours", _ours, "/health"),
    # Not its banner, /api: with the Starlette of today that is a 500; tiles are not touched by it
    "visiomatic": Peer("visiomatic", _visiomatic, "/client/images/icon-grey.svg"),
}


def install_visiomatic() -> Path:
    """VisiOmatic's command; it gets an environment of its own, for it needs numpy < 2."""
    command = VENV / "bin" / "visiomatic"
    done = VENV / f"installed-{VERSION}"
    if command.exists() and done.exists():
        return command
    print(f"installing VisiOmatic {VERSION} in {VENV}", file=sys.stderr)
    python = VENV / "bin" / "python"
    for step in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [str(python), "-m", "pip", "install", "--quiet", f"visiomatic=={VERSION}"],
    ):
        if subprocess.run(step, check=False).returncode:
            raise MeasurementError(f"VisiOmatic could not be installed: {' '.join(step)}")
    done.touch()
    return command


@contextlib.contextmanager
def running(peer: Peer, data: Path, folder: Path) -> Iterator[Running]:
    """Start a server with an empty cache; stop it, by pid, at the end."""
    cache = folder / "cache"
    cache.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = peer.command(data, cache, port)
    # Whatever it writes belongs below its cache folder, where it is counted
    surroundings = {**os.environ, "HOME": str(cache), "XDG_CACHE_HOME": str(cache), "TMPDIR": str(cache)}
    with (folder / "log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, env=surroundings, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(process, address + peer.light, folder / "log")
            yield Running(address, time.monotonic() - began, Tree(process.pid), cache)
        finally:
            _stop(process)
            _sweep(process.pid, data)


def _sweep(pid: int, data: Path) -> None:
    """Remove the locks that VisiOmatic leaves in shared memory: a stale one could block the next run."""
    paths = (str(file).encode() for file in data.glob("*.fits"))
    hashes = [hashlib.md5(path, usedforsecurity=False).hexdigest() for path in paths]
    for name in (f"VisiOmatic.{pid}", *hashes):
        for leftover in Path("/dev/shm").glob(f"*{name}*"):
            leftover.unlink(missing_ok=True)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MeasurementError(f"the server ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.HTTPError):  # not listening yet, or not ready
            time.sleep(0.02)
    raise MeasurementError(f"no answer from {url} in {PATIENCE:.0f} s:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    children = Tree(process.pid).members()[1:] if process.poll() is None else []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    left: list[psutil.Process] = psutil.wait_procs(children, timeout=5)[1]
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.kill()
    process.wait()
