"""The cube that both servers are measured on: plain float32 FITS without NaN, like a five-band sky survey."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

CHANNELS = 5
BACKGROUND, NOISE = 100.0, 5.0

Spectra = Callable[[int], np.ndarray]
"""How bright every source is in a channel."""


def sky(folder: Path, size: int, channels: int = CHANNELS) -> Path:
    """Write the cube of this size unless it is there already, and return its path."""
    return _write(folder / f"sky-{channels}x{size}.fits", size, channels, _plain)


def spectral_sky(folder: Path, size: int, channels: int) -> Path:
    """Write a cube of many channels in which every source shines in a line of its own, and return its path."""
    return _write(folder / f"spectral-sky-{channels}x{size}.fits", size, channels, _lines)


def _plain(rng: np.random.Generator, count: int, _: int) -> Spectra:
    """Sources as bright as a colour makes them."""
    colour = rng.normal(0, 0.4, count)
    return lambda channel: np.exp(colour * (channel / 2 - 1))


def _lines(rng: np.random.Generator, count: int, channels: int) -> Spectra:
    """Sources with a line each, at any channel, on a weak continuum."""
    centre, width = rng.uniform(0, channels, count), rng.uniform(0.02, 0.2, count) * channels
    return lambda channel: 0.2 + np.exp(-np.square((channel - centre) / width))


def _write(path: Path, size: int, channels: int, spectra: Callable[[np.random.Generator, int, int], Spectra]) -> Path:
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20260801)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            file.write(_header(size, channels).tostring().encode("ascii"))
            x, y, peak = _stars(rng, size)
            spectrum = spectra(rng, peak.size, channels)
            for channel in range(channels):
                plane = rng.standard_normal((size, size), np.float32)
                plane *= np.float32(NOISE)
                plane += _glow(size)
                _add_stars(plane, x, y, peak * spectrum(channel))
                file.write(plane.astype(">f4").data)
            file.write(bytes(-file.tell() % 2880))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def cuts() -> tuple[float, float]:
    """Cuts that show both the noise and the stars; fixed, so that two servers render the same."""
    return BACKGROUND - 2 * NOISE, BACKGROUND + 60 * NOISE


def _stars(rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    count = max(5, size * size // 4000)
    peak = (4 * NOISE * rng.random(count) ** -1.25).clip(None, 60_000)
    return rng.uniform(0, size, count), rng.uniform(0, size, count), peak


def _add_stars(plane: np.ndarray, x: np.ndarray, y: np.ndarray, peak: np.ndarray) -> None:
    size = plane.shape[0]
    for at_x, at_y, light in zip(x, y, peak, strict=True):
        reach = 6 + 2 * (light / NOISE) ** 0.25
        left, low = max(0, int(at_x - reach)), max(0, int(at_y - reach))
        columns = np.arange(left, min(size, int(at_x + reach) + 1), dtype=np.float32) - at_x
        rows = np.arange(low, min(size, int(at_y + reach) + 1), dtype=np.float32) - at_y
        square = np.square(rows)[:, None] + np.square(columns)[None, :]
        plane[low : low + rows.size, left : left + columns.size] += light * (1 + square / 5) ** -2.5


def _glow(size: int) -> np.ndarray:
    """Background with a large soft source, so that tiles are not all alike."""
    along = np.linspace(-1, 1, size, dtype=np.float32)
    square = np.square(along)[:, None] + np.square(along - 0.2)[None, :]
    glow: np.ndarray = np.float32(BACKGROUND) + np.float32(20 * NOISE) * np.exp(-6 * square)
    return glow


def _header(size: int, channels: int) -> fits.Header:
    header = fits.Header()
    header["SIMPLE"], header["BITPIX"], header["NAXIS"] = True, -32, 3
    header["NAXIS1"], header["NAXIS2"], header["NAXIS3"] = size, size, channels
    header["OBJECT"] = "Benchmark sky"
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.2
    header["CRPIX1"] = header["CRPIX2"] = (size + 1) / 2
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -5e-5, 0.0, 0.0, 5e-5
    return header
