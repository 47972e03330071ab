"""cluster/processes on loopback: workers come, come back when killed, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client

from tests.processes import is_alive, self_signed, wait_until

FOLDER = Path(__file__).parents[2] / "cluster" / "processes"
FAKE_SSH = 'shift\nexec sh -c "$*"\n'  # like ssh: the host first, then words joined for the other end's shell

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def processes(run: Path) -> list[psutil.Process]:
    """Find every process that the pid files name, and their descendants."""
    roots = [psutil.Process(int(file.read_text().split()[0])) for file in run.glob("*/*.pid")]
    return list({one for root in roots for one in (root, *root.children(recursive=True))})


def child_pid(run: Path, name: str, host: str = "localhost") -> int:
    return int((run / host / f"{name}.child.pid").read_text().split()[0])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "run"
    yield folder
    script("stop.py", str(folder))


def worker_addresses(address: str) -> set[str]:
    try:
        with Client(address, timeout=3, set_as_default=False) as client:
            return set(client.scheduler_info(n_workers=-1)["workers"])
    except OSError:
        return set()


def test_killed_processes_come_back_and_stop_leaves_nothing(run: Path) -> None:
    port, dashboard = free_ports(2)
    started = script(
        "start.py", "--run", str(run), "--port", port, "--dashboard-port", dashboard,
        "--workers", "2", "--threads", "1", "--memory", "500MB", "localhost",
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    address = f"tcp://127.0.0.1:{port}"
    assert address in started.stdout
    assert (run / "scheduler.json").exists()
    first = worker_addresses(address)
    assert len(first) == 2
    check_settings(address)
    seen = processes(run)
    check_listening_on_loopback_only(seen)

    os.kill(child_pid(run, "worker-0"), signal.SIGKILL)
    wait_until(lambda: len(now := worker_addresses(address)) == 2 and now != first, 60)

    seen += processes(run)
    os.kill(child_pid(run, "scheduler"), signal.SIGKILL)
    wait_until(lambda: len(worker_addresses(address)) == 2, 60)

    seen += processes(run)
    stopped = script("stop.py", str(run))
    assert stopped.returncode == 0, stopped.stderr
    wait_until(lambda: not [one for one in seen if is_alive(one)], 10)
    assert not list(run.glob("*/*.pid"))
    assert not (run / "scheduler.json").exists()


def check_settings(address: str) -> None:
    def settings(*names: str) -> list[Any]:
        import dask.config

        return [dask.config.get(f"distributed.{name}") for name in names]

    scheduler = ("worker-saturation", "work-stealing", "active-memory-manager.start")
    worker = ("profile.enabled", "memory.target", "memory.spill")
    with Client(address, timeout=10, set_as_default=False) as client:
        there = client.run_on_scheduler(settings, *(f"scheduler.{name}" for name in scheduler))
        assert there == [float("inf"), False, False]
        answers = client.run(settings, *(f"worker.{name}" for name in worker))
        assert list(answers.values()) == [[False, False, False]] * 2


def check_listening_on_loopback_only(running: list[psutil.Process]) -> None:
    listening = [
        connection.laddr.ip
        for process in running
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_other_hosts_are_reached_by_ssh(run: Path, tmp_path: Path) -> None:
    fake = tmp_path / "fake-ssh"
    fake.write_text(FAKE_SSH)
    ssh = f"sh {fake}"
    port, dashboard = free_ports(2)
    started = script(
        "start.py", "--run", str(run), "--address", "127.0.0.3",
        "--port", port, "--dashboard-port", dashboard,
        "--threads", "1", "--memory", "500MB", "--ssh", ssh, "127.0.0.2",
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    (worker,) = worker_addresses(f"tcp://127.0.0.3:{port}")
    assert worker.startswith("tcp://127.0.0.2:")
    seen = processes(run)
    assert script("stop.py", str(run), "--ssh", ssh).returncode == 0
    wait_until(lambda: not [one for one in seen if is_alive(one)], 10)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_with_certificates_strangers_are_refused(run: Path, tmp_path: Path) -> None:
    key, certificate = self_signed(tmp_path)
    port, dashboard = free_ports(2)
    started = script(
        "start.py", "--run", str(run), "--port", port, "--dashboard-port", dashboard, "--threads", "1",
        "--memory", "500MB", "--tls-ca-file", str(certificate), "--tls-cert", str(certificate),
        "--tls-key", str(key), "localhost",
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    assert f"tls://127.0.0.1:{port}, 1 workers" in started.stdout
    assert not worker_addresses(f"tcp://127.0.0.1:{port}")


def test_second_start_on_the_same_folder_is_refused(run: Path) -> None:
    (run / "localhost").mkdir(parents=True)
    (run / "localhost" / "scheduler.pid").write_text("1 0\n")
    refused = script("start.py", "--run", str(run), "localhost")
    assert refused.returncode == 1
    assert "stop.py" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--address", "0.0.0.0", "localhost"], "listen everywhere"),
        (["--address", "::", "localhost"], "listen everywhere"),
        (["--address", "", "localhost"], "listen everywhere"),
        (["--port", "0", "localhost"], "give a port"),
        (["node1"], "give --address"),
        (["--tls-cert", "cert.pem", "localhost"], "give all of"),
        (["-oProxyCommand=x"], "required: hosts"),
        (["--", "-oProxyCommand=x"], "no host name"),
    ],
)
def test_dangerous_arguments_are_refused(tmp_path: Path, arguments: list[str], text: str) -> None:
    refused = script("start.py", "--run", str(tmp_path), *arguments)
    assert refused.returncode == 2
    assert text in refused.stderr


def test_stale_pid_file_kills_nobody(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (tmp_path / "localhost").mkdir()
        (tmp_path / "localhost" / "worker-0.pid").write_text(f"{bystander.pid} 12345\n")
        (tmp_path / "localhost" / "worker-0.child.pid").write_text(f"{bystander.pid} 12345\n")
        assert script("stop.py", str(tmp_path)).returncode == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
