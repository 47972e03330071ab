"""The demo cube as a file: header, planes one by one, and a name that appears only when all is there.

Each plane is a few array operations on the painted scene and is written before the next one is made, so
memory does not grow with the number of channels.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from visiomatic_dask.demo.fractal import Plane
from visiomatic_dask.demo.scene import HALF_BAND, Canvas, add_doubled, paint

Progress = Callable[[int, int], None]

LIGHT_SPEED = 299_792.458  # km/s
REST_WAVELENGTH = 6564.61  # Angstrom, H-alpha in vacuum
PIXEL_SCALE = 0.2  # arcsec
POSITION_ANGLE = 12.0  # degrees; not zero, so that a client that ignores the rotation is seen to
SKY = 6.0  # level of the background, in units of the noise
SMALLEST, LARGEST = 16, 65_536
FITS_BLOCK = 2880


def _plane(canvas: Canvas, rng: np.random.Generator, velocity: float, width: float) -> Plane:
    """Light of one channel with its photon and read-out noise."""
    plane: Plane = canvas.level + canvas.slope * np.float32(velocity / HALF_BAND)
    gas = [sheet.seen_in(velocity, width) for sheet in canvas.nebula]
    add_doubled(plane, np.sum(gas, axis=0, dtype=np.float32))
    for line in canvas.lines:
        plane[line.window] += line.seen_in(velocity, width)
    noise = rng.standard_normal(plane.shape, np.float32)
    noise *= np.sqrt(1 + np.maximum(plane, 0) / 40)
    plane += noise
    plane += np.float32(SKY)
    plane[canvas.missing] = np.nan
    return plane


def _header(height: int, width: int, channels: int, seed: int) -> fits.Header:
    scale, angle = PIXEL_SCALE / 3600, np.deg2rad(POSITION_ANGLE)
    step = 2 * HALF_BAND / channels / LIGHT_SPEED * REST_WAVELENGTH
    cards: list[tuple[str, Any, str]] = [
        ("SIMPLE", True, "conforms to the FITS standard"),
        ("BITPIX", -32, "32-bit floating point"),
        ("NAXIS", 3, ""),
        ("NAXIS1", width, ""),
        ("NAXIS2", height, ""),
        ("NAXIS3", channels, ""),
        ("OBJECT", "Demo nebula", "synthetic"),
        ("TELESCOP", "visiomatic_dask demo", "no photon was harmed"),
        ("ORIGIN", "visiomatic_dask", ""),
        ("DATE", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "when this file was written (UTC)"),
        ("DATE-OBS", "2026-01-01T00:00:00", "synthetic"),
        ("MJD-OBS", 61041.0, "the same"),
        ("BUNIT", "10**(-20) erg s-1 cm-2 Angstrom-1", ""),
        ("SEED", seed, "of the random numbers"),
        ("WCSAXES", 3, ""),
        ("CTYPE1", "RA---TAN", ""),
        ("CTYPE2", "DEC--TAN", ""),
        ("CTYPE3", "WAVE", "wavelength in vacuum"),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CUNIT3", "Angstrom", ""),
        ("CRVAL1", 83.82208, ""),
        ("CRVAL2", -5.39111, ""),
        ("CRVAL3", REST_WAVELENGTH, ""),
        ("CRPIX1", (width + 1) / 2, ""),
        ("CRPIX2", (height + 1) / 2, ""),
        ("CRPIX3", (channels + 1) / 2, ""),
        ("CD1_1", -scale * np.cos(angle), ""),
        ("CD1_2", scale * np.sin(angle), ""),
        ("CD2_1", scale * np.sin(angle), ""),
        ("CD2_2", scale * np.cos(angle), ""),
        ("CD3_3", step, "Angstrom a channel"),
        ("RESTWAV", REST_WAVELENGTH * 1e-10, "[m] H-alpha in vacuum"),
        ("RADESYS", "ICRS", ""),
        ("SPECSYS", "BARYCENT", ""),
    ]
    header = fits.Header(cards)
    header["COMMENT"] = "Not real data. Stars are more colourful along this short band than nature allows."
    return header


def write_demo(
    path: str | Path,
    *,
    width: int = 2048,
    height: int = 2048,
    channels: int = 24,
    seed: int = 7,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a synthetic datacube as a FITS file.

    Parameters
    ----------
    path
        File to write; it appears under this name only once it is complete.
    width, height
        Size of a plane in pixels.
    channels
        Number of planes; they share a fixed band, so more of them resolve the lines better.
    seed
        Start of the random numbers: the same seed and sizes give the same pixels.
    overwrite
        Replace a file that is already there.
    progress
        Called with (planes done, planes in all), first with nothing done.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If a size makes no sense.
    FileExistsError
        If the file is there and may not be replaced.
    """
    for name, value in (("width", width), ("height", height)):
        if not SMALLEST <= value <= LARGEST:
            raise ValueError(f"{name} is {value}; allowed: from {SMALLEST} to {LARGEST} pixels")
    if channels < 1:
        raise ValueError(f"channels is {channels}; at least 1 is needed")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it cannot be negative")
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is already there; ask to overwrite it or choose another name")
    report = progress or (lambda _done, _total: None)
    report(0, channels)
    rng = np.random.default_rng(seed)
    canvas = paint(height, width, rng)
    step = 2 * HALF_BAND / channels
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            file.write(_header(height, width, channels, seed).tostring().encode("ascii"))
            for channel in range(channels):
                plane = _plane(canvas, rng, (channel - (channels - 1) / 2) * step, step)
                file.write(plane.astype(">f4").data)
                report(channel + 1, channels)
            file.write(bytes(-file.tell() % FITS_BLOCK))
        if not overwrite and path.exists():  # somebody else was faster
            raise FileExistsError(f"{path} appeared while it was being written; it is left as it is")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
