"""Start a Dask scheduler here and workers on the hosts given, each kept running by a loop of its own.

    python start.py --run ~/tiles/run --address 10.0.0.1 node1 node2 node3
    python start.py --run /tmp/run localhost            # all on this machine, on loopback

Hosts other than this one are reached by ssh (keys, no passwords) and must see the run directory, this folder
and the Python environment under the same paths. Stop with ``python stop.py RUN_DIRECTORY``.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import re
import shlex
import subprocess
import sys
from pathlib import Path

from stop import LOCAL, stop_all

HERE = Path(__file__).resolve().parent
HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*\Z")  # nothing ssh could take for an option


def host_name(text: str) -> str:
    """Check a host's name."""
    if not HOST_NAME.match(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no host name")
    return text


def bind_address(text: str) -> str:
    """Check an address to listen on: whoever reaches a Dask port can run code, so not on every interface."""
    try:
        everywhere = ipaddress.ip_address(text).is_unspecified
    except ValueError:
        everywhere = not HOST_NAME.match(text)
    if everywhere:
        raise argparse.ArgumentTypeError(f"{text!r} would listen everywhere; give the cluster's own address")
    return text


def url_host(address: str) -> str:
    """Address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def supervised(host: str, name: str, run: Path, command: list[str], ssh: str) -> None:
    """Start one supervised command on a host and return."""
    loop = [
        sys.executable, str(HERE / "supervise.py"), "--folder", str(run / host), "--name", name,
        "--config", str(HERE / "dask.yaml"), "--detach", "--", *command,
    ]  # fmt: skip
    local = host in LOCAL or name == "scheduler"
    subprocess.run(loop if local else [*shlex.split(ssh), host, shlex.join(loop)], check=True, timeout=60)


def scheduler_address(options: argparse.Namespace) -> str:
    """Address of the scheduler for workers and clients."""
    protocol = "tls" if options.tls_cert else "tcp"
    return f"{protocol}://{url_host(options.address)}:{options.port}"


def certificates(options: argparse.Namespace) -> list[str]:
    """Spell out the certificates for a command line; nothing without them."""
    names = ("tls_ca_file", "tls_cert", "tls_key") if options.tls_cert else ()
    return [part for name in names for part in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]


def scheduler_command(options: argparse.Namespace) -> list[str]:
    """Command line of the scheduler."""
    return [
        sys.executable, "-m", "distributed.cli.dask_scheduler",
        "--host", options.address, "--port", str(options.port), *certificates(options),
        "--protocol", "tls" if options.tls_cert else "tcp",
        "--dashboard-address", f"{url_host(options.address)}:{options.dashboard_port}",
        "--scheduler-file", str(options.run / "scheduler.json"), *options.scheduler_option,
    ]  # fmt: skip


def worker_command(options: argparse.Namespace, host: str) -> list[str]:
    """Command line of one worker; it waits half a minute for a scheduler, then its loop tries again."""
    address = "127.0.0.1" if host == "localhost" else host
    where = ["--interface", options.interface] if options.interface else ["--host", address]
    # Workers have a small web server too, which listens everywhere unless told otherwise
    web = f"{url_host(address)}:0"
    return [
        sys.executable, "-m", "distributed.cli.dask_worker",
        scheduler_address(options), *where, *certificates(options),
        "--dashboard-address", web, "--no-dashboard",
        "--nthreads", str(options.threads), "--memory-limit", options.memory, "--death-timeout", "30",
        "--local-directory", str(options.run / host / "scratch"), *options.worker_option,
    ]  # fmt: skip


async def all_there(options: argparse.Namespace, workers: int) -> None:
    """Wait until the workers have come."""
    from distributed import Client, Security  # slow to import, and --help should not be

    security = None
    if options.tls_cert:
        ours = {"tls_client_cert": str(options.tls_cert), "tls_client_key": str(options.tls_key)}
        security = Security(require_encryption=True, tls_ca_file=str(options.tls_ca_file), **ours)
    address, seconds = scheduler_address(options), options.wait
    async with Client(address, asynchronous=True, timeout=seconds, security=security) as client:
        await client.wait_for_workers(workers, timeout=seconds)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hosts", nargs="+", type=host_name, help="hosts to run workers on")
    parser.add_argument("--run", type=Path, required=True, help="folder for pid files, logs, scheduler.json")
    parser.add_argument("--address", type=bind_address, default="127.0.0.1", help="the scheduler's")
    parser.add_argument("--port", type=int, default=8786, help="the scheduler's port")
    parser.add_argument("--dashboard-port", type=int, default=8787, help="at the same address")
    parser.add_argument("--interface", type=host_name, help="network interface of the workers, e.g. ib0")
    parser.add_argument("--workers", type=int, default=1, help="workers on each host")
    parser.add_argument("--threads", type=int, default=2, help="threads of each worker")
    parser.add_argument("--memory", default="auto", help="memory limit of each worker, e.g. 16GB")
    for name, what in (("ca-file", "authority"), ("cert", "certificate"), ("key", "key")):
        parser.add_argument(f"--tls-{name}", type=Path, help=f"{what} (PEM); all three, and all is encrypted")
    parser.add_argument("--ssh", default="ssh -o BatchMode=yes", help="how to reach other hosts")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for all workers")
    parser.add_argument("--scheduler-option", action="append", default=[], help="passed on; may be repeated")
    parser.add_argument("--worker-option", action="append", default=[], help="passed on; may be repeated")
    options = parser.parse_args(arguments)
    options.run = options.run.resolve()
    for name in ("tls_ca_file", "tls_cert", "tls_key"):
        if (file := getattr(options, name)) is not None:
            setattr(options, name, file.resolve())
    if len({options.tls_ca_file is None, options.tls_cert is None, options.tls_key is None}) > 1:
        parser.error("TLS is mutual: give all of --tls-ca-file, --tls-cert and --tls-key")
    if options.port == 0:
        parser.error("workers must find a restarted scheduler again: give a port, not 0")
    if any(host not in LOCAL for host in options.hosts) and options.address in LOCAL:
        parser.error("other hosts cannot reach a scheduler on loopback: give --address")
    return options


def main() -> int:
    """Start everything, wait for it, say where it is; on failure stop what was started."""
    options = parse()
    options.run.mkdir(parents=True, exist_ok=True)
    if list(options.run.glob("*/*.pid")):
        print(f"{options.run} has pid files: run stop.py on it first, or use another folder", file=sys.stderr)
        return 1
    hosts = list(dict.fromkeys(options.hosts))
    try:
        supervised("localhost", "scheduler", options.run, scheduler_command(options), options.ssh)
        for host in hosts:
            for number in range(options.workers):
                command = worker_command(options, host)
                supervised(host, f"worker-{number}", options.run, command, options.ssh)
        asyncio.run(all_there(options, len(hosts) * options.workers))
    except (OSError, TimeoutError, subprocess.SubprocessError) as error:
        print(f"not all came up: {error}\nlogs: {options.run}/*/*.log", file=sys.stderr)
        stop_all(options.run, options.ssh)
        return 1
    except KeyboardInterrupt:
        stop_all(options.run, options.ssh)
        return 130
    address = scheduler_address(options)
    print(f"scheduler at {address}, {len(hosts) * options.workers} workers, logs below {options.run}")
    print(f"next: python -m visiomatic_dask serve DATA --scheduler {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
