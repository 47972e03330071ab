"""The command line, as a user meets it: ``python -m visiomatic_dask …``."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from astropy.io import fits

from visiomatic_dask import __version__

from .processes import Started, dask, dask_cluster, free_port, is_alive, process_tree, started, visiomatic, wait_until
from .service import Service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(visiomatic(*arguments), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "sky.fits"
    header = fits.Header({"CTYPE3": "VRAD", "CUNIT3": "m/s", "CRVAL3": 1e3, "CDELT3": 5e2, "CRPIX3": 1, "BUNIT": "K"})
    fits.writeto(path, np.arange(3 * 300 * 400, dtype=np.float32).reshape(3, 300, 400), header)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["serve", "info", "demo"]),
        (
            ["serve", "-h"],
            [
                "--scheduler",
                "--scheduler-file",
                "--port",
                "--host",
                "8009",
                "--no-browser",
                "--jobs MIN:MAX",
                "--front-ends",
            ],
        ),
        (["preset", "--help"], ["list", "show", "save", "remove", "preset=NAME"]),
        (["preset", "save", "--help"], ["KEY=VALUE", "--layer"]),
        (["info", "--help"], ["--json", "--formats", "URL"]),
        (["demo", "--help"], ["--width", "--overwrite"]),
        (["--version"], [__version__]),
    ],
)
def test_help(arguments: list[str], words: list[str]) -> None:
    finished = run(*arguments)
    assert finished.returncode == 0
    assert finished.stderr == ""
    for word in words:
        assert word in finished.stdout


def test_dask_knows_us() -> None:
    """The commands are there below Dask's own, by their name."""
    finished = subprocess.run(dask("visiomatic", "--help"), capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "serve" in finished.stdout


def test_info(cube: Path) -> None:
    finished = run("info", cube)
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"sky\.fits    FITS    1\.38 MiB    fingerprint [0-9a-f]{16}\n", finished.stdout)
    assert "PRIMARY: 3 x 300 x 400 float32 K" in finished.stdout
    assert "1 km/s … 2 km/s" in finished.stdout


def test_info_as_json(cube: Path) -> None:
    answer = json.loads(run("info", "--json", cube).stdout)
    assert answer["name"] == "sky.fits"
    assert re.fullmatch("[0-9a-f]{16}", answer["fingerprint"])
    (layer,) = answer["layers"]
    assert (layer["shape"], layer["dtype"], layer["unit"]) == ([3, 300, 400], "float32", "K")
    assert [axis["size"] for axis in layer["axes"]] == [3, 300, 400]


def test_info_lists_the_formats() -> None:
    finished = run("info", "--formats")
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"^FITS +FITS images", finished.stdout, re.MULTILINE)
    names = [one["name"] for one in json.loads(run("info", "--formats", "--json").stdout)]
    assert names == [line.split()[0] for line in finished.stdout.splitlines()]


def test_info_wants_one_thing(cube: Path) -> None:
    for arguments in ([], [cube, "--formats"]):
        finished = run("info", *arguments)
        assert finished.returncode == 2
        assert "give either a FILE or --formats" in finished.stderr


