"""What ``info`` says is what is so: sizes, blocks, levels and costs, as JSON and for people."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
from astropy.io import fits

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Cube, LayerLevel
from visiomatic_dask.engine.build_order import pieces_over
from visiomatic_dask.info import describe_cube, describe_formats, text_of_cube, text_of_formats
from visiomatic_dask.pyramid import Box
from visiomatic_dask.pyramid.store.build import build_piece
from visiomatic_dask.pyramid.store.layout import create_pyramid
from visiomatic_dask.pyramid.store.ledger import Ledger
from visiomatic_dask.pyramid.store.statistics import Bins
from visiomatic_dask.readers import open_cube


def cube_of(path: Path, shape: tuple[int, ...]) -> Cube:
    header = fits.Header({"CTYPE3": "FREQ", "CUNIT3": "Hz", "CRVAL3": 1e9, "CDELT3": 1e6, "CRPIX3": 1, "BUNIT": "K"})
    fits.writeto(path, np.zeros(shape, np.int16), header if len(shape) > 2 else None)
    return open_cube(path)


def test_costs_are_those_of_the_plan(tmp_path: Path) -> None:
    described = describe_cube(cube_of(tmp_path / "a.fits", (3, 700, 900)), load_settings())
    assert json.loads(json.dumps(described)) == described
    (layer,) = described["layers"]
    assert described["size"] == (tmp_path / "a.fits").stat().st_size
    assert layer["costs"]["whole"] == 3 * 700 * 900 * 2
    # A brick holds whole planes as long as they fit into 8 MiB of float32.
    assert layer["costs"]["full_resolution_tile"] == {
        "read": 3 * 700 * 900 * 2,
        "memory": 3 * 700 * 900 * 4,
        "preview": False,
    }
    assert layer["costs"]["whole_plane"]["preview"] is False
    assert layer["axes"][0]["ends"] == ["1 GHz", "1.002 GHz"]
    assert layer["pyramid"] == {"levels": 3, "in_source": [], "stored": None}


def test_a_plane_too_large_to_read_is_a_preview(tmp_path: Path) -> None:
    cube = cube_of(tmp_path / "a.fits", (2000, 3000))
    described = describe_cube(cube, load_settings(read_limit="1 MB"))
    assert described["layers"][0]["costs"]["whole_plane"]["preview"] is True
    text = "\n".join(text_of_cube(described))
    assert "the first tile of a whole plane reads 0.95 MiB, as a preview, of full resolution 2.93 MiB" in text
    assert "11.44 MiB, row by row" in text
    assert "none in the file: 4 coarser levels are made when they are looked at" in text


def test_what_is_in_the_store_is_told(tmp_path: Path) -> None:
    settings = load_settings(store=str(tmp_path), exact_read="1 MB", pyramid="on-demand")
    cube = cube_of(tmp_path / "a.fits", (3, 1200, 1500))
    (layer,) = describe_cube(cube, settings)["layers"]
    assert layer["pyramid"]["stored"] is None
    assert layer["costs"]["whole_plane"]["preview"] is True
    pyramid = create_pyramid(str(tmp_path), cube, cube.layer(), 256, Bins(), 23)
    ledger, shares = Ledger.of(pyramid), []
    for channel in range(3):
        for level in (1, 2, 3):
            pieces = pieces_over(pyramid.plan, level, (channel, channel + 1), Box(0, 0, 1, 1))
            assert ledger.claim(pieces, "test").granted
            ledger.commit("test", [build_piece(pyramid, cube.layer().reader, piece) for piece in pieces])
        described = describe_cube(cube, settings)
        shares.append(described["layers"][0]["pyramid"]["stored"]["share"])
    assert shares == [0.333, 0.667, 1]
    (layer,) = described["layers"]
    assert layer["costs"]["whole_plane"] == {"read": 150 * 188 * 4 * 3, "memory": 150 * 188 * 4 * 3, "preview": False}
    assert "; all of it is in the store, " in "\n".join(text_of_cube(described))
    (layer,) = describe_cube(cube, load_settings(store=str(tmp_path), pyramid="memory"))["layers"]
    assert layer["pyramid"]["stored"] is None


def test_levels_of_the_source_are_named(tmp_path: Path) -> None:
    cube = cube_of(tmp_path / "a.fits", (2000, 3000))
    levels = tuple(LayerLevel(k, FakeReader(np.zeros((2000 >> k, 3000 >> k), np.float32))) for k in (1, 2))
    cube = dataclasses.replace(cube, layers=(dataclasses.replace(cube.layers[0], levels=levels),))
    text = "\n".join(text_of_cube(describe_cube(cube, load_settings())))
    assert "levels 1, 2 are in the file; 2 more are made from that" in text


def test_warnings_and_small_planes_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 30, 5), np.uint8))
    lines = list(text_of_cube(describe_cube(open_cube(tmp_path / "a.npy"), load_settings())))
    assert lines[2] == "array: 5 x 20 x 30 uint8"
    assert "  stored       2.93 kiB, in blocks of 5 x 1 x 1" in lines
    assert "  pyramid      none is needed: one tile shows a whole plane" in lines
    assert lines[-1].startswith("  warning: axes are taken for y, x, channel")


def test_formats_are_listed_with_their_package() -> None:
    described = describe_formats()
    assert {"FITS", "NumPy", "ENVI"} <= {one["name"] for one in described}
    assert {one["package"] for one in described} == {"visiomatic_dask"}
    assert len(list(text_of_formats())) == len(described)
