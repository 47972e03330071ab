"""The servers that are compared: how to install, start, reach and stop each.

``ours``
    As `serve` starts it: a cluster of its own, in its own process on small machines.
``ours-cluster``
    On a cluster of separate processes: a scheduler and two workers of one thread each, with the settings of
    cluster/processes/dask.yaml.
``visiomatic``
    VisiOmatic 3 with two workers.

For Zarr there is titiler.xarray beside them, with two processes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from .load import MeasurementError
from .tree import Tree

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bench"
VERSION = "3.0.7"
VENV = ROOT / ".cache" / "visiomatic3"
PATIENCE = 120.0  # seconds for a server to answer at all
TITILER_VERSION = "2.4.0"
TITILER_VENV = ROOT / ".cache" / "titiler"
WORKERS = 2
OURS = ("ours", "ours-cluster")
KINDS = (*OURS, "visiomatic")


@dataclass(frozen=True)
class Running:
    """A server that has answered its first request.

    Attributes
    ----------
    address : str
        URL without a slash at the end.
    start_seconds : float
        From the start of its process (of ``serve``, for a cluster that stands already) to the first answer.
    tree : Tree
        All its processes, the cluster's included.
    parts : dict of str to int
        The pids of the processes that were started, by what they are.
    cache : Path
        Folder for whatever it writes.
    scheduler_file : Path or None
        Tells where its scheduler is, if that can be reached.
    """

    address: str
    start_seconds: float
    tree: Tree
    parts: dict[str, int]
    cache: Path
    scheduler_file: Path | None = None

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

    @property
    def workers(self) -> dict[str, int]:
        """Pids of worker processes, by name; of the one process that is all, where there are none."""
        return {name: pid for name, pid in self.parts.items() if name.startswith("worker")} or self.parts


@contextlib.contextmanager
def running(
    kind: str,
    data: Path,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    workers: int = WORKERS,
    worker_options: Sequence[str] = (),
) -> Iterator[Running]:
    """Start a server with an empty cache; stop it and its cluster, by pid, at the end.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    data : Path
        Folder of cubes.
    folder : Path
        For logs and whatever the server writes; must not exist.
    settings : mapping, optional
        Environment variables of the server's own process.
    options : sequence of str, optional
        More of `serve`, where the server is ours.
    workers : int
        Of ``ours-cluster``.
    worker_options : sequence of str, optional
        More of `dask worker`, for those.
    """
    cache = folder / "cache"
    cache.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        file: Path | None = None
        parts: dict[str, int] = {}
        if kind == "ours-cluster":
            file = folder / "scheduler.json"
            parts = stack.enter_context(cluster_processes(file, folder, cache, workers, worker_options))
        port = _free_port()
        began = time.monotonic()
        if kind == "visiomatic":
            command = _visiomatic(data, cache, port)
            light = "/client/images/icon-grey.svg"  # not its banner: with the Starlette of today that is a 500
        else:
            command = [*_ours(data, port, file), *options]
            light = "/health"
        environment = clean_environment(cache, ours=kind != "visiomatic") | dict(settings or {})
        swept = data if kind == "visiomatic" else None
        server = stack.enter_context(_started(command, environment, folder / "server.log", swept))
        parts["server"] = server.pid
        address = f"http://127.0.0.1:{port}"
        _wait_for_answer(server, address + light, folder / "server.log")
        one = Running(address, time.monotonic() - began, Tree(*parts.values()), parts, cache, file)
        if kind != "visiomatic":
            _wait_for_text(server, "Ctrl-C", folder / "server.log")  # the first of several front ends may have answered
        if kind == "ours-cluster":
            _check_health(one, workers)
        yield one


_TITILER = """
from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.xarray.factory import TilerFactory