def test_info_of_what_is_no_cube(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    for name, words in (("x.txt", "no known format"), ("no.fits", "no such file"), (".", "it is a folder")):
        finished = run("info", tmp_path / name)
        assert finished.returncode == 1
        assert words in finished.stderr
        assert finished.stderr.count("\n") == 1
        assert finished.stdout == ""


def on_a_terminal(*arguments: object) -> tuple[int, str, str]:
    """Status, output, and what a terminal shows of the errors."""
    master, slave = pty.openpty()
    shown = b""
    with subprocess.Popen(visiomatic(*arguments), stdout=subprocess.PIPE, stderr=slave, text=True) as process:
        os.close(slave)
        try:
            while part := os.read(master, 4096):
                shown += part
        except OSError:  # how Linux says that nobody writes there any more
            pass
        finally:
            os.close(master)
        output, _ = process.communicate(timeout=60)
    return process.returncode, output, shown.decode()


def test_info_unpacks_and_shows_people_how_far_it_is(cube: Path, tmp_path: Path) -> None:
    """bzip2 takes a while; the second time nothing has to be unpacked. Scripts are shown nothing."""
    path = tmp_path / "noise.fits.bz2"
    noise = np.random.default_rng(0).normal(0, 1, (2, 2000, 2000)).astype(np.float32)
    fits.writeto(tmp_path / "noise.fits", noise)
    path.write_bytes(bz2.compress((tmp_path / "noise.fits").read_bytes(), 1))
    status, output, shown = on_a_terminal("info", path)
    assert status == 0
    assert "PRIMARY: 2 x 2000 x 2000 float32" in output
    assert "unpacking noise.fits.bz2" in shown
    assert "100%" in shown
    assert on_a_terminal("info", path) == (0, output, "")
    other = tmp_path / "other.fits.gz"
    other.write_bytes(gzip.compress(cube.read_bytes()))
    finished = run("info", other)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_demo(tmp_path: Path) -> None:
    path = tmp_path / "demo.fits"
    arguments = ("demo", path, "--width", 64, "--height", 80, "--channels", 2)
    finished = run(*arguments)
    assert finished.returncode == 0, finished.stderr
    assert f"serve {path}" in finished.stdout
    assert fits.getdata(path).shape == (2, 80, 64)
    before = path.read_bytes()
    refused = run(*arguments)
    assert (refused.returncode, path.read_bytes()) == (1, before)
    assert "--overwrite" in refused.stderr
    assert run(*arguments, "--overwrite", "--seed", 3).returncode == 0
    assert path.read_bytes() != before
    assert run("demo", tmp_path / "no" / "demo.fits", "--width", 64).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["no-such-path"], 2, "does not exist"),
        (["--port", "70000"], 2, "70000"),
        (["--scheduler", "tcp://127.0.0.1:1", "--scheduler-file", "x.json"], 2, "exclude each other"),
        (["--scheduler-file", "no-such-file.json"], 1, "is the scheduler running?"),
        (
            ["--cluster", "slurm", "--jobs", "1:2", "--scheduler", "tcp://x:1"],
            2,
            "--scheduler and --cluster exclude each",
        ),
        (["--cluster", "nosuch", "--jobs", "1:2"], 2, "'nosuch' is not 'slurm'"),
        (["--cluster", "slurm"], 2, "give --jobs MIN:MAX"),
        (["--jobs", "1:2"], 2, "give --cluster slurm"),
        (["--cluster", "slurm", "--jobs", "2:1"], 2, "2:1 jobs cannot be held; allowed: MIN:MAX with 1 <= MIN <= MAX"),
        (["--cluster", "slurm", "--jobs", "0:1"], 2, "0:1 jobs cannot be held"),
        (["--cluster", "slurm", "--jobs", "a:b"], 2, "'a:b' is no range of jobs; allowed: MIN:MAX"),
        (["--cluster", "slurm", "--jobs", "3"], 2, "'3' is no range of jobs"),
        (["--front-ends", "0"], 2, "0 is not in the range x>=1"),
        (["--front-ends", "2", "--scheduler-file", "no-such-file.json"], 1, "is the scheduler running?"),
        (["--front-ends", "2", "--host", "192.0.2.1", "--port", "0"], 1, "cannot be used"),
        (["--store", "no-such-folder/store"], 2, "no-such-folder/store is not a folder, and cannot be made"),
        (["--prebuild", "--scheduler-file", "no-such-file.json"], 1, "give --store"),
        (["--host", "192.0.2.1", "--port", "0"], 1, "cannot be used"),
    ],
)
def test_serve_refuses_in_a_sentence(tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    finished = run("serve", *([] if arguments[0] == "no-such-path" else [tmp_path]), *arguments)
    assert finished.returncode == status
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "jobqueue.slurm.cores is not set; allowed: a number of cores for each job"),
        ({"cores": "many"}, "jobqueue.slurm.cores is 'many'"),
        ({"cores": 1}, "jobqueue.slurm.memory is not set; allowed: memory for each job"),
        ({"cores": 1, "memory": "lots"}, "jobqueue.slurm.memory is 'lots'"),
        ({"cores": 1, "memory": "1GB", "processes": 0}, "jobqueue.slurm.processes is 0"),
        ({"cores": 1, "memory": "1GB"}, "jobqueue.slurm.interface is not set; allowed: a network interface inside"),
        ({"cores": 1, "memory": "1GB", "interface": "no0"}, "interface is 'no0', which is not here"),
        (
            {"cores": 1, "memory": "1GB", "interface": "lo"},
            "cannot submit jobs to Slurm: sbatch, squeue, scancel not found",
        ),
    ],
)
def test_jobs_that_cannot_be_are_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], words: str
) -> None:
    (tmp_path / "jobqueue.yaml").write_text(json.dumps({"jobqueue": {"slurm": settings}}))
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # without a Slurm, should there be one
    finished = run("serve", tmp_path, "--port", 0, "--cluster", "slurm", "--jobs", "1:2")
    assert finished.returncode == 1
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr


