"""A real Slurm on this machine: Debian's munged, slurmctld and slurmd, on free ports of loopback, below one folder."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from tests.processes import free_port, is_alive, wait_until

DAEMONS = ("munged", "slurmctld", "slurmd")
PROGRAMS = (*DAEMONS, "mungekey", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
CPUS, MEMORY = 4, 4000  # as Slurm is told; there may be less
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

CONFIGURATION = """
ClusterName=visiomatic
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock
SlurmctldPort={controller}
SlurmdPort={daemon}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""


def missing_programs() -> list[str]:
    """Name what has to be installed: slurm-wlm, slurmctld, slurmd, slurm-client and munge."""
    return [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]


class Slurm:
    """A running Slurm, and how to ask it. Its commands find it by `configuration`, as SLURM_CONF."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration

    def run(self, *command: object) -> str:
        """Run one of its commands, and return what it writes."""
        environment = os.environ | {"SLURM_CONF": str(self.configuration)}
        words = list(map(str, command))
        finished = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
        assert finished.returncode == 0, f"{words}: {finished.stderr}"
        return finished.stdout

    def queue(self) -> dict[str, str]:
        """State of every job in the queue, by its id."""
        lines = self.run("squeue", "--noheader", "--format", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def jobs(self) -> list[str]:
        """Ids of the jobs that wait or run."""
        return [job_id for job_id, state in self.queue().items() if state != "COMPLETING"]

    def processes(self) -> list[psutil.Process]:
        """Every living process that was started in one of its jobs."""
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = one.environ()
                ours = environment.get("SLURM_CONF") == str(self.configuration)
                if ours and "SLURM_JOB_ID" in environment and is_alive(one):
                    found.append(one)
        return found

    def is_idle(self) -> bool:
        """Whether there is neither a job nor a process of one."""
        return not self.queue() and not self.processes()


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """Start a Slurm of one node below a folder, and end it with every job it has."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    configuration = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    ports = {"controller": free_port(), "daemon": free_port()}
    options = {"host": host, "user": getpass.getuser(), "folder": folder, "cpus": CPUS, "memory": MEMORY, **ports}
    configuration.write_text(CONFIGURATION.format(**options))
    slurm = Slurm(configuration)
    key, munge = folder / "munge.key", folder / "munge.sock"
    subprocess.run([_path("mungekey"), "--create", f"--keyfile={key}"], check=True, timeout=30)
    munged = (
        *("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}", "--num-threads=2"),
        *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"),
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(_daemon(munged, folder))
        wait_until(munge.exists, 20)
        stack.enter_context(_daemon(("slurmctld", "-D", "-f", str(configuration)), folder))
        wait_until(lambda: _answers(slurm, "scontrol", "ping", word="is UP"), 20)
        stack.enter_context(_daemon(("slurmd", "-D", "-f", str(configuration), "-N", host), folder))
        wait_until(lambda: _answers(slurm, "sinfo", "--noheader", "--format", "%T", word="idle"), 20)
        try:
            yield slurm
        finally:
            for job_id in slurm.jobs():
                slurm.run("scancel", job_id)
            wait_until(slurm.is_idle, 30)


def _answers(slurm: Slurm, *command: str, word: str) -> bool:
    try:
        return word in slurm.run(*command)
    except AssertionError:
        return False


def _path(program: str) -> str:
    found = shutil.which(program, path=PATH)
    assert found is not None, f"{program} is not installed"
    return found


@contextlib.contextmanager
def _daemon(command: Sequence[str], folder: Path) -> Iterator[None]:
    """Run a daemon in the foreground, in a session of its own, and end it."""
    name, *arguments = command
    with (folder / f"{name}.out").open("wb") as output:
        process = subprocess.Popen(
            [_path(name), *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
