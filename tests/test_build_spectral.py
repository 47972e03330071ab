"""The command ``build --spectral``, as a user meets it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.analysis import pixel_values
from visiomatic_dask.cube import Window
from visiomatic_dask.pyramid.store.spectral_copy import find_spectral
from visiomatic_dask.pyramid.store.spectral_reader import SpectralReader
from visiomatic_dask.readers import open_cube

from .processes import visiomatic

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = visiomatic("build", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_builds_and_says_so(tmp_path: Path) -> None:
    path, store = tmp_path / "sky.fits", tmp_path / "store"
    pixels = np.random.default_rng(1).standard_normal((50, 300, 401)).astype(np.float32)
    fits.writeto(path, pixels)
    first = run(path, "--spectral", "--store", store)
    assert first.returncode == 0, first.stderr
    found = re.fullmatch(
        r"sky.fits: built: spectra of 50 planes, (.*B) in 1 file; 24.1 MB read in .* s, .*B/s\n", first.stdout
    )
    assert found, first.stdout
    again = run(path, "--spectral", "--store", store)
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"sky.fits: already built: spectra of 50 planes, {found[1]} in 1 file\n"
    cube = open_cube(path)
    copy = find_spectral(str(store), cube.layer().reader.token)
    assert copy is not None
    reader = SpectralReader.of(copy)
    np.testing.assert_array_equal(reader.read(Window.whole(pixels.shape)), pixels)
    np.testing.assert_array_equal(pixel_values(reader, None, 7, 9), pixels[:, 9, 7])
    # Zoomed-out views are another matter.
    assert "built: level" in run(path, "--store", store).stdout


def test_what_there_is_no_use_in(tmp_path: Path) -> None:
    path, store = tmp_path / "plane.fits", tmp_path / "store"
    fits.writeto(path, np.zeros((300, 400), np.float32))
    finished = run(path, "--spectral", "--store", store)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "plane.fits: nothing to build, as spectra are read as fast from the file itself\n"
    assert not store.exists()
    finished = run(path, "--spectral", "--channels", "0", "--store", store)
    assert finished.returncode == 2
    assert "exclude each other" in finished.stderr