def test_jobs_need_dask_jobqueue(tmp_path: Path) -> None:
    absent = "import sys; sys.modules['dask_jobqueue'] = None; from visiomatic_dask.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        absent,
        "serve",
        str(tmp_path),
        "--port",
        "0",
        "--cluster",
        "slurm",
        "--jobs",
        "1:2",
    ]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: jobs need dask-jobqueue, which is not installed")


def test_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finished = run("serve", tmp_path, "--port", port)
    assert finished.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use already; choose another with --port" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_no_scheduler_there(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    finished = run("serve", tmp_path, "--port", 0, "--scheduler", address)
    assert finished.returncode == 1
    assert f"no Dask scheduler answers at {address}" in finished.stderr
    assert "Traceback" not in finished.stderr


def service_of(server: Started) -> Service:
    server.wait_for("Ctrl-C")
    url = re.search(r"http://[\d.]+:\d+/", server.text)
    assert url is not None
    return Service(url[0])


def ended(server: Started, number: signal.Signals) -> None:
    """Send a signal: the server ends with status 0, and so does everything it has started."""
    family = process_tree(server.pid)
    server.process.send_signal(number)
    assert server.process.wait(20) == 0
    wait_until(lambda: not any(is_alive(one) for one in family), 10)
    assert "Traceback" not in server.text
    assert "WARNING" not in server.text
    assert "ERROR" not in server.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_and_stop(cube: Path, tmp_path: Path, number: signal.Signals) -> None:
    command = visiomatic("serve", cube, "--port", 0, "--no-browser")
    with started(command, tmp_path / "log") as server:
        service = service_of(server)
        assert "?image=sky.fits" in server.text
        assert service.ok("/api?FIF=sky.fits&CHAN=1&JTL=0,0").body.startswith(b"\xff\xd8")
        assert service.ok("/cubes").json["cubes"][0]["name"] == "sky.fits"
        listening = {
            connection.laddr.ip
            for process in process_tree(server.pid)
            for connection in process.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
        ended(server, number)
        with pytest.raises(ConnectionRefusedError):
            service.get("/health")


@pytest.mark.parametrize("by_file", [False, True])
def test_serve_on_a_cluster_that_is_there(cube: Path, tmp_path: Path, by_file: bool) -> None:
    with dask_cluster(tmp_path, 2) as (address, workers):
        where = ["--scheduler-file", tmp_path / "scheduler.json"] if by_file else ["--scheduler", address]
        command = visiomatic("serve", cube.parent, "--port", 0, "--no-browser", *where)
        with started(command, tmp_path / "log") as server:
            service = service_of(server)
            assert service.ok("/health").json == {"status": "ok", "workers": 2, "route": "direct", "waiting": 0}
            assert service.ok("/api?FIF=sky.fits&CHAN=2&JTL=1,0").body.startswith(b"\xff\xd8")
            assert service.ok("/api?FIF=sky.fits&VAL=1,1").json["values"] == [0, 120_000, 240_000]
            assert "give --store" in server.text
            ended(server, signal.SIGTERM)
        assert all(worker.process.poll() is None for worker in workers)  # theirs, not ours to end


def test_no_workers(cube: Path, tmp_path: Path) -> None:
    with dask_cluster(tmp_path, 0) as (address, _):
        command = visiomatic("serve", cube, "--port", 0, "--no-browser", "--scheduler", address)
        with started(command, tmp_path / "log") as server:
            service = service_of(server)
            for path in ("/health", "/api?FIF=sky.fits&CHAN=1&MINMAX=1:0,1&JTL=0,0", "/api?FIF=sky.fits&INFO"):
                response = service.get(path)
                assert response.status == 503
                assert response.headers["Retry-After"] == "5"
            assert "no workers" in response.message
            ended(server, signal.SIGTERM)


def test_a_worker_that_comes_later_is_used(cube: Path, tmp_path: Path) -> None:
    from .processes import dask

    with dask_cluster(tmp_path, 0) as (address, _):
        command = visiomatic("serve", cube, "--port", 0, "--no-browser", "--scheduler", address)
        late = dask("worker", address, "--host", "127.0.0.1", "--no-nanny", "--no-dashboard", "--memory-limit", "1GB")
        with started(command, tmp_path / "log") as server:
            service = service_of(server)
            with started(late, tmp_path / "late.log"):
                wait_until(lambda: service.get("/health").status == 200, 30)
                assert service.ok("/api?FIF=sky.fits&CHAN=2&JTL=1,0").body.startswith(b"\xff\xd8")
            wait_until(lambda: service.get("/health").status == 503, 30)
            assert service.get("/api?FIF=sky.fits&CHAN=1&MINMAX=1:0,1&JTL=0,0").headers["Retry-After"] == "5"
