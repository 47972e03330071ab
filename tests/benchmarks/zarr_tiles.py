"""Beside titiler.xarray: tiles of a Zarr 3 pyramid, by our server and by one of titiler's, from the same chunks.

The plane is the whole world in web Mercator, so that a tile of titiler's is a tile of ours, pixel by pixel: nothing is
resampled. Both have two cores, and the dataset open. Twice: tiles never seen before, one plane after the other, and the
same tiles at new cuts, for which we have the pixels in memory and titiler reads the chunks again.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import uvloop
from numpy.typing import NDArray
from PIL import Image

from .figures import Better, Column, Measured, Row, Scale, Section
from .http_client import CONNECTIONS, Connection, Timed, fetch_all
from .load import MeasurementError
from .served_cube import ServedCube
from .servers import CACHE, TITILER_VERSION, Running, running, running_titiler
from .tree import Tree

TILE, CHUNK, CHANNELS = 256, 512, 8
LOW, HIGH = 80.0, 140.0
_WORLD = 20037508.342789244  # half of the equator in metres: what web Mercator reaches to
_LOOKS = (("first look", "jpg"), ("new cuts", "jpg"), ("new cuts", "png"))

Paths = Callable[[int, int, int, int, str], str]
"""Address of a tile, from channel, row, column, step of the cuts, and suffix."""

_FIGURES: tuple[tuple[str, str, str, Better], ...] = (
    ("CPU", "processor_ms", "ms", "less"),
    ("p50 at 1 connection", "p50_1", "ms", "less"),
    (f"p50 at {CONNECTIONS} connections", "p50", "ms", "less"),
    (f"rate at {CONNECTIONS} connections", "tiles_per_second", "/s", "more"),
    ("bytes", "bytes", "B", None),
)
ROWS = tuple(
    Row(f"{look}, {suffix}: {what}", f"{look}.{suffix}.{key}", unit, better)
    for look, suffix in _LOOKS
    for what, key, unit, better in _FIGURES
)


def zarr_sky(folder: Path, size: int) -> Path:
    """Write the pyramid unless it is there already: a group for every level, as NGFF and xarray can open it."""
    path = folder / f"sky-{CHANNELS}x{size}.zarr"
    if path.exists():
        return path
    import zarr

    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".zarr-", dir=folder))
    levels = size.bit_length() - TILE.bit_length() + 1
    axes: list[Any] = [
        {"name": name, "type": kind} for name, kind in (("channel", "channel"), ("y", "space"), ("x", "space"))
    ]
    datasets: list[Any] = []
    root = zarr.create_group(partial)
    arrays = []
    for level in range(levels):
        count, scale = size >> level, 2 * _WORLD / (size >> level)
        group = root.create_group(str(level))
        along = (np.arange(count) + 0.5) * scale - _WORLD
        group.create_array("x", data=along, dimension_names=["x"])
        group.create_array("y", data=-along, dimension_names=["y"])
        group.create_array("channel", data=np.arange(CHANNELS), dimension_names=["channel"])
        group.create_array("spatial_ref", shape=(), dtype="i4", attributes={"spatial_ref": "EPSG:3857"})
        arrays.append(
            group.create_array(
                "data", shape=(CHANNELS, count, count), chunks=(1, CHUNK, CHUNK), dtype="f4",
                fill_value=math.nan, dimension_names=["channel", "y", "x"], attributes={"grid_mapping": "spatial_ref"},
            )
        )  # fmt: skip
        steps = [{"type": "scale", "scale": [1.0, -scale, scale]}]
        datasets.append({"path": f"{level}/data", "coordinateTransformations": steps})
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets, "type": "mean"}]}
    rng = np.random.default_rng(20260801)
    for channel in range(CHANNELS):
        plane = _plane(rng, size)
        for array in arrays:
            array[channel] = plane
            plane = plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean((1, 3), dtype=np.float32)
    partial.replace(path)
    return path


def _plane(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Clouds and noise, rounded as a detector does: they compress to about a half."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(12 / size)
    phase = rng.uniform(0, 6, 2)
    plane = 100 + 12 * np.sin(x + np.float32(phase[0])) * np.cos(y + np.float32(phase[1]))
    plane += rng.standard_normal((size, size), np.float32) * np.float32(5)
    return np.round(plane * 16).astype(np.float32) / np.float32(16)


def run(scale: Scale) -> Measured:
    """Measure both, one after the other; ours alone where nobody asks for others."""
    size = TILE << ((scale.size // TILE).bit_length() - 1)  # titiler's tiles are halves of halves
    cube = zarr_sky(CACHE / "zarr" / str(size), size)
    for file in cube.rglob("*"):
        if file.is_file():
            file.read_bytes()  # into the page cache
    columns: dict[str, Column] = {}
    samples: dict[str, list[NDArray[np.int16]]] = {}
    folder = Path(tempfile.mkdtemp(prefix="zarr-tiles-", dir=CACHE))
    try:
        for kind in (*scale.ours, *(["titiler"] if "visiomatic" in scale.kinds else [])):
            print(f"zarr tiles, {kind}", file=sys.stderr)
            server = (
                running_titiler(cube, folder / kind) if kind == "titiler" else running(kind, cube.parent, folder / kind)
            )
            with server as one, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                columns[kind], samples[kind] = runner.run(_measure(one, cube, size, scale.seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    notes = [
        f"{CHANNELS} x {size} x {size} float32, Zarr 3, chunks of {CHUNK} x {CHUNK}, zstd; tiles of {TILE} x {TILE} at "
        "full resolution, files in the page cache"
    ]
    first, *others = samples
    for other in others:
        most = max(int(np.abs(a - b).max()) for a, b in zip(samples[first], samples[other], strict=True))
        notes.append(f"PNG tiles of {first} and {other} differ by at most {most} of 255")
    if "titiler" in columns:
        notes.append(f"titiler.xarray {TITILER_VERSION}, two processes of uvicorn; JPEG of quality 75 from both")
    return Measured(columns, notes)


async def _measure(server: Running, cube: Path, size: int, seconds: float) -> tuple[Column, list[NDArray[np.int16]]]:
    connections = [Connection(server.address) for _ in range(CONNECTIONS)]
    if "titiler" in server.parts:
        paths = _paths_of_titiler(cube, size)
    else:
        paths = _paths_of_ours(await ServedCube.ask(connections[0], cube.name))
    count = size // TILE
    tiles = [(row, column) for row in range(count) for column in range(count)]
    last = CHANNELS - 1
    for suffix in ("jpg", "png"):  # compilers finish, datasets are opened
        await _ask(connections, (paths(last, *tile, 0, suffix) for tile in tiles[:64]))
    figures: Column = {}
    step = itertools.count(1)
    for look, suffix in _LOOKS:
        if look == "first look":
            alone = [paths(channel, *tile, 0, suffix) for channel in range(2) for tile in tiles]
            together = [paths(channel, *tile, 0, suffix) for channel in range(2, last) for tile in tiles]
            several = iter(alone), iter(together)
        else:
            endless = (paths(last, *tile, number, suffix) for number in step for tile in tiles)
            await _ask(connections, itertools.islice(endless, len(tiles)))
            several = endless, endless
        found = {"p50_1": _p50(await _ask(connections[:1], _for_seconds(several[0], seconds / 2)))}
        found |= await _press(server.tree, connections, _for_seconds(several[1], seconds))
        figures |= {f"{look}.{suffix}.{key}": value for key, value in found.items()}
    answers = await _ask(connections[:1], (paths(last, *tile, 0, "png") for tile in tiles[:: max(1, len(tiles) // 4)]))
    for connection in connections:
        connection.close()
    return figures, [_grey(answer.answer.body) for answer in answers]


async def _press(tree: Tree, connections: Sequence[Connection], paths: Iterator[str]) -> Column:
    used, began = tree.processor_seconds(), time.perf_counter()
    answers = await _ask(connections, paths)
    used, took = tree.processor_seconds() - used, time.perf_counter() - began
    return {
        "processor_ms": 1000 * used / len(answers),
        "p50": _p50(answers),
        "tiles_per_second": len(answers) / took,
        "bytes": statistics.fmean(len(one.answer.body) for one in answers),
    }


def _p50(answers: Sequence[Timed]) -> float:
    return 1000 * statistics.median(one.seconds for one in answers)


def _for_seconds(paths: Iterator[str], seconds: float) -> Iterator[str]:
    """Give paths until the time is over, or there are none."""
    end = time.perf_counter() + seconds
    for path in paths:
        yield path
        if time.perf_counter() > end:
            return


async def _ask(connections: Sequence[Connection], paths: Iterator[str]) -> list[Timed]:
    answers = await fetch_all(connections, paths)
    if wrong := [one.answer for one in answers if one.answer.status != 200]:
        raise MeasurementError(
            f"{len(wrong)} of {len(answers)} tiles were answered {wrong[0].status}: {wrong[0].body[:300]!r}"
        )
    if not answers:
        raise MeasurementError("there were no tiles left to ask for")
    return answers


def _paths_of_ours(cube: ServedCube) -> Paths:
    def path(channel: int, row: int, column: int, step: int, suffix: str) -> str:
        keys: dict[str, Any] = {
            "channel": channel, "cuts": f"{LOW},{HIGH + 0.01 * step:.7g}", "gamma": 1, "colormap": "grey",
            "quality": 75, "v": cube.fingerprint,
        }  # fmt: skip
        return f"/cubes/{cube.name}/tiles/0/{row}/{column}.{suffix}?{urlencode(keys)}"

    return path


def _paths_of_titiler(cube: Path, size: int) -> Paths:
    zoom = (size // TILE).bit_length() - 1

    def path(channel: int, row: int, column: int, step: int, suffix: str) -> str:
        keys = {
            "url": cube, "group": "0", "variable": "data", "sel": f"channel={channel}",
            "rescale": f"{LOW},{HIGH + 0.01 * step:.7g}",
        }  # fmt: skip
        return f"/tiles/WebMercatorQuad/{zoom}/{column}/{row}.{suffix}?{urlencode(keys)}"

    return path


def _grey(content: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.int16)[..., 0]


SECTION = Section("zarr-tiles", "Tiles of Zarr beside titiler.xarray", ROWS, run, reference="titiler")
