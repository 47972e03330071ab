"""What a gzipped FITS file costs: opened and one window of it read, by our reader and by astropy's, each in a process
of its own that has imported what it needs."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.cube import Window
from visiomatic_dask.readers import UnpackCache, open_cube

from .figures import Column, Measured, Row, Scale, Section, medians
from .load import MeasurementError
from .page_cache import load
from .servers import CACHE

SIDE = 256
LATER = 50
_STEPS = (
    ("opened for the first time, one window", "first"),
    ("opened again by another process, one window", "again"),
    ("a later window", "later"),
)
ROWS = (
    *(Row(f"{title}: {how}", f"{key}.{how}_ms", "ms") for title, key in _STEPS for how in ("wall", "processor")),
    Row("memory that it keeps", "memory_mb", "MB"),
)
Read = Callable[[int, int], NDArray[Any]]
"""Reads the window that starts at a row and a column."""


def ours(path: Path, cache: Path) -> Read:
    """Open with our reader."""
    reader = open_cube(path, cache=UnpackCache(cache, 2**40, 2**40)).layers[0].reader
    return lambda y, x: reader.read(Window((y, x), (y + SIDE, x + SIDE)))


def astropys(path: Path, _cache: Path) -> Read:
    """Open as astropy does by default, and make windows native, as a renderer needs them."""
    hdus = fits.open(path)
    return lambda y, x: hdus[0].data[y : y + SIDE, x : x + SIDE].astype(np.float32)


WHO = {"ours": ours, "astropy": astropys}


def noise(folder: Path, size: int) -> Path:
    """Write a gzipped image of noise, with the digits of a detector rather than all of float32, unless it is there."""
    path = folder / f"noise-{size}.fits.gz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(7).normal(1000, 30, (size, size))
        plain = path.with_suffix(".part")
        fits.writeto(plain, (np.round(values * 8192) / 8192).astype(np.float32), overwrite=True)
        packed = path.with_suffix(".gz.part")
        packed.write_bytes(gzip.compress(plain.read_bytes(), 6))
        packed.replace(path)
        plain.unlink()
    return path


def run(scale: Scale) -> Measured:
    """Let each open the file in fresh processes: first with nothing unpacked, then again."""
    path = noise(CACHE / "unpacked", scale.size)
    load(path)
    runs: dict[str, list[Column]] = {who: [] for who in WHO}
    folder = Path(tempfile.mkdtemp(prefix="unpacked-", dir=CACHE))
    try:
        for index in range(scale.runs):
            for who in random.Random(index).sample(list(WHO), len(WHO)):
                print(f"unpacked, {who}, run {index + 1}", file=sys.stderr)
                cache = folder / f"{who}-{index}"
                first, again = (_child(who, path, cache) for _ in range(2))
                shutil.rmtree(cache, ignore_errors=True)
                runs[who].append(
                    {f"first.{how}": first[f"open.{how}"] for how in ("wall_ms", "processor_ms")}
                    | {f"again.{how}": again[f"open.{how}"] for how in ("wall_ms", "processor_ms")}
                    | {key: value for key, value in again.items() if key.startswith(("later.", "memory"))}
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    plain = 4 * scale.size**2
    notes = [
        f"{scale.size}² float32, {plain / 1e6:.0f} MB, {plain / path.stat().st_size:.2f} times as large as its file; "
        f"windows of {SIDE}²; medians of {scale.runs} runs",
        "astropy keeps the whole image in memory, in each process; ours lies on the disk, once",
    ]
    return Measured(medians(runs), notes)


def _child(who: str, path: Path, cache: Path) -> Column:
    command = [sys.executable, "-m", "tests.benchmarks.unpacked", who, str(path), str(cache)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise MeasurementError(f"{who} ended with {finished.returncode}: {finished.stderr[-500:]}")
    found: Column = json.loads(finished.stdout)
    return found


def measure_here(who: str, path: Path, cache: Path) -> Column:
    """Open and read in this process."""
    before = _memory()
    wall, processor = time.perf_counter(), time.process_time()
    read = WHO[who](path, cache)
    read(0, 0)
    figures = _since(wall, processor, "open", 1)
    size = fits.getheader(path)["NAXIS1"]
    places = np.random.default_rng(0).integers(0, size - SIDE + 1, (LATER, 2)).tolist()
    wall, processor = time.perf_counter(), time.process_time()
    for y, x in places:
        read(y, x)
    return figures | _since(wall, processor, "later", LATER) | {"memory_mb": (_memory() - before) / 1e6}


def _since(wall: float, processor: float, key: str, count: int) -> Column:
    return {
        f"{key}.wall_ms": 1000 * (time.perf_counter() - wall) / count,
        f"{key}.processor_ms": 1000 * (time.process_time() - processor) / count,
    }


def _memory() -> int:
    """Resident bytes; not the most so far, which a child takes over from its parent."""
    return int(psutil.Process().memory_info().rss)


SECTION = Section("unpacked", "A gzipped FITS file", ROWS, run, reference="astropy")

if __name__ == "__main__":
    name, file, folder = sys.argv[1:]
    print(json.dumps(measure_here(name, Path(file), Path(folder))))
