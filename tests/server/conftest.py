"""A folder of cubes, and a server of it for each module."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from ..service import Service, serving


@dataclass(frozen=True)
class Sky:
    """The cubes that tests look at, as arrays in the order of the file."""

    folder: Path
    sky: NDArray[np.float32]
    """Three channels, 1025 x 1030: at level 2, 256 columns rounded down are one tile, rounded up two."""
    small: NDArray[np.float64]
    """Scaled 16-bit integers with BLANK, as physical values."""
    four: NDArray[np.float64]
    """Four axes: (2, 4, 40, 50)."""


def _sky(rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = np.mgrid[:1030, :1025]
    planes = [10 * np.sin(x / (31 + c)) * np.cos(y / (47 - c)) + 0.01 * x - 0.004 * y + c for c in range(3)]
    sky = np.asarray(planes, np.float32) + rng.standard_normal((3, 1030, 1025)).astype(np.float32)
    sky[:, 100:140, 200:260] = np.nan
    sky[1, 900:960, 500:700] = np.nan
    return sky


@pytest.fixture(scope="session")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> Sky:
    folder = tmp_path_factory.mktemp("cubes")
    rng = np.random.default_rng(5)
    sky = _sky(rng)
    header = fits.Header()
    cards: dict[str, Any] = {
        "OBJECT": "Test nebula", "BUNIT": "Jy/beam", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "VRAD",
        "CUNIT3": "m/s", "CRVAL1": 83.8, "CRVAL2": -5.4, "CRVAL3": 1000.0, "CRPIX1": 513.0, "CRPIX2": 515.5,
        "CRPIX3": 1.0, "CDELT1": -2e-4, "CDELT2": 2e-4, "CDELT3": 500.0, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6,
        "PC2_2": 0.8, "RADESYS": "ICRS",
    }  # fmt: skip
    header.update(cards)
    fits.writeto(folder / "sky.fits", sky, header)

    stored = rng.integers(-300, 3000, (150, 300)).astype(np.int16)
    stored[10:20, 30:50] = -999
    hdu = fits.PrimaryHDU(stored)
    scaled = {"BSCALE": 0.5, "BZERO": 20.0, "BLANK": -999, "CDELT1": -1e-3, "CDELT2": 2e-3, "CROTA2": 30.0}
    hdu.header.update(scaled | {"FILTER": "r.MP9601"})
    hdu.writeto(folder / "small.fits", output_verify="fix")
    small = np.where(stored == -999, np.nan, stored * 0.5 + 20.0)

    (folder / "sub").mkdir()
    four = rng.standard_normal((2, 4, 40, 50))
    fits.writeto(folder / "sub" / "four.fits", four)
    layers = [
        fits.PrimaryHDU(),
        fits.ImageHDU(np.arange(12000, dtype=np.float32).reshape(2, 60, 100), name="SCI"),
        fits.ImageHDU(np.full((60, 100), 7, np.uint8), name="DQ"),
    ]
    fits.HDUList(layers).writeto(folder / "layers.fits")
    (folder / "notes.txt").write_text("no cube")
    (folder / "empty.fits").write_bytes(b"")
    whole = (folder / "small.fits").read_bytes()
    (folder / "truncated.fits").write_bytes(whole[:-8640])
    (folder / "garbled.fits").write_bytes(whole[:30] + b"\xff" * 2850 + whole[2880:])
    (folder / "packed.fits.xz").write_bytes(lzma.compress(whole))
    return Sky(folder, sky, small, four)


@pytest.fixture(scope="module")
def service(cubes: Sky) -> Iterator[Service]:
    with serving(cubes.folder, tile_threads=2) as running:
        yield running
