"""HDF5 and NetCDF files as the server shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from astropy.io import fits

from tests.readers.hdf5.idia_files import pixels, write

from ..service import Service, serving

VALUES = pixels((3, 200, 300))
RAMP = np.arange(4 * 60 * 80, dtype=np.float32).reshape(4, 60, 80)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("hdf5")
    write(
        folder / "cube.hdf5",
        VALUES,
        rotated=True,
        with_statistics=True,
        chunks=(1, 64, 64),
        compression="gzip",
        header={"CTYPE3": "FREQ", "CUNIT3": "Hz", "CRVAL3": 1e9, "CDELT3": 1e6, "CRPIX3": 1.0},
    )
    fits.writeto(folder / "cube.fits", VALUES)
    with netCDF4.Dataset(folder / "ramp.nc", "w") as file:
        for name, size in {"time": 4, "lat": 60, "lon": 80}.items():
            file.createDimension(name, size)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "hours since 2024-02-29"
        time[:] = [0, 12, 24, 36]
        file.createVariable("ramp", "f4", ("time", "lat", "lon"), zlib=True)[:] = RAMP
    with serving(folder) as running:
        yield running


def test_tiles_are_those_of_the_same_pixels_in_fits(served: Service) -> None:
    for tile in ("0/0/0", "0/0/1", "1/0/0"):
        query = "channel=1&cuts=-50,60"
        ours, twin = (served.ok(f"/cubes/cube.{suffix}/tiles/{tile}.png?{query}").body for suffix in ("hdf5", "fits"))
        assert ours == twin


def test_statistics_are_those_of_the_file(served: Service) -> None:
    finite = VALUES[0][np.isfinite(VALUES[0])]
    cuts = served.ok("/cubes/cube.hdf5/cuts?channel=0&method=minmax").json["cuts"]
    assert cuts == [float(finite.min()), float(finite.max())]
    assert served.ok("/cubes/cube.hdf5/cuts?channel=2&method=minmax").json["cuts"] == [0, 1]  # nothing is finite there


def test_spectrum(served: Service) -> None:
    values = served.ok("/cubes/cube.hdf5/values?x=7&y=9").json["values"]
    expected = VALUES[:, 8, 6]
    assert values == [float(one) if np.isfinite(one) else None for one in expected]


def test_description(served: Service) -> None:
    cube = served.ok("/cubes/cube.hdf5").json
    assert (cube["layer"], cube["shape"]) == ("DATA", [3, 200, 300])
    assert cube["channels"][1]["label"] == "1.001 GHz"
    ramp = served.ok("/cubes/ramp.nc").json
    assert (ramp["layer"], ramp["shape"]) == ("ramp", [4, 60, 80])
    assert [one["label"] for one in ramp["channels"]] == [
        "2024-02-29",
        "2024-02-29T12:00:00",
        "2024-03-01",
        "2024-03-01T12:00:00",
    ]
    assert served.ok("/cubes/ramp.nc/values?x=1&y=60&channel=2").json["values"] == [float(RAMP[2, 0, 0])]  # top row
