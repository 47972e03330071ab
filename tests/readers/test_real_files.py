"""Real files of many makers: each opens and equals what another library reads, or is refused for the right reason."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.benchmarks.opening import files_of
from tests.readers.oracles import pixels_of
from visiomatic_dask.cube import Window
from visiomatic_dask.errors import UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.xarray_backend import layer_to_xarray

SEGMENTS = {f"Segment{one}": ((2048, 576), "int32") for one in (*range(10, 18), *(f"{i:02}" for i in range(7, -1, -1)))}
"""Amplifiers of an ITL detector, in the order of their files."""

OPENED: dict[str, tuple[str, dict[str, tuple[tuple[int, ...], str]]]] = {
    "admit/mom_integ_test_input.fits": (
        "FITS",
        {
            "PRIMARY": ((1, 50, 128, 128), "float32"),
        },
    ),
    "aegean/1904-66_SIN_3d.fits": (
        "FITS",
        {
            "PRIMARY": ((3, 192, 192), "float32"),
        },
    ),
    "aegean/small_5D.fits": (
        "FITS",
        {
            "PRIMARY": ((1, 1, 1, 20, 20), "float32"),
        },
    ),
    "afw/HSC-0908120-056-small.fits": (
        "FITS",
        {
            "1": ((200, 200), "float32"),
            "2": ((200, 200), "uint16"),
            "3": ((200, 200), "float32"),
        },
    ),
    "astropy/comp.fits": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((300, 440), "int16"),
        },
    ),
    "astropy/fixed-1890.fits": (
        "FITS",
        {
            "PRIMARY": ((100, 100), "uint16"),
        },
    ),
    "astropy/o4sp040b0_raw.fits": (
        "FITS",
        {
            "SCI": ((44, 62), "uint16"),
            "SCI,2": ((44, 62), "uint16"),
        },
    ),
    "astropy/scale.fits": (
        "FITS",
        {
            "PRIMARY": ((21, 20), "float32"),
        },
    ),
    "astropy/test0.fits": (
        "FITS",
        {
            "SCI": ((40, 40), "int16"),
            "SCI,2": ((40, 40), "int16"),
            "SCI,3": ((40, 40), "int16"),
            "SCI,4": ((40, 40), "int16"),
        },
    ),
    "astropy-data/M13_blue_0001.fits": (
        "FITS",
        {
            "PRIMARY": ((1040, 1392), "uint16"),
        },
    ),
    "astropy-data/gc_2mass_k.fits": (
        "FITS",
        {
            "PRIMARY": ((720, 721), "float32"),
        },
    ),
    "astropy-data/l1448_13co.fits": (
        "FITS",
        {
            "PRIMARY": ((53, 105, 105), "float32"),
        },
    ),
    "carta-backend/M17_SWex_unit.fits": (
        "FITS",
        {
            "PRIMARY": ((1, 5, 6, 6), "float32"),
        },
    ),
    "carta-backend/M17_SWex_unit.hdf5": (
        "HDF5",
        {
            "DATA": ((1, 5, 6, 6), "float32"),
        },
    ),
    "carta-backend/noise_10px_10px.fits": (
        "FITS",
        {
            "PRIMARY": ((10, 10), "float32"),
        },
    ),
    "carta-backend/noise_10px_10px.hdf5": (
        "HDF5",
        {
            "DATA": ((10, 10), "float32"),
        },
    ),
    "carta-backend/noise_3d.fits": (
        "FITS",
        {
            "PRIMARY": ((10, 10, 10), "float32"),
        },
    ),
    "carta-backend/noise_3d_degen.fits": (
        "FITS",
        {
            "PRIMARY": ((1, 10, 10, 10), "float32"),
        },
    ),
    "carta-backend/noise_3d_degen_casa.fits": (
        "FITS",
        {
            "PRIMARY": ((10, 1, 10, 10), "float32"),
        },
    ),
    "carta-backend/noise_4d.fits": (
        "FITS",
        {
            "PRIMARY": ((2, 5, 10, 10), "float32"),
        },
    ),
    "carta-backend/noise_4d_casa.fits": (
        "FITS",
        {
            "PRIMARY": ((5, 2, 10, 10), "float32"),
        },
    ),
    "carta-backend/small_perplanebeam.fits": (
        "FITS",
        {
            "PRIMARY": ((11, 21, 20), "float32"),
        },
    ),
    "enmap/cubus_gamsberg_subset": (
        "ENVI",
        {
            "image": ((189, 25, 10), "float32"),
        },
    ),
    "fitscube/cube.fits": (
        "FITS",
        {
            "PRIMARY": ((1, 3, 100, 100), "float32"),
        },
    ),
    "fitscube/test_timecube.fits": (
        "FITS",
        {
            "PRIMARY": ((1, 724, 10, 10), "float32"),
        },
    ),
    "fitsio/test_rice_dither2_seed42.fits": (
        "FITS",
        {
            "PRIMARY": ((100, 100), "float64"),
        },
    ),
    "fitsio/test_rice_dither2_seed42.fits.fz": (
        "FITS",
        {
            "1": ((100, 100), "float64"),
        },
    ),
    "fitsjs/CFHTLS_03_g_sci.fits.fz": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((401, 401), "float32"),
        },
    ),
    "fitsrs/Astro_UIT.fits": (
        "FITS",
        {
            "PRIMARY": ((512, 512), "float32"),
        },
    ),
    "fitsrs/HST_WFPC_II.fits": (
        "FITS",
        {
            "PRIMARY": ((4, 200, 200), "float32"),
        },
    ),
    "fitsrs/Npix691539.fits": (
        "FITS",
        {
            "PRIMARY": ((512, 512), "float32"),
        },
    ),
    "ginga/ginga.fits": (
        "FITS",
        {
            "PRIMARY": ((3, 512, 512), "uint8"),
        },
    ),
    "glue/w5.fits": (
        "FITS",
        {
            "PRIMARY": ((1000, 1000), "float32"),
        },
    ),
    "legacypipe/c4d_130105_065255_ood_r_a1-N15.fits.fz": (
        "FITS",
        {
            "N15": ((375, 280), "int32"),
        },
    ),
    "legacypipe/c4d_130105_065255_ooi_r_a1-N15.fits.fz": (
        "FITS",
        {
            "N15": ((375, 280), "float32"),
        },
    ),
    "maskmoment/NGC4047.co.smo7msk.fits.gz": (
        "FITS",
        {
            "PRIMARY": ((1, 44, 128, 128), "float32"),
        },
    ),
    "mpdaf/CUBE.fits": (
        "FITS",
        {
            "DATA": ((1595, 10, 20), "float64"),
            "STAT": ((1595, 10, 20), "float32"),
        },
    ),
    "mpdaf/IMAGE-HDFS-1.34.fits": (
        "FITS",
        {
            "DATA": ((331, 326), "float32"),
            "STAT": ((331, 326), "float32"),
            "DQ": ((331, 326), "uint8"),
        },
    ),
    "mpdaf/a370II.fits": (
        "FITS",
        {
            "PRIMARY": ((1797, 1909), "int16"),
        },
    ),
    "mpdaf/origin-00026.fits": (
        "FITS",
        {
            "IMA_MUSE_WHITE_DATA": ((25, 25), "float32"),
            "IMA_MUSE_WHITE_STAT": ((25, 25), "float32"),
        },
    ),
    "mpdaf/segmap.fits": (
        "FITS",
        {
            "PRIMARY": ((90, 90), "int64"),
        },
    ),
    "mpdaf/subcub_mosaic.fits": (
        "FITS",
        {
            "DATA": ((500, 30, 30), "float32"),
            "STAT": ((500, 30, 30), "float32"),
            "FIELDMAP": ((30, 30), "int64"),
        },
    ),
    "nom-tam-fits/m13.fits": (
        "FITS",
        {
            "PRIMARY": ((300, 300), "int16"),
        },
    ),
    "nom-tam-fits/m13_gzip.fits": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((300, 300), "int16"),
        },
    ),
    "nom-tam-fits/m13_hcomp.fits": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((300, 300), "int16"),
        },
    ),
    "nom-tam-fits/m13_plio.fits": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((300, 300), "int16"),
        },
    ),
    "nom-tam-fits/m13_rice.fits": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((300, 300), "int16"),
        },
    ),
    "nom-tam-fits/m13real.fits": (
        "FITS",
        {
            "PRIMARY": ((300, 300), "float32"),
        },
    ),
    "nom-tam-fits/m13real_rice.fits": (
        "FITS",
        {
            "COMPRESSED_IMAGE": ((300, 300), "float32"),
        },
    ),
    "obs_lsst/CC_S_20240404_000780_R22_S01.fits": (
        "FITS",
        {
            "MOSAIC": ((4000, 4072), "int32"),
            **SEGMENTS,
        },
    ),
    "obs_lsst/itl_expected_assembled.fits.gz": (
        "FITS",
        {
            "PRIMARY": ((4000, 4072), "float32"),
        },
    ),
    "obs_lsst/itl_spot.fits.gz": (
        "FITS",
        {
            "MOSAIC": ((4000, 4072), "int32"),
            **SEGMENTS,
        },
    ),
    "profound/r.fits": (
        "FITS",
        {
            "1": ((2600, 2600), "float32"),
        },
    ),
    "pyspeckit/region5_hcn_crop.fits": (
        "FITS",
        {
            "PRIMARY": ((352, 37, 47), "float32"),
        },
    ),
    "rioxarray/tmmx_20190121.nc": (
        "NetCDF",
        {
            "air_temperature": ((585, 1386), "float32"),
        },
    ),
    "sunpy/AIA20110319_105400_0171.fits": (
        "FITS",
        {
            "PRIMARY": ((1024, 1024), "float64"),
        },
    ),
    "tensorly/Indian_pines_corrected.npy": (
        "NumPy",
        {
            "array": ((200, 145, 145), "uint16"),
        },
    ),
    "titiler-multidim/pyramid.zarr": (
        "Zarr",
        {
            "value": ((1, 250, 250), "float64"),
        },
    ),
    "titiler-multidim/zarr_store_v2.zarr": (
        "Zarr",
        {
            "CDD0": ((10, 36, 72), "float64"),
            "DISPH": ((10, 36, 72), "float64"),
            "FROST_DAYS": ((10, 36, 72), "float64"),
            "GWETPROF": ((10, 36, 72), "float64"),
        },
    ),
    "xarray-data/basin_mask.nc": (
        "NetCDF",
        {
            "basin": ((33, 180, 360), "float32"),
        },
    ),
}

REFUSED = {
    "fitsrs/Random_Groups.fits": r"it holds random groups \(UVFITS visibilities\), not an image; image them first",
    "enmap/cubus_gamsberg_subset.hdr": "it is the header of cubus_gamsberg_subset: open that",
}
TEXTS = "its content is of no known format"
"""Why catalogues (.csv) and regions (.reg, .crtf) are refused: they are laid over a cube, they are none."""

# What other libraries say of these files, which is not what is tested here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:zarr"),
]


def test_table_is_complete(real_files: Path) -> None:
    present = {str(path.relative_to(real_files)) for path in files_of(real_files)}
    assert present == {name for name in (*OPENED, *REFUSED) if not name.endswith(".hdr")}


@pytest.mark.parametrize("name", OPENED)
def test_opens_as_known(real_files: Path, name: str) -> None:
    cube = open_cube(real_files / name)
    assert (cube.format, {one.name: (one.shape, str(one.dtype)) for one in cube.layers}) == OPENED[name]


@pytest.mark.parametrize("name", OPENED)
def test_pixels_equal_those_of_another_library(real_files: Path, name: str) -> None:
    cube = open_cube(real_files / name)
    for layer in cube.layers:
        expected = pixels_of(real_files / name, cube.format, layer.name)
        array = layer_to_xarray(cube, layer)
        values = array.values
        assert values.dtype == layer.dtype
        np.testing.assert_array_equal(values, expected.astype(values.dtype))
        # Three places by themselves: the corners, and one where there is a value.
        somewhere = np.argwhere(np.isfinite(expected))
        places = [(0,) * expected.ndim, tuple(n - 1 for n in expected.shape)]
        places += [tuple(map(int, somewhere[len(somewhere) // 2]))] if len(somewhere) else []
        for place in places:
            np.testing.assert_array_equal(array[place].values, expected[place].astype(values.dtype))


@pytest.mark.parametrize("name", OPENED)
def test_windows_at_random_equal_the_whole(real_files: Path, name: str) -> None:
    random = np.random.default_rng(0)
    for layer in open_cube(real_files / name).layers[:3]:
        pixels = layer.reader.read(Window.whole(layer.shape))
        for _ in range(10):
            start = tuple(int(random.integers(n)) for n in layer.shape)
            stop = tuple(int(random.integers(a, n)) + 1 for a, n in zip(start, layer.shape, strict=True))
            window = Window(start, stop, tuple(int(random.integers(1, 4)) for _ in start))
            np.testing.assert_array_equal(layer.reader.read(window), pixels[window.slices])


@pytest.mark.parametrize("name", OPENED)
def test_xarray_opens_it_and_workers_can_read_it(real_files: Path, name: str) -> None:
    dataset = xr.open_dataset(real_files / name, engine="visiomatic", chunks={})
    assert len(dataset.data_vars) == len(OPENED[name][1])
    first = next(iter(dataset.data_vars.values()))
    again = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(again.compute(scheduler="threads").values, first.compute().values)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(real_files: Path, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=REFUSED[name]) as caught:
        open_cube(real_files / name)
    assert str(caught.value).startswith(Path(name).name)


def test_texts_are_refused(real_files: Path) -> None:
    texts = [path for suffix in ("csv", "reg", "crtf") for path in real_files.glob(f"*/*.{suffix}")]
    assert len(texts) > 20
    for path in texts:
        with pytest.raises(UnsupportedFormat, match=TEXTS):
            open_cube(path)


def test_opening_reads_little(real_files: Path) -> None:
    """Less than 1 MB of each, whatever library reads it; what is compressed as a whole had been unpacked before."""
    files = [str(real_files / name) for name in OPENED]
    command = [sys.executable, "-m", "tests.opening_costs", *files]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    read = {one["file"]: one["read"] for one in map(json.loads, done.stdout.splitlines())}
    assert set(read) == set(files)
    assert {file: size for file, size in read.items() if size >= 1_000_000} == {}


AXES = {
    "mpdaf/CUBE.fits": ["wavelength", "y", "x"],
    "astropy-data/l1448_13co.fits": ["velocity", "y", "x"],
    "pyspeckit/region5_hcn_crop.fits": ["velocity", "y", "x"],
    "admit/mom_integ_test_input.fits": ["stokes", "frequency", "y", "x"],
    "carta-backend/noise_4d.fits": ["stokes", "velocity", "y", "x"],
    "carta-backend/noise_4d_casa.fits": ["velocity", "stokes", "y", "x"],
    "fitscube/test_timecube.fits": ["stokes", "time", "y", "x"],
    "fitsrs/HST_WFPC_II.fits": ["group_number", "y", "x"],
    "ginga/ginga.fits": ["axis3", "y", "x"],
    "carta-backend/M17_SWex_unit.hdf5": ["stokes", "frequency", "y", "x"],
    "tensorly/Indian_pines_corrected.npy": ["channel", "y", "x"],
    "enmap/cubus_gamsberg_subset": ["wavelength", "y", "x"],
    "xarray-data/basin_mask.nc": ["Z", "Y", "X"],
    "rioxarray/tmmx_20190121.nc": ["lat", "lon"],
    "titiler-multidim/zarr_store_v2.zarr": ["time", "lat", "lon"],
}


@pytest.mark.parametrize("name", AXES)
def test_axes(real_files: Path, name: str) -> None:
    layer = open_cube(real_files / name).layers[0]
    assert [axis.name for axis in layer.axes] == AXES[name]
    assert all(axis.size == size for axis, size in zip(layer.axes, layer.shape, strict=True))


def test_what_is_wrong_is_told(real_files: Path) -> None:
    warnings = {
        "fitsrs/Npix691539.fits": "BLANK = -32768.0 is ignored: it is defined for integers only",
        "fitsrs/Astro_UIT.fits": "what follows HDU 0 is no FITS header and is left out",
        "mpdaf/a370II.fits": "RADECSYS= 'FK5 ' the RADECSYS keyword is deprecated, use RADESYSa.",
    }
    for name, warning in warnings.items():
        assert warning in open_cube(real_files / name).layers[0].warnings
