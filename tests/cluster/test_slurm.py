"""Workers as jobs of a real Slurm: started by ``serve``, and by the recipe of cluster/slurm."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from distributed import Client

from tests.cluster.slurm import CPUS, Slurm, missing_programs, running_slurm
from tests.processes import Started, process_tree, started, visiomatic, wait_until
from tests.service import Response, Service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

RECIPE = Path(__file__).parents[2] / "cluster" / "slurm"
HEALED = 30  # seconds
PATIENCE = 60
PANNED = 300


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    missing = missing_programs()
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"Slurm is missing, and CI must not go without it: no {', '.join(missing)}; see `make slurm`")
        pytest.skip(f"Slurm is not installed: no {', '.join(missing)} (as root, `make slurm` installs Debian's)")
    with running_slurm(tmp_path_factory.mktemp("slurm")) as one:
        yield one


@pytest.fixture
def queue(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Slurm as the environment's, for one test that leaves nothing in the queue."""
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    monkeypatch.chdir(tmp_path)
    configure(tmp_path, monkeypatch)
    yield slurm
    for job_id in slurm.jobs():
        slurm.run("scancel", job_id)
    wait_until(slurm.is_idle, 30)


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Write jobqueue.yaml: what the recipe's example has, made small, and what the test wants otherwise."""
    example = yaml.safe_load((RECIPE / "jobqueue.yaml").read_text("utf-8"))["jobqueue"]["slurm"]
    small = {"cores": 1, "processes": 1, "memory": "1GB", "interface": "lo", "log-directory": str(folder)}
    options = {"scheduler-options": {"scheduler_file": str(folder / "scheduler.json")}}
    configuration = {"jobqueue": {"slurm": example | small | options | settings}}
    (folder / "config").mkdir(exist_ok=True)
    # Dask asks for more workers when there is more work than one does in this time.
    configuration["distributed"] = {"adaptive": {"target-duration": "1s"}}
    (folder / "config" / "jobqueue.yaml").write_text(yaml.safe_dump(configuration))
    monkeypatch.setenv("DASK_CONFIG", str(folder / "config"))


def serve(cube: Path, jobs: str) -> list[str]:
    return visiomatic("serve", cube, "--port", 0, "--no-browser", "--cluster", "slurm", "--jobs", jobs)


def service_of(text: str) -> Service:
    url = re.search(r"http://[\d.]+:\d+/", text)
    assert url is not None
    return Service(url[0])


def tile(number: int) -> str:
    """Address of one tile of the wide cube; no two numbers below 1000 have the same."""
    return f"/cubes/wide.fits/tiles/0/{number % 8}/{number // 8 % 32}.jpg?channel={number // 256 % 4}&cuts=50,150"


def workers(service: Service) -> int:
    answer = service.get("/health")
    return int(answer.json["workers"]) if answer.status == 200 else 0


def ended(server: Started, number: signal.Signals) -> None:
    server.process.send_signal(number)
    assert server.process.wait(20) == 0
    assert "Traceback" not in server.text
    assert "ERROR" not in server.text


