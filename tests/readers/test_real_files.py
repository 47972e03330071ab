"""Real files of many makers: each opens and equals what astropy reads, or is refused for the right reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.cube import Window
from visiomatic_dask.errors import UnsupportedFormat
from visiomatic_dask.readers import open_cube

OPENED: dict[str, dict[str, tuple[tuple[int, ...], str]]] = {
    "admit/mom_integ_test_input.fits": {"PRIMARY": ((1, 50, 128, 128), "float32")},
    "aegean/1904-66_SIN_3d.fits": {"PRIMARY": ((3, 192, 192), "float32")},
    "aegean/small_5D.fits": {"PRIMARY": ((1, 1, 1, 20, 20), "float32")},
    "afw/HSC-0908120-056-small.fits": {
        "1": ((200, 200), "float32"),
        "2": ((200, 200), "uint16"),
        "3": ((200, 200), "float32"),
    },
    "astropy/fixed-1890.fits": {"PRIMARY": ((100, 100), "uint16")},
    "astropy/o4sp040b0_raw.fits": {"SCI": ((44, 62), "uint16"), "SCI,2": ((44, 62), "uint16")},
    "astropy/scale.fits": {"PRIMARY": ((21, 20), "float32")},
    "astropy/test0.fits": {
        "SCI": ((40, 40), "int16"),
        "SCI,2": ((40, 40), "int16"),
        "SCI,3": ((40, 40), "int16"),
        "SCI,4": ((40, 40), "int16"),
    },
    "astropy-data/M13_blue_0001.fits": {"PRIMARY": ((1040, 1392), "uint16")},
    "astropy-data/gc_2mass_k.fits": {"PRIMARY": ((720, 721), "float32")},
    "astropy-data/l1448_13co.fits": {"PRIMARY": ((53, 105, 105), "float32")},
    "carta-backend/M17_SWex_unit.fits": {"PRIMARY": ((1, 5, 6, 6), "float32")},
    "carta-backend/noise_10px_10px.fits": {"PRIMARY": ((10, 10), "float32")},
    "carta-backend/noise_3d.fits": {"PRIMARY": ((10, 10, 10), "float32")},
    "carta-backend/noise_3d_degen.fits": {"PRIMARY": ((1, 10, 10, 10), "float32")},
    "carta-backend/noise_3d_degen_casa.fits": {"PRIMARY": ((10, 1, 10, 10), "float32")},
    "carta-backend/noise_4d.fits": {"PRIMARY": ((2, 5, 10, 10), "float32")},
    "carta-backend/noise_4d_casa.fits": {"PRIMARY": ((5, 2, 10, 10), "float32")},
    "carta-backend/small_perplanebeam.fits": {"PRIMARY": ((11, 21, 20), "float32")},
    "fitscube/cube.fits": {"PRIMARY": ((1, 3, 100, 100), "float32")},
    "fitscube/test_timecube.fits": {"PRIMARY": ((1, 724, 10, 10), "float32")},
    "fitsio/test_rice_dither2_seed42.fits": {"PRIMARY": ((100, 100), "float64")},
    "fitsrs/Astro_UIT.fits": {"PRIMARY": ((512, 512), "float32")},
    "fitsrs/HST_WFPC_II.fits": {"PRIMARY": ((4, 200, 200), "float32")},
    "fitsrs/Npix691539.fits": {"PRIMARY": ((512, 512), "float32")},
    "ginga/ginga.fits": {"PRIMARY": ((3, 512, 512), "uint8")},
    "glue/w5.fits": {"PRIMARY": ((1000, 1000), "float32")},
    "mpdaf/CUBE.fits": {"DATA": ((1595, 10, 20), "float64"), "STAT": ((1595, 10, 20), "float32")},
    "mpdaf/IMAGE-HDFS-1.34.fits": {
        "DATA": ((331, 326), "float32"),
        "STAT": ((331, 326), "float32"),
        "DQ": ((331, 326), "uint8"),
    },
    "mpdaf/a370II.fits": {"PRIMARY": ((1797, 1909), "int16")},
    "mpdaf/origin-00026.fits": {
        "IMA_MUSE_WHITE_DATA": ((25, 25), "float32"),
        "IMA_MUSE_WHITE_STAT": ((25, 25), "float32"),
    },
    "mpdaf/segmap.fits": {"PRIMARY": ((90, 90), "int64")},
    "mpdaf/subcub_mosaic.fits": {
        "DATA": ((500, 30, 30), "float32"),
        "STAT": ((500, 30, 30), "float32"),
        "FIELDMAP": ((30, 30), "int64"),
    },
    "nom-tam-fits/m13.fits": {"PRIMARY": ((300, 300), "int16")},
    "nom-tam-fits/m13real.fits": {"PRIMARY": ((300, 300), "float32")},
    "pyspeckit/region5_hcn_crop.fits": {"PRIMARY": ((352, 37, 47), "float32")},
    "sunpy/AIA20110319_105400_0171.fits": {"PRIMARY": ((1024, 1024), "float64")},
}

REFUSED = {
    "carta-backend/M17_SWex_unit.hdf5": "HDF5",
    "enmap/cubus_gamsberg_subset": "unknown",
    "rioxarray/tmmx_20190121.nc": "HDF5",
    "tensorly/Indian_pines_corrected.npy": "NumPy",
    "xarray-data/basin_mask.nc": "HDF5",
    "astropy/comp.fits": "tile-compressed",
    "fitsio/test_rice_dither2_seed42.fits.fz": "tile-compressed",
    "fitsjs/CFHTLS_03_g_sci.fits.fz": "tile-compressed",
    "fitsrs/Random_Groups.fits": "random groups",
    "legacypipe/c4d_130105_065255_ood_r_a1-N15.fits.fz": "tile-compressed",
    "legacypipe/c4d_130105_065255_ooi_r_a1-N15.fits.fz": "tile-compressed",
    "maskmoment/NGC4047.co.smo7msk.fits.gz": "gzip",
    "nom-tam-fits/m13_gzip.fits": "tile-compressed",
    "nom-tam-fits/m13_hcomp.fits": "tile-compressed",
    "nom-tam-fits/m13_plio.fits": "tile-compressed",
    "nom-tam-fits/m13_rice.fits": "tile-compressed",
    "nom-tam-fits/m13real_rice.fits": "tile-compressed",
    "obs_lsst/CC_S_20240404_000780_R22_S01.fits": "gzip",
    "obs_lsst/itl_expected_assembled.fits.gz": "gzip",
    "obs_lsst/itl_spot.fits.gz": "gzip",
    "profound/r.fits": "tile-compressed",
}

REASONS = {
    "gzip": r"compressed with gzip; unpack it first",
    "tile-compressed": r"tile-compressed images only, .* funpack",
    "random groups": r"random groups \(UVFITS visibilities\), not an image",
    "HDF5": r"HDF5 and NetCDF 4 cannot be read yet",
    "NumPy": r"NumPy arrays cannot be read yet",
    "unknown": r"its content is of no known format",
}

# What astropy says of these files, which is not what is tested here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning"),
]


def test_table_is_complete(real_files: Path) -> None:
    present = {str(path.relative_to(real_files)) for path in real_files.glob("*/*.fits*")}
    assert present == {name for name in {**OPENED, **REFUSED} if ".fits" in name}


@pytest.mark.parametrize("name", OPENED)
def test_layers_are_as_known(real_files: Path, name: str) -> None:
    cube = open_cube(real_files / name)
    assert {layer.name: (layer.shape, str(layer.dtype)) for layer in cube.layers} == OPENED[name]


@pytest.mark.parametrize("name", OPENED)
def test_pixels_equal_astropys(real_files: Path, name: str) -> None:
    layers = open_cube(real_files / name).layers
    with fits.open(real_files / name, memmap=False, ignore_missing_end=True, ignore_missing_simple=True) as hdus:
        images = [hdu for hdu in hdus if isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU) and len(hdu.shape) >= 2]
        assert len(images) == len(layers)
        for hdu, layer in zip(images, layers, strict=True):
            pixels = hdu.data
            assert layer.reader.dtype == pixels.dtype.newbyteorder("=")
            np.testing.assert_array_equal(layer.reader.read(Window.whole(layer.shape)), pixels)
            random = np.random.default_rng(0)
            for _ in range(20):
                start = tuple(int(random.integers(n)) for n in layer.shape)
                stop = tuple(int(random.integers(a, n)) + 1 for a, n in zip(start, layer.shape, strict=True))
                window = Window(start, stop, tuple(int(random.integers(1, 4)) for _ in start))
                np.testing.assert_array_equal(layer.reader.read(window), pixels[window.slices])


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_reason(real_files: Path, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=REASONS[REFUSED[name]]) as caught:
        open_cube(real_files / name)
    assert str(caught.value).startswith(Path(name).name)


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
