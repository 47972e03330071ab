"""The demo cube: valid FITS, plausible content, and never half a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.units import Unit
from astropy.wcs import WCS

from visiomatic_dask.demo import write_demo

SMALL: dict[str, Any] = {"width": 150, "height": 121, "channels": 12}


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "sky.fits", **SMALL)


def test_file_is_valid_fits(cube: Path) -> None:
    with fits.open(cube) as hdus:
        hdus.verify("exception")
        assert hdus[0].data.shape == (12, 121, 150)
        assert hdus[0].header["BITPIX"] == -32
        assert Unit(hdus[0].header["BUNIT"], format="fits").is_equivalent("W m-2 m-1")
    assert cube.stat().st_size % 2880 == 0


def test_wcs_is_celestial_and_spectral(cube: Path) -> None:
    wcs = WCS(fits.getheader(cube))
    assert wcs.has_celestial
    assert wcs.has_spectral
    right_ascension, declination, wavelength = wcs.pixel_to_world_values(74.5, 60, 5.5)
    assert right_ascension == pytest.approx(83.82208)
    assert declination == pytest.approx(-5.39111)
    assert wavelength == pytest.approx(6564.61e-10, rel=1e-9)


def test_sky_has_stars_gas_and_pixels_without_data(cube: Path) -> None:
    data = fits.getdata(cube).astype(np.float64)
    median = float(np.nanmedian(data))
    spread = float(np.nanmedian(np.abs(data - median)))
    assert 0.3 < spread < 10
    assert np.nanmax(data) > median + 100 * spread
    share = np.isnan(data).mean()
    assert 0 < share < 0.1
    assert not np.isinf(data).any()
    brightness = np.nanmean(data, axis=(1, 2))
    assert brightness.max() > 1.05 * brightness.min()  # the lines come and go


def test_emission_lines_move_across_the_field(cube: Path) -> None:
    data = np.nan_to_num(fits.getdata(cube).astype(np.float64))
    brightest = data.argmax(axis=0)
    assert len(np.unique(brightest)) == 12


def test_same_seed_gives_the_same_pixels(cube: Path, tmp_path: Path) -> None:
    again = write_demo(tmp_path / "again.fits", **SMALL)
    other = write_demo(tmp_path / "other.fits", seed=8, **SMALL)
    np.testing.assert_array_equal(fits.getdata(again), fits.getdata(cube))
    assert np.nanmax(np.abs(fits.getdata(other) - fits.getdata(cube))) > 1


@pytest.mark.parametrize(("width", "height", "channels"), [(16, 16, 1), (17, 33, 2), (64, 16, 3)])
def test_smallest_sizes(tmp_path: Path, width: int, height: int, channels: int) -> None:
    path = write_demo(tmp_path / "tiny.fits", width=width, height=height, channels=channels)
    assert fits.getdata(path).shape == (channels, height, width)


def test_progress_counts_the_planes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_demo(tmp_path / "a.fits", width=32, height=32, channels=3, progress=lambda *at: seen.append(at))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("name", "value"), [("width", 3), ("height", 0), ("width", 70_000), ("channels", 0), ("seed", -1)]
)
def test_sizes_without_sense_are_refused(tmp_path: Path, name: str, value: int) -> None:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        write_demo(tmp_path / "a.fits", **wrong)
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="already there"):
        write_demo(path, width=16, height=16, channels=1)
    assert path.read_text() == "precious"
    write_demo(path, width=16, height=16, channels=1, overwrite=True)
    assert fits.getdata(path).shape == (1, 16, 16)


def test_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_demo(tmp_path / "a.fits", width=16, height=16, channels=2, progress=stop)
    assert not list(tmp_path.iterdir())
