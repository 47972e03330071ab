"""A mix of thousands of channels on two workers of little memory: time, memory, and who did how much of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvloop
from distributed import Client
from distributed.utils import key_split

from .figures import Column
from .mixed_viewport import MixedViewport
from .servers import running
from .sky import BACKGROUND, NOISE

MEMORY = "1 GB"
_BLOCK = 2880
_WRITTEN = 200
"""Every so many channels have pixels of their own; the others are holes in the file, and read as zeros."""


def sparse_cube(path: Path, channels: int, size: int) -> Path:
    """Write a cube of which the disk holds one channel in `_WRITTEN`."""
    cards = {"SIMPLE": "T", "BITPIX": -32, "NAXIS": 3, "NAXIS1": size, "NAXIS2": size, "NAXIS3": channels}
    header = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in cards.items()) + "END".ljust(80)
    offset, plane = -(-len(header) // _BLOCK) * _BLOCK, 4 * size * size
    rng = np.random.default_rng(4000)
    with path.open("wb") as file:
        file.write(header.ljust(offset).encode("ascii"))
        for channel in range(0, channels, _WRITTEN):
            file.seek(offset + channel * plane)
            pixels = BACKGROUND + NOISE * rng.standard_normal((size, size), np.float32)
            file.write(pixels.astype(">f4").tobytes())
        file.truncate(offset + -(-channels * plane // _BLOCK) * _BLOCK)
    return path


def measure_workers(folder: Path, channels: int, size: int) -> tuple[Column, dict[str, Any]]:
    """Mix a viewport of a sparse cube on two workers of one thread and 1 GB each.

    Parameters
    ----------
    folder : Path
        For the cube, logs and whatever is written; must not exist.
    channels, size : int
        Of the cube.

    Returns
    -------
    tuple
        Figures, and for each worker the tasks that it did, by prefix: how many, and seconds.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    cube = sparse_cube(data / "sparse.fits", channels, size)
    with running("ours-cluster", data, folder / "server", worker_options=("--memory-limit", MEMORY)) as server:
        viewport = MixedViewport(server, cube.name, channels, size)
        workers = {name: psutil.Process(pid) for name, pid in server.workers.items()}
        with Client(scheduler_file=str(server.scheduler_file), set_as_default=False) as client:
            client.get_task_stream()  # the scheduler takes notes from now on
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                asked = runner.run(_mix(viewport))
            coarse, exact = asked
            peaks = {name: _peak_memory(process.pid) for name, process in workers.items()}
            names = {one: str(known["name"]) for one, known in client.scheduler_info(n_workers=-1)["workers"].items()}
            tasks = _tasks(client.get_task_stream(), names)
    spent = {name: sum(seconds for _, seconds in tasks[name].values()) for name in workers}
    total = sum(spent.values())
    figures = {
        "many.coarse_s": coarse,
        "many.exact_s": exact,
        "many.peak_mb": max(peaks.values()),
        "many.largest_share": max(spent.values()) / total if total else 1.0,
    }
    for name in workers:
        figures |= {
            f"many.{name}.mb": peaks[name],
            f"many.{name}.tasks": float(sum(count for count, _ in tasks[name].values())),
            f"many.{name}.s": spent[name],
            f"many.{name}.share": spent[name] / total if total else 0.0,
        }
    return figures, {name: dict(tasks[name]) for name in workers}


async def _mix(viewport: MixedViewport) -> tuple[float, float]:
    """Seconds until there is a picture of everything, previews or not, and until none is one."""
    try:
        await viewport.open()
        first = await viewport.ask(viewport.resource("contrast=1"))
        return first.seconds, first.seconds + await viewport.until_exact(first.previews)
    finally:
        viewport.close()


def _tasks(stream: list[dict[str, Any]], names: dict[str, str]) -> defaultdict[str, dict[str, tuple[int, float]]]:
    """Count the tasks of mixing and their seconds, by worker and prefix."""
    found: defaultdict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
    for task in stream:
        prefix = key_split(task["key"])
        if not prefix.startswith("mix-"):
            continue
        seconds = sum(one["stop"] - one["start"] for one in task["startstops"] if one["action"] == "compute")
        count, before = found[names[task["worker"]]].get(prefix, (0, 0.0))
        found[names[task["worker"]]][prefix] = (count + 1, before + seconds)
    return found


def _peak_memory(pid: int) -> float:
    """Megabytes that a process has had in memory at most, mapped files included (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
