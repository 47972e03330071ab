"""``/cubes/{name}/cutout.fits``: pixels, headers and world coordinates, as astropy reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import zarr
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from visiomatic_dask.engine import band_cuts, cutouts

from .. import reference
from ..service import Service, serving
from .conftest import Sky


def opened(service: Service, path: str) -> fits.PrimaryHDU:
    """Fetch a cut-out; astropy's complaints are errors here."""
    response = service.ok(f"/cubes/{path}")
    assert response.headers["Content-Type"] == "application/fits"
    assert len(response.body) == int(response.headers["Content-Length"])
    assert len(response.body) % 2880 == 0
    with fits.open(io.BytesIO(response.body)) as hdus:
        hdus.verify("exception")
        (hdu,) = hdus
        hdu.data  # noqa: B018 - read while the file is open
        return hdu


def same_sky(header: fits.Header, source: fits.Header, shift: tuple[int, ...], level: int, height: int) -> None:
    """Compare the world coordinates of random pixels of a cut-out with those of its source.

    `shift` is what the first pixel of the cut-out is at its level along each FITS axis, from 0.
    """
    new, old = WCS(header), WCS(source)
    rng = np.random.default_rng(3)
    pixels = np.column_stack([rng.uniform(1, header[f"NAXIS{i}"], 50) for i in range(1, new.naxis + 1)])
    there = pixels + np.asarray(shift)
    factor = 2.0**level
    there[:, 1] -= np.ceil(height / factor) - height / factor
    there[:, :2] = (there[:, :2] - 0.5) * factor + 0.5
    world = new.all_pix2world(pixels, 1)
    back = old.all_world2pix(world, 1)
    assert np.abs(back - there).max() < 1e-6


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of a few rows."""
    monkeypatch.setattr(band_cuts, "BAND_BYTES", 2**15)
    monkeypatch.setattr(cutouts, "BAND_BYTES", 2**15)


@pytest.mark.usefixtures("narrow")
def test_a_window_of_a_channel_range_is_astropys_own(service: Service, cubes: Sky) -> None:
    hdu = opened(service, "sky.fits/cutout.fits?box=101,51,900,700&channels=1-2")
    assert np.array_equal(hdu.data, cubes.sky[1:3, 50:700, 100:900], equal_nan=True)
    assert hdu.data.dtype == ">f4"
    same_sky(hdu.header, fits.getheader(cubes.folder / "sky.fits"), (100, 50, 1), 0, 1030)
    assert (hdu.header["OBJECT"], hdu.header["BUNIT"]) == ("Test nebula", "Jy/beam")
    history = "\n".join(hdu.header["HISTORY"])
    assert "from sky.fits, layer PRIMARY" in history
    assert str(cubes.folder) not in history


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("level", [1, 2])
def test_levels_are_means_of_the_finite_pixels(service: Service, cubes: Sky, level: int) -> None:
    hdu = opened(service, f"sky.fits/cutout.fits?level={level}&channels=1&box=150,60,901,1001")
    side, top = 2**level, 1030 - 1001
    whole = reference.level_of(cubes.sky[1], level)
    rows, columns = slice(top // side, -(-(1030 - 59) // side)), slice(149 // side, -(-901 // side))
    np.testing.assert_allclose(hdu.data[0], whole[rows, columns][::-1], rtol=1e-6)
    bottom = len(whole) - rows.stop
    same_sky(hdu.header, fits.getheader(cubes.folder / "sky.fits"), (columns.start, bottom, 1), level, 1030)


@pytest.mark.parametrize("dtype", ["u2", "f8"])
def test_levels_that_the_source_has_itself(tmp_path: Path, dtype: str) -> None:
    levels = [np.random.default_rng(6).integers(0, 60_000, (2, 512, 512)).astype(dtype)]
    for _ in range(2):
        planes, rows, columns = levels[-1].shape
        blocks = levels[-1].reshape(planes, rows // 2, 2, columns // 2, 2)
        levels.append(blocks.mean((2, 4)).astype(dtype))
    group = zarr.create_group(tmp_path / "image.zarr", zarr_format=2)
    for number, level in enumerate(levels):
        group.create_array(str(number), data=level, chunks=(1, 128, 128))
    scales: list[list[dict[str, Any]]] = [[{"type": "scale", "scale": [1, 2**k, 2**k]}] for k in range(3)]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "c", "type": "channel"}, *({"name": one, "type": "space"} for one in "yx")],
            "datasets": [{"path": str(k), "coordinateTransformations": scales[k]} for k in range(3)],
        }
    ]
    with serving(tmp_path, tile_size=64) as one:
        for number in (1, 2):
            hdu = opened(one, f"image.zarr/cutout.fits?level={number}&box=41,17,400,300&channels=1")
            side, height = 2**number, 512 // 2**number
            rows = slice((512 - 300) // side, height - 16 // side)
            assert hdu.data.dtype == ">f4"
            # Row 0 of such an image is at the top.
            assert np.array_equal(hdu.data[0, ::-1], levels[number][1, rows, 40 // side : 400 // side])


def test_a_cube_may_be_called_as_cutouts_are(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    for name in ("cutout.fits", "night/cutout.fits"):
        fits.writeto(tmp_path / name, np.full((9, 9), len(name), np.float32))
    with serving(tmp_path) as one:
        for name in ("cutout.fits", "night/cutout.fits", "night%2Fcutout.fits"):
            assert one.ok(f"/cubes/{name}").json["name"] == name.replace("%2F", "/")
            assert opened(one, f"{name}/cutout.fits").data[0, 0] == len(name.replace("%2F", "/"))
        response = one.get("/cubes/night/cutout.fits?box=1,1,2,2")
        assert (response.status, response.parameter) == (400, "box")
        assert one.get("/cubes/nothing/cutout.fits").message.startswith("name is 'nothing'")


def test_precision_and_scaling(service: Service, cubes: Sky) -> None:
    hdu = opened(service, "small.fits/cutout.fits?box=20,5,80,60")
    assert np.array_equal(hdu.data, cubes.small[4:60, 19:80], equal_nan=True)
    assert not {"BLANK", "BSCALE", "BZERO"} & set(hdu.header)
    assert hdu.header["FILTER"] == "r.MP9601"


def test_four_axes(service: Service, cubes: Sky) -> None:
    path = "sub/four.fits/cutout.fits?box=3,4,20,30"
    for channels, part in (("5-6", np.s_[1:2, 1:3]), ("0-7", np.s_[0:2]), ("4-7", np.s_[1:2]), ("7", np.s_[1:2, 3:4])):
        hdu = opened(service, f"{path}&channels={channels}")
        assert hdu.data.dtype == ">f8"
        assert np.array_equal(hdu.data, cubes.four[part][..., 3:30, 2:20])
    response = service.get(f"/cubes/{path}&channels=3-4")
    assert (response.status, response.parameter) == (400, "channels")


@pytest.mark.parametrize("query", ["channels=2-1", "channels=9", "channels=x", "box=1", "level=20", "style=1"])
def test_what_cannot_be_used_is_named(service: Service, query: str) -> None:
    response = service.get(f"/cubes/sky.fits/cutout.fits?{query}")
    assert (response.status, response.parameter) == (400, query.split("=")[0])


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_every_kind_of_pixel(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(2)
    kind = np.dtype(dtype)
    values: NDArray[Any] = rng.standard_normal((7, 9)).astype(kind)
    if kind.kind != "f":
        limits = np.iinfo(kind)
        values = rng.integers(limits.min, limits.max, (7, 9), dtype=kind, endpoint=True)
    fits.writeto(tmp_path / "kind.fits", values)
    with serving(tmp_path) as one:
        hdu = opened(one, "kind.fits/cutout.fits?box=2,2,8,6")
    assert np.array_equal(hdu.data, fits.getdata(tmp_path / "kind.fits")[1:6, 1:8])


@pytest.mark.parametrize("matrix", ["cd", "cdelt", "crota", "sip", "tpv", "mixed"])
@pytest.mark.parametrize("level", [0, 2])
def test_every_way_to_write_a_wcs(tmp_path: Path, matrix: str, level: int) -> None:
    kind = {"sip": "-SIP", "tpv": ""}.get(matrix, "")
    projection = "TPV" if matrix == "tpv" else "TAN"
    cards: dict[str, Any] = {
        "CTYPE1": f"RA---{projection}{kind}", "CTYPE2": f"DEC--{projection}{kind}", "CRVAL1": 40.0, "CRVAL2": 30.0,
        "CRPIX1": 60.5, "CRPIX2": -20.0,
    }  # fmt: skip
    match matrix:
        case "cd" | "sip" | "tpv":
            cards |= {"CD1_1": -1e-4, "CD1_2": 2e-5, "CD2_1": 3e-5, "CD2_2": 1e-4}
        case "crota":
            cards |= {"CDELT1": -1e-4, "CDELT2": 2e-4, "CROTA2": 20.0}
        case _:
            cards |= {"CDELT1": -1e-4, "CDELT2": 1e-4}
    if matrix == "sip":
        cards |= {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-5, "A_0_2": 2e-5, "B_1_1": -1e-5, "A_DMAX": 3.0}
    if matrix == "tpv":
        cards |= {"PV1_1": 1.0, "PV1_4": 0.01, "PV2_1": 1.0, "PV2_5": -0.02}
    shape: tuple[int, ...] = (151, 203)
    if matrix == "mixed":
        shape = (4, *shape)
        cards |= {
            "CTYPE3": "FREQ",
            "CUNIT3": "Hz",
            "CRVAL3": 1e9,
            "CRPIX3": 2.0,
            "CDELT3": 1e6,
            "PC3_1": 0.01,
            "PC1_2": 0.1,
        }
    header = fits.Header()
    header.update(cards)
    header["DATASEC"], header["CHECKSUM"] = "[1:203,1:151]", "0" * 16
    fits.writeto(tmp_path / "wcs.fits", np.zeros(shape, np.float32), header)
    with serving(tmp_path, tile_size=32) as one:
        hdu = opened(one, f"wcs.fits/cutout.fits?box=41,21,160,140&level={level}")
    assert not {"DATASEC", "CHECKSUM"} & set(hdu.header)
    side = 2**level
    bottom = -(-151 // side) - -(-(151 - 20) // side)
    source = fits.getheader(tmp_path / "wcs.fits")
    same_sky(hdu.header, source, (40 // side, bottom, 0)[: len(shape)], level, 151)


def test_what_reads_too_much_is_refused(cubes: Sky) -> None:
    with serving(cubes.folder, export_read=100_000) as limited:
        response = limited.get("/cubes/sky.fits/cutout.fits")
        assert (response.status, response.parameter) == (413, "box")
        assert opened(limited, "sky.fits/cutout.fits?box=1,1,90,90&channels=0").data.shape == (1, 90, 90)


def test_etags(service: Service) -> None:
    path = "/cubes/sky.fits/cutout.fits?box=1,1,9,9"
    tag = service.ok(path).headers["ETag"]
    assert service.get(path, {"If-None-Match": tag}).status == 304
    assert service.ok(f"{path}&channels=0", {"If-None-Match": tag}).headers["ETag"] != tag


def test_a_mosaic_is_cut_like_any_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    images = [rng.standard_normal((40, 30)).astype(np.float32) for _ in range(2)]
    hdus = [fits.PrimaryHDU()]
    for number, image in enumerate(images):
        hdu = fits.ImageHDU(image, name=f"IM{number + 1}")
        hdu.header["DETSEC"] = f"[{30 * number + 1}:{30 * number + 30},1:40]"
        hdu.header.update(
            {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 15.0 - 30 * number,
             "CRPIX2": 20.0, "CDELT1": -1e-3, "CDELT2": 1e-3}
        )  # fmt: skip
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(tmp_path / "mosaic.fits")
    with serving(tmp_path) as one:
        hdu = opened(one, "mosaic.fits/cutout.fits?layer=MOSAIC&box=21,11,50,35")
    assert np.array_equal(hdu.data, np.concatenate(images, axis=1)[10:35, 20:50])
    same_sky(hdu.header, fits.getheader(tmp_path / "mosaic.fits", 1), (20, 10), 0, 40)


def test_lookup_tables_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    header = fits.Header()
    header.update(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 15.0, "CRPIX2": 20.0,
         "CDELT1": -1e-3, "CDELT2": 1e-3, "CPDIS1": "LOOKUP"}
    )  # fmt: skip
    fits.writeto(tmp_path / "table.fits", np.zeros((40, 30), np.float32), header)
    with serving(tmp_path) as one:
        cut = opened(one, "table.fits/cutout.fits?box=2,2,20,20").header
    assert "CPDIS1" not in cut
    assert "The distortion by lookup tables is left out." in list(cut["HISTORY"])


def test_chunked_sources_and_coordinates_without_keywords(tmp_path: Path) -> None:
    values = np.random.default_rng(4).standard_normal((6, 50, 70)).astype(np.float32)
    with netCDF4.Dataset(tmp_path / "grid.nc", "w") as file:
        for name, size in (("frequency", 6), ("lat", 50), ("lon", 70)):
            file.createDimension(name, size)
        for name, unit, coordinates in (
            ("frequency", "Hz", 1e9 + 1e6 * np.arange(6)),
            ("lat", "degrees_north", -10 + 0.1 * np.arange(50)),
            ("lon", "degrees_east", 30 + 0.1 * np.arange(70)),
        ):
            variable = file.createVariable(name, "f8", (name,))
            variable.units = unit
            variable[:] = coordinates
        file.createVariable("t", "f4", ("frequency", "lat", "lon"), chunksizes=(4, 16, 16), zlib=True)[:] = values
    with serving(tmp_path) as one:
        hdu = opened(one, "grid.nc/cutout.fits?box=11,6,60,40&channels=2-4&layer=t")
    assert np.array_equal(hdu.data, values[2:5, 5:40, 10:60])
    lon, lat, frequency = WCS(hdu.header).wcs_pix2world([[1, 1, 1], [50, 35, 3]], 1).T
    np.testing.assert_allclose(frequency, [1.002e9, 1.004e9])
    np.testing.assert_allclose(lat, [-9.5, -6.1])
    np.testing.assert_allclose(lon, [31.0, 35.9])