app = FastAPI()
app.include_router(TilerFactory().router)
add_exception_handlers(app, DEFAULT_STATUS_CODES)
"""


@contextlib.contextmanager
def running_titiler(data: Path, folder: Path) -> Iterator[Running]:
    """Start titiler.xarray as its documentation does, behind uvicorn with two processes.

    Parameters
    ----------
    data : Path
        A Zarr hierarchy; it is served whatever is asked for.
    folder : Path
        For logs and the application; must not exist.
    """
    cache = folder / "cache"
    cache.mkdir(parents=True)
    (folder / "titiler_app.py").write_text(_TITILER)
    port, began = _free_port(), time.monotonic()
    command = [
        str(install_titiler()), "titiler_app:app", "--app-dir", str(folder), "--host", "127.0.0.1",
        "--port", str(port), "--workers", str(WORKERS), "--log-level", "warning",
    ]  # fmt: skip
    with _started(command, clean_environment(cache, ours=False), folder / "server.log") as server:
        address = f"http://127.0.0.1:{port}"
        _wait_for_answer(server, f"{address}/openapi.json", folder / "server.log")
        yield Running(address, time.monotonic() - began, Tree(server.pid), {"titiler": server.pid}, cache)


@contextlib.contextmanager
def cluster_processes(
    file: Path, folder: Path, cache: Path, workers: int = WORKERS, worker_options: Sequence[str] = ()
) -> Iterator[dict[str, int]]:
    """Run a scheduler and workers that keep to loopback, with the settings advised for clusters; give their pids.

    Parameters
    ----------
    file : Path
        Where the scheduler is to write its address.
    folder : Path
        For logs.
    cache : Path
        For whatever else is written.
    workers : int
        How many.
    worker_options : sequence of str, optional
        More of `dask worker`.
    """
    dask = [sys.executable, "-m", "dask"]
    loopback = ["--host", "127.0.0.1", "--scheduler-file", str(file), "--no-dashboard"]
    environment = clean_environment(cache, ours=True) | {
        "DASK_CONFIG": str(ROOT / "cluster" / "processes" / "dask.yaml")
    }
    parts = {}
    with contextlib.ExitStack() as stack:
        command = [*dask, "scheduler", *loopback, "--port", "0"]
        scheduler = stack.enter_context(_started(command, environment, folder / "scheduler.log"))
        _wait_for_text(scheduler, "Scheduler at:", folder / "scheduler.log")
        parts["scheduler"] = scheduler.pid
        started = []
        for number in range(workers):
            command = [
                *dask, "worker", *loopback, "--no-nanny", "--nthreads", "1", "--name", f"worker {number}",
                "--local-directory", str(folder / f"scratch-{number}"), *worker_options,
            ]  # fmt: skip
            log = folder / f"worker-{number}.log"
            started.append((stack.enter_context(_started(command, environment, log)), log))
        for number, (worker, log) in enumerate(started):
            _wait_for_text(worker, "Starting established connection", log)
            parts[f"worker {number}"] = worker.pid
        yield parts


@contextlib.contextmanager
def http_floor(folder: Path) -> Iterator[tuple[str, Tree]]:
    """Run plain Tornado that answers the same to everyone; give its address and its process."""
    port = _free_port()
    command = [sys.executable, "-m", "tests.benchmarks.http_floor", str(port)]
    log = folder / "http.log"
    with _started(command, clean_environment(folder, ours=True), log) as process:
        _wait_for_answer(process, f"http://127.0.0.1:{port}/", log)
        yield f"http://127.0.0.1:{port}", Tree(process.pid)


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


def install_titiler() -> Path:
    """Uvicorn's command, in an environment with titiler.xarray."""
    command = TITILER_VENV / "bin" / "uvicorn"
    done = TITILER_VENV / f"installed-{TITILER_VERSION}"
    if command.exists() and done.exists():
        return command
    print(f"installing titiler.xarray {TITILER_VERSION} in {TITILER_VENV}", file=sys.stderr)
    for step in (
        [sys.executable, "-m", "venv", "--clear", str(TITILER_VENV)],
        [
            str(TITILER_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet",
            f"titiler.xarray=={TITILER_VERSION}", "uvicorn[standard]",
        ],
    ):  # fmt: skip
        if subprocess.run(step, check=False).returncode:
            raise MeasurementError(f"titiler could not be installed: {' '.join(step)}")
    done.touch()
    return command


def _ours(data: Path, port: int, scheduler_file: Path | None) -> list[str]:
    cluster = [] if scheduler_file is None else ["--scheduler-file", str(scheduler_file)]
    return [
        sys.executable, "-m", "visiomatic_dask", "serve", str(data),
        "--host", "127.0.0.1", "--port", str(port), "--no-browser", *cluster,
    ]  # fmt: skip


def _visiomatic(data: Path, cache: Path, port: int) -> list[str]:
    return [
        str(install_visiomatic()), "--data_dir", str(data), "--cache_dir", str(cache),
        "--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS), "--no_browser",
        "--config", str(cache / "no.conf"), "--ultradict_cache_file", str(cache / "dictionary.pkl"),
    ]  # fmt: skip


def clean_environment(cache: Path, ours: bool) -> dict[str, str]:
    """What a server sees: nobody's own settings, and its cache folder for whatever it writes, where it is counted."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("DASK_") and (ours or not key.startswith("PYTHON"))
    }
    return {**kept, "HOME": str(cache), "XDG_CACHE_HOME": str(cache), "TMPDIR": str(cache)}


def _check_health(server: Running, workers: int) -> None:
    health = json.loads(server.get("/health")[1])
    if health["workers"] != workers:
        raise MeasurementError(f"the server sees {health['workers']} workers, not {workers}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _started(
    command: list[str], environment: dict[str, str], log: Path, swept: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        _stop(process)
        if swept is not None:
            _sweep(process.pid, swept)


def _sweep(pid: int, data: Path) -> None:
    """Remove the locks that VisiOmatic leaves in shared memory: a stale one could block the next run."""
    paths = (str(file).encode() for file in data.glob("*.fits"))
    hashes = [hashlib.md5(path, usedforsecurity=False).hexdigest() for path in paths]
    for name in (f"VisiOmatic.{pid}", *hashes):
        for leftover in Path("/dev/shm").glob(f"*{name}*"):
            leftover.unlink(missing_ok=True)


def _wait_for_answer(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    def answered() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:  # not listening yet, or not ready (an HTTPError is one too)
            return False

    while not answered():
        _still_starting(process, log, f"no answer from {url}")


def _wait_for_text(process: subprocess.Popen[bytes], text: str, log: Path) -> None:
    while text not in log.read_text("utf-8", "replace"):
        _still_starting(process, log, f"{text!r} was not said")


def _still_starting(process: subprocess.Popen[bytes], log: Path, complaint: str) -> None:
    """Pause before the next look; fail if the process has ended or takes too long."""
    said = log.read_text("utf-8", "replace")[-2000:]
    if process.poll() is not None:
        raise MeasurementError(f"a process ended with {process.returncode}:\n{said}")
    if time.time() - psutil.Process(process.pid).create_time() > PATIENCE:
        raise MeasurementError(f"{complaint} in {PATIENCE:.0f} s:\n{said}")
    time.sleep(0.02)


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
