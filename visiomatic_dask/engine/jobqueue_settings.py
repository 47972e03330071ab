"""Settings of jobs: ``jobqueue.slurm`` of Dask's configuration, checked before anything is started.

dask-jobqueue's own defaults are there once it has been imported.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import dask.config
from dask.utils import parse_bytes

from visiomatic_dask.errors import InvalidSetting

_THREADS = 4
"""Of a worker process, where ``jobqueue.slurm.processes`` does not say otherwise."""
_LOOPBACK = "127.0.0.1:0"


def job_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check the configuration, and add what is ours to what is there.

    Parameters
    ----------
    config : mapping
        Dask's settings; those of workers (``distributed.worker.…``) go into the job script.

    Returns
    -------
    dict
        Arguments for dask-jobqueue's cluster. What is not among them it takes from the configuration by itself.

    Raises
    ------
    InvalidSetting
        If something is missing or cannot be used.
    """
    cores = _checked("cores", _positive, "a number of cores for each job")
    _checked("memory", parse_bytes, 'memory for each job, as "16GB"')
    processes = _checked("processes", _positive, "a number of worker processes in each job", max(1, cores // _THREADS))
    scheduler = dict(configured("scheduler-options") or {})
    interface = _interface("interface", configured("interface"))
    if "host" not in scheduler:
        scheduler["interface"] = _interface("scheduler-options.interface", scheduler.get("interface", interface), True)
    if "dashboard_address" not in scheduler:
        scheduler |= {"dashboard_address": _LOOPBACK, "dashboard": False}
    exports = [
        f"export DASK_{key.upper().replace('.', '__').replace('-', '_')}={value}"
        for key, value in config.items()
        if key.startswith("distributed.worker.")
    ]
    # Every worker has a small web server, too, which listens on every interface unless told otherwise.
    web = ["--no-dashboard", "--dashboard-address", _LOOPBACK]
    # Dask's cluster takes no hint from the configuration here, though scheduler, workers and client do.
    encrypted = dask.config.get("distributed.comm.require-encryption")
    return {
        "protocol": "tls://" if encrypted else None,
        "processes": processes,
        "scheduler_options": scheduler,
        "worker_extra_args": [*web, *(configured("worker-extra-args") or [])],
        "job_script_prologue": [*exports, *(configured("job-script-prologue") or [])],
    }


def configured(name: str) -> Any:
    """Look a setting of ``jobqueue.slurm`` up; None where there is none."""
    return dask.config.get(f"jobqueue.slurm.{name}", None)


def _checked(name: str, check: Callable[[Any], Any], allowed: str, default: Any = None) -> Any:
    value = configured(name)
    if value is None and default is not None:
        return default
    try:
        return check(value)
    except (TypeError, ValueError, AttributeError) as error:
        said = "is not set" if value is None else f"is {value!r}"
        raise InvalidSetting(
            f"jobqueue.slurm.{name} {said}; allowed: {allowed}, in ~/.config/dask/jobqueue.yaml or the variable "
            f"DASK_JOBQUEUE__SLURM__{name.upper()}",
            name,
        ) from error


def _positive(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(value)
    return value


def _interface(name: str, value: Any, here: bool = False) -> str:
    """Insist on an interface: whoever reaches a Dask port can run code, and without one Dask listens on all."""
    interfaces = [interface for _, interface in socket.if_nameindex()]
    if not isinstance(value, str) or not value or (here and value not in interfaces):
        said = "is not set" if value is None else f"is {value!r}, which is not here"
        raise InvalidSetting(
            f"jobqueue.slurm.{name} {said}; allowed: a network interface inside the cluster, never a public one: "
            f"whoever reaches it can run code. This machine has {', '.join(interfaces)}",
            name,
        )
    return value
