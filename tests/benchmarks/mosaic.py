"""A mosaic of sixteen amplifiers, from a file that nobody has opened before to the first tile."""

from __future__ import annotations

import io
import json
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from PIL import Image

from .figures import Column, Measured, Row, Scale, Section, medians
from .load import MeasurementError
from .measure import JPEG, Pixels, compare
from .peer import agreement
from .servers import CACHE, VERSION, install_visiomatic, running

ROWS = (
    Row("INFO, from the first request on", "info_s", "s"),
    Row("first tile (INFO, then the coarsest tile)", "first_tile_s", "s"),
    Row("a tile of full resolution after that, never asked for before", "fine_tile_ms", "ms"),
    Row("disk used by the cache", "cache_mb", "MB"),
    Row("written to disk by all processes", "written_mb", "MB"),
)
COLUMNS, AMPLIFIERS = 8, 16
OVERSCAN = 64
_LOW, _HIGH = 80.0, 400.0


def detector(folder: Path, height: int) -> Path:
    """Write a detector of two rows of eight amplifiers, each read out towards its own corner, unless it is there.

    An amplifier has `height` × `height` / 2 pixels of int16 and a few columns of overscan. Those of the upper row run
    backwards along y, every other one along x. Across them lies one smooth picture with stars, so that a misplaced
    amplifier shows.
    """
    path = folder / f"detector-{AMPLIFIERS}x{height}.fits"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    width = height // 2
    picture = _picture(COLUMNS * width, 2 * height)
    hdus = fits.HDUList([fits.PrimaryHDU(header=fits.Header({"OBJECT": "Benchmark detector"}))])
    for number in range(AMPLIFIERS):
        row, column = divmod(number, COLUMNS)
        left, bottom = column * width, row * height
        flip_x, flip_y = bool(column % 2), bool(row)
        pixels = picture[bottom : bottom + height, left : left + width]
        pixels = pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        hdu = fits.ImageHDU(np.pad(pixels, ((0, 0), (0, OVERSCAN))), name=f"AMP{number:02d}")
        hdu.header["DATASEC"] = f"[1:{width},1:{height}]"
        hdu.header["DETSEC"] = f"[{_span(left, width, flip_x)},{_span(bottom, height, flip_y)}]"
        hdus.append(hdu)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        hdus.writeto(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def run(scale: Scale) -> Measured:
    """Measure, server by server in turns."""
    if "visiomatic" in scale.kinds:
        install_visiomatic()
    file = detector(CACHE / "mosaic", scale.size // 2)
    file.read_bytes()  # into the page cache: all servers find it there
    runs: dict[str, list[Column]] = {kind: [] for kind in scale.kinds}
    tiles: dict[str, dict[str, Pixels]] = {}
    folder = Path(tempfile.mkdtemp(prefix="mosaic-", dir=CACHE))
    try:
        for number in range(scale.runs):
            for kind in scale.kinds:
                figures, tiles[kind] = _measure(kind, file, scale.size, folder / f"{kind}-{number}")
                runs[kind].append(figures)
                print(
                    f"run {number + 1} of {scale.runs}, {kind}: first tile {figures['first_tile_s']:.2f} s",
                    file=sys.stderr,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first, *others = scale.kinds
    comparison = {kind: compare(tiles[first], tiles[kind]) for kind in others}
    return Measured(
        medians(runs),
        notes=[
            f"{scale.runs} fresh runs; {AMPLIFIERS} amplifiers of {scale.size // 4} × {scale.size // 2} int16 and "
            f"{OVERSCAN} columns of overscan, VisiOmatic {VERSION}",
            *(agreement(first, kind, differences) for kind, differences in comparison.items()),
        ],
        details={"runs": runs, "comparison": comparison},
    )


def _measure(kind: str, file: Path, size: int, folder: Path) -> tuple[Column, dict[str, Pixels]]:
    with running(kind, file.parent, folder) as server:
        base = f"/api?FIF={file.name}"
        began = time.perf_counter()
        info = json.loads(server.get(f"{base}&INFO")[1])
        figures = {"info_s": time.perf_counter() - began}
        _check(info, size)
        server.get(f"{base}&CHAN=1&JTL=0,0")
        figures["first_tile_s"] = time.perf_counter() - began
        finest = info["tile_levels"] - 1
        began = time.perf_counter()
        server.get(f"{base}&CHAN=1&JTL={finest},1")
        figures["fine_tile_ms"] = 1e3 * (time.perf_counter() - began)
        figures["cache_mb"] = server.cache_bytes() / 1e6
        figures["written_mb"] = server.tree.written_bytes() / 1e6
        columns = -(-info["full_size"][0] // info["tile_size"][0])
        found = {}
        for tile in (0, columns // 2, columns - 1):
            kind_of, body = server.get(f"{base}&CHAN=1&MINMAX=1:{_LOW},{_HIGH}&QLT=90&JTL={finest},{tile}")
            if kind_of not in JPEG:
                raise MeasurementError(f"tile {tile} is {kind_of}, not image/jpeg")
            found[f"{finest},{tile}"] = np.asarray(Image.open(io.BytesIO(body)).convert("RGB"), np.int16)
        return figures, found


def _check(info: dict[str, Any], size: int) -> None:
    if info["full_size"] != [2 * size, size] or len(info["images"]) != AMPLIFIERS:
        raise MeasurementError(
            f"a mosaic of {info['full_size']}, {len(info['images'])} images, not of {2 * size, size}"
        )


def _span(start: int, size: int, flip: bool) -> str:
    first, last = (start + size, start + 1) if flip else (start + 1, start + size)
    return f"{first}:{last}"


def _picture(width: int, height: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    random = np.random.default_rng(20260902)
    x, y = np.linspace(0, 3, width, dtype=np.float32), np.linspace(0, 2, height, dtype=np.float32)
    picture = random.standard_normal((height, width), np.float32) * 5
    picture += 150 + 50 * np.sin(3 * x)[None, :] * np.cos(2 * y)[:, None]
    stars = height * width // 4000
    picture[random.integers(0, height, stars), random.integers(0, width, stars)] += random.uniform(50, 5000, stars)
    return picture.clip(-1000, 32000).astype(np.int16)


SECTION = Section("mosaic", "A mosaic, opened", ROWS, run, reference="visiomatic")