def pan(service: Service, numbers: range, happens: Any) -> list[Response]:
    """Ask for tiles as a few viewers would; something happens after a third of them."""

    def ask(number: int) -> Response:
        if number == numbers[len(numbers) // 3]:
            happens()
        return service.get(tile(number))

    with ThreadPoolExecutor(8) as viewers:
        return list(viewers.map(ask, numbers))


def make_busy(service: Service, most: int) -> None:
    """Ask for large regions until more jobs have been started."""

    def region(number: int) -> None:
        channels = "&".join(f"MINMAX={c}:{number},150" for c in range(1, 5))
        service.get(f"/api?FIF=wide.fits&{channels}&RGN=1,1:4096,2048")

    with ThreadPoolExecutor(12) as viewers:
        for number in range(100):
            viewers.submit(region, number)
        wait_until(lambda: workers(service) == most, PATIENCE)
        viewers.shutdown(cancel_futures=True)


def test_jobs_serve_tiles_and_are_replaced(queue: Slurm, wide_cube: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    with started(serve(wide_cube, "1:2"), tmp_path / "log") as server:
        server.wait_for("Ctrl-C", PATIENCE)
        service = service_of(server.text)
        assert service.ok(tile(999)).body.startswith(b"\xff\xd8")
        print(f"first tile {time.monotonic() - begun:.1f} s after the command")
        assert service.ok("/health").json == {"status": "ok", "workers": 1, "route": "direct", "waiting": 0}

        make_busy(service, 2)
        print(f"second worker {time.monotonic() - begun:.1f} s after the command")
        check_settings(tmp_path / "scheduler.json")
        check_listening_on_loopback_only(process_tree(server.pid) + queue.processes())

        victim = queue.jobs()[0]
        answers = pan(service, range(PANNED), lambda: queue.run("scancel", victim))
        assert {one.status for one in answers} == {200}
        assert all(one.body.startswith(b"\xff\xd8") for one in answers)
        assert victim not in queue.jobs()

        lose_all(service, queue)
        ended(server, signal.SIGTERM)
        assert server.text.count("ended before its worker came") == 1  # the one that was killed while it started
    wait_until(queue.is_idle, 20)


def lose_all(service: Service, queue: Slurm) -> None:
    """Cancel every job, and the first that comes instead of them; in the end there is a worker again."""
    lost = queue.jobs()
    answers: list[Response] = []
    again: str | None = None

    def ask(number: int) -> None:
        answers.append(service.get(tile(PANNED + number)))  # what was asked before is there without any worker

    begun = time.monotonic()
    queue.run("scancel", *lost)
    # What is under way when the last worker goes may wait for the next one, and what is asked afterwards is refused at
    # once. So ask anew all the time, whether or not there have been answers.
    with ThreadPoolExecutor(200) as viewers:
        for number in itertools.count():
            viewers.submit(ask, number)
            time.sleep(0.1)
            coming = [job for job in queue.jobs() if job not in lost]
            if again is None and coming:
                again = coming[0]
                queue.run("scancel", again)
            seen = [one.status for one in answers]
            if again and 503 in seen and seen[-1] == 200 and workers(service):
                break
            assert time.monotonic() < begun + PATIENCE, seen
    healed = time.monotonic() - begun
    print(f"without any worker, and its replacement killed too: healed after {healed:.1f} s")
    refused = [one for one in answers if one.status != 200]
    assert {one.status for one in refused} == {503}
    assert all(int(one.headers["Retry-After"]) > 0 for one in refused)
    assert healed < HEALED
    assert service.ok(tile(0)).body.startswith(b"\xff\xd8")


def check_settings(scheduler_file: Path) -> None:
    def settings(*names: str) -> list[Any]:
        import dask.config

        return [dask.config.get(f"distributed.{name}") for name in names]

    settings.__module__ = "__main__"  # pickled by value: the jobs know nothing of this module
    scheduler = ("worker-saturation", "work-stealing", "active-memory-manager.start")
    worker = ("profile.enabled", "memory.target", "memory.spill")
    with Client(scheduler_file=str(scheduler_file), timeout=10, set_as_default=False) as client:
        there = client.run_on_scheduler(settings, *(f"scheduler.{name}" for name in scheduler))
        assert there == [float("inf"), False, False]
        answers = client.run(settings, *(f"worker.{name}" for name in worker))
        assert list(answers.values()) == [[False, False, False]] * 2


def check_listening_on_loopback_only(running: list[psutil.Process]) -> None:
    listening = set()
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            connections = process.net_connections(kind="inet")
            listening |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_a_long_queue_is_waited_for(queue: Slurm, wide_cube: Path, tmp_path: Path) -> None:
    blocker = queue.run("sbatch", "--parsable", f"--cpus-per-task={CPUS}", "--mem=100M", "--wrap", "sleep 100").strip()
    with started(serve(wide_cube, "1:1"), tmp_path / "log") as server:
        server.wait_for("Ctrl-C", PATIENCE)
        assert re.search(r"no worker has come within 10 s \(job \d+ is PENDING: \w+\)", server.text)
        service = service_of(server.text)
        answer = service.get(tile(0))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        begun = time.monotonic()
        queue.run("scancel", blocker)
        wait_until(lambda: service.get(tile(0)).status == 200, HEALED)
        print(f"first tile {time.monotonic() - begun:.1f} s after the node was free")
        assert service.ok("/health").json == {"status": "ok", "workers": 1, "route": "direct", "waiting": 0}
        ended(server, signal.SIGINT)
    wait_until(queue.is_idle, 20)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"queue": "nowhere"}, r"the first jobs were refused: .*invalid partition specified: nowhere"),
        ({"python": "/nowhere/python"}, r"job \d+ ended before its worker came; its output is in /.*\.err"),
        ({"scheduler-options": {"host": "192.0.2.1"}}, r"no scheduler for jobs can be started"),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing(
    queue: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str
) -> None:
    configure(tmp_path, monkeypatch, **settings)
    finished = subprocess.run(serve(tmp_path, "2:2"), capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 1
    assert re.search(words, finished.stderr), finished.stderr
    assert "Traceback" not in finished.stderr
    wait_until(queue.is_idle, 20)


def test_recipe(queue: Slurm, wide_cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASK_CONFIG")
    monkeypatch.setenv("VISIOMATIC_PYTHON", sys.executable)
    monkeypatch.setenv("VISIOMATIC_PORT", "0")
    monkeypatch.setenv("VISIOMATIC_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("VISIOMATIC_SBATCH_OPTIONS", "--cpus-per-task=1 --mem=1000M")
    begun = time.monotonic()
    small = ("--cpus-per-task=1", "--mem=500M", f"--output={tmp_path}/log")
    front = queue.run("sbatch", "--parsable", *small, RECIPE / "visiomatic.sbatch", wide_cube).strip()
    log = tmp_path / "log"
    wait_until(lambda: log.exists() and "Ctrl-C" in log.read_text("utf-8"), PATIENCE)
    service = service_of(log.read_text("utf-8").partition("serves")[2])
    wait_until(lambda: workers(service) == 2, PATIENCE)
    assert service.ok(tile(0)).body.startswith(b"\xff\xd8")
    print(f"two workers and a tile {time.monotonic() - begun:.1f} s after sbatch")
    assert len(queue.jobs()) == 3
    check_settings(tmp_path / "run" / "scheduler.json")
    check_listening_on_loopback_only(queue.processes())

    nannies = [one for one in queue.processes() if "distributed.cli.dask_worker" in one.cmdline()]
    assert len(nannies) == 2
    nannies[0].kill()
    wait_until(lambda: workers(service) < 2, 20)
    begun = time.monotonic()
    wait_until(lambda: workers(service) == 2, HEALED)
    print(f"a killed worker was back after {time.monotonic() - begun:.1f} s")

    queue.run("scancel", front)
    wait_until(queue.is_idle, 30)
    assert not (tmp_path / "run" / "scheduler.json").exists()
