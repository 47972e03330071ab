"""What windows of tile-compressed FITS images cost: our reader beside astropy's sections of the same file."""

from __future__ import annotations

import secrets
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from visiomatic_dask.cube import Reader, Window
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.shared_cache import CHUNKS

from .figures import Column, Measured, Row, Scale, Section
from .load import MeasurementError
from .servers import CACHE
from .sky import BACKGROUND, NOISE

SIDE = 256
LAYOUTS = {"rows": "tiles of one row", "squares": f"tiles of {SIDE}²"}
KINDS = {"square": f"{SIDE}² pixels", "band": f"{SIDE} rows"}
ROWS = (
    *(
        row
        for layout, tiles in LAYOUTS.items()
        for kind, window in KINDS.items()
        for row in (
            Row(f"{tiles}: {window}", f"{layout}.{kind}.ms", "ms"),
            Row(f"{tiles}: {window}, CPU", f"{layout}.{kind}.processor_ms", "ms"),
        )
    ),
    *(
        Row(f"{tiles}: {KINDS['square']}, 2 threads, each", f"{layout}.threads.ms", "ms")
        for layout, tiles in LAYOUTS.items()
    ),
)
Read = Callable[[Window], NDArray[Any]]


def compressed(folder: Path, size: int, layout: str) -> Path:
    """Write a noisy image by RICE, quantised and dithered, unless it is there already; return its path."""
    path = folder / f"compressed-{layout}-{size}.fits.fz"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(20260802).standard_normal((size, size), np.float32) * NOISE + BACKGROUND
    tile = (1, size) if layout == "rows" else (SIDE, SIDE)
    image = fits.CompImageHDU(
        pixels.astype(np.float32), compression_type="RICE_1", tile_shape=tile, quantize_method=1, dither_seed=1
    )
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def windows(size: int, kind: str, count: int) -> list[Window]:
    """Windows at random places, the same in every run."""
    random = np.random.default_rng(1)
    found = []
    for _ in range(count):
        y, x = (int(random.integers(size - SIDE + 1)) for _ in range(2))
        columns = (x, x + SIDE) if kind == "square" else (0, size)
        found.append(Window((y, columns[0]), (y + SIDE, columns[1])))
    return found


def run(scale: Scale) -> Measured:
    """Read the same windows in every way, one way after the other."""
    size, count = scale.size, 3 if scale.seconds < 2 else 20
    columns: dict[str, Column] = {}
    notes = []
    for layout in LAYOUTS:
        print(f"compressed, {layout}", file=sys.stderr)
        path = compressed(CACHE / str(size), size, layout)
        path.read_bytes()  # into the page cache
        notes.append(f"{LAYOUTS[layout]}: {path.stat().st_size / size**2:.2f} bytes a pixel")
        reader = open_cube(path).layers[0].reader
        with fits.open(path, memmap=False) as hdus:
            ways = _ways(path, reader, hdus[1].section)
            for kind in KINDS:
                chosen = windows(size, kind, count)
                _same_pixels(ways, chosen[0])
                for name, (read, keeps_tiles) in ways.items():
                    figures = columns.setdefault(name, {})
                    wall, processor = _measure(read, chosen, keeps_tiles)
                    figures |= {f"{layout}.{kind}.ms": wall, f"{layout}.{kind}.processor_ms": processor}
        columns["ours"][f"{layout}.threads.ms"] = _in_threads(reader, windows(size, "square", count))
    notes.append(f"medians of {count} windows of an image of {size}² float32, RICE_1, dithered; in the page cache")
    return Measured(columns, notes)


def _ways(path: Path, reader: Reader, section: Any) -> dict[str, tuple[Read, bool]]:
    """How a window can be read, and whether that may find tiles that were unpacked before."""

    def anew(window: Window) -> NDArray[Any]:
        return open_cube(path).layers[0].reader.read(window)

    def by_astropy_anew(window: Window) -> NDArray[Any]:
        with fits.open(path, memmap=False) as hdus:
            pixels: NDArray[Any] = hdus[1].section[window.slices]
        return pixels

    return {
        "ours": (reader.read, False),
        "ours, again": (reader.read, True),
        "ours, opened anew": (anew, False),
        "astropy": (lambda window: section[window.slices], False),
        "astropy, opened anew": (by_astropy_anew, False),
    }


def _same_pixels(ways: dict[str, tuple[Read, bool]], window: Window) -> None:
    expected = ways["astropy"][0](window)
    for name, (read, _) in ways.items():
        if not np.array_equal(read(window), expected):
            raise MeasurementError(f"{name} reads other pixels than astropy")


def _measure(read: Read, chosen: Sequence[Window], keeps_tiles: bool) -> tuple[float, float]:
    """Milliseconds of a window, on the clock and of CPU: medians."""
    walls, processors = [], []
    for window in chosen:
        CHUNKS.clear()
        if keeps_tiles:
            read(window)
        began, began_processor = time.perf_counter(), time.process_time()
        read(window)
        walls.append(1000 * (time.perf_counter() - began))
        processors.append(1000 * (time.process_time() - began_processor))
    return statistics.median(walls), statistics.median(processors)


def _in_threads(reader: Reader, chosen: Sequence[Window]) -> float:
    """Milliseconds on the clock for each of many windows, two at a time."""
    CHUNKS.clear()
    with ThreadPoolExecutor(2) as pool:
        began = time.perf_counter()
        for _ in pool.map(reader.read, chosen):
            pass
    return 1000 * (time.perf_counter() - began) / len(chosen)


SECTION = Section("compressed", "Tile-compressed images", ROWS, run, reference="astropy")
