"""Pyramids on disk: created once whoever comes, called by what they are made from, and as others read them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from tests.pyramid.store.pyramids import SPECTRAL, STOKES, fill, new_pyramid, sparse_cube
from visiomatic_dask.errors import InvalidRequest, PyramidGone, StoreError
from visiomatic_dask.pyramid.store import layout
from visiomatic_dask.pyramid.store.layout import create_pyramid, open_pyramid, pyramid_name
from visiomatic_dask.pyramid.store.statistics import Bins
from visiomatic_dask.readers import open_cube


def document(address: str, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(address, path, "zarr.json").read_text())
    return found


def test_names() -> None:
    name = pyramid_name("SCI/1", "data/deep field (final).fits", "token", 23)
    assert re.fullmatch(r"deep-field-final-.fits-SCI-1-[0-9a-f]{16}\.zarr", name)
    others = {
        pyramid_name("SCI/1", "data/deep field (final).fits", "token", 22),
        pyramid_name("SCI/1", "data/deep field (final).fits", "other", 23),
        pyramid_name("SCI/1", "data/deep field (final).fits", "token", 23, 128),
    }
    assert len({name, *others}) == 4
    assert pyramid_name("SCI/1", "data/deep field (final).fits", "token", 23, 512) == name
    assert len(pyramid_name("l" * 300, "c" * 300, "t" * 300, 23)) < 130
    assert pyramid_name("é", "§/..", "t", 23).startswith("cube-")
    assert "/" not in pyramid_name("../../x", "../..", "t", 23)


def test_created_once(tmp_path: Path) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (2, 600, 700))
    first = new_pyramid(str(tmp_path / "store"), cube, bins=Bins(1.0, 2.0))
    assert new_pyramid(str(tmp_path / "store"), cube, bins=Bins(3.0, 4.0)) == first  # the first one's bins
    assert open_pyramid(first.address) == first
    assert first.token == cube.layers[0].reader.token
    assert first.fingerprint == cube.fingerprint
    assert new_pyramid(str(tmp_path / "store"), cube, tile_size=1024) == first
    assert new_pyramid(str(tmp_path / "store"), cube, tile_size=128) != first


@pytest.mark.parametrize("remote", [False, True])
def test_many_create_it_at_once(tmp_path: Path, remote: bool) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (2, 600, 700))
    store = f"memory://{os.urandom(4).hex()}" if remote else str(tmp_path / "store")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda turn: new_pyramid(store, cube, bins=Bins(float(turn))), range(8)))
    assert len(set(found)) == 1
    fs, path = fsspec.core.url_to_fs(store)
    assert [entry.rpartition("/")[2] for entry in fs.ls(path, detail=False)] == [
        pyramid_name("PRIMARY", "a.fits", found[0].token, 23)
    ]


def test_what_cannot_be_created(tmp_path: Path) -> None:
    small = sparse_cube(tmp_path / "a.fits", (200, 256))
    with pytest.raises(InvalidRequest, match=r"PRIMARY of a\.fits fits into one tile"):
        new_pyramid(str(tmp_path / "store"), small)
    (tmp_path / "file").touch()
    large = sparse_cube(tmp_path / "b.fits", (200, 300))
    with pytest.raises(StoreError, match=r"b\.fits-PRIMARY-.* cannot be created: Not a directory") as caught:
        new_pyramid(str(tmp_path / "file" / "store"), large)
    assert str(tmp_path) not in str(caught.value)


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PyramidGone, match=r"^a\.zarr is not in the store"):
        open_pyramid(str(tmp_path / "a.zarr"))
    pyramid = new_pyramid(str(tmp_path / "store"), sparse_cube(tmp_path / "a.fits", (300, 300)))
    root = Path(pyramid.address, "zarr.json")
    good = json.loads(root.read_text())
    for damaged in ("", "{}", "[]", json.dumps({"attributes": {"visiomatic": {"version": layout.VERSION}}})):
        root.write_text(damaged)
        with pytest.raises(StoreError, match="is no pyramid of this program, or damaged"):
            open_pyramid(pyramid.address)
    good["attributes"]["visiomatic"]["version"] = 99
    root.write_text(json.dumps(good))
    with pytest.raises(StoreError, match="is laid out by version 99; allowed: 1"):
        open_pyramid(pyramid.address)
    monkeypatch.setattr(layout, "VERSION", 2)
    assert pyramid_name("PRIMARY", "a.fits", pyramid.token, 23) not in pyramid.address


@pytest.mark.parametrize(
    ("shape", "cards", "groups", "dims"),
    [
        ((300, 400), {}, [""], ["y", "x"]),
        ((1, 1, 300, 400), {}, [""], ["y", "x"]),
        ((5, 300, 400), SPECTRAL, [""], ["frequency", "y", "x"]),
        ((5, 300, 400), {}, [""], ["axis3", "y", "x"]),
        ((1, 5, 300, 400), SPECTRAL, [""], ["frequency", "y", "x"]),
        ((3, 5, 300, 400), SPECTRAL | STOKES, ["I/", "Q/", "U/"], ["frequency", "y", "x"]),
        ((3, 5, 300, 400), SPECTRAL, ["0/", "1/", "2/"], ["frequency", "y", "x"]),
        ((20, 5, 300, 400), SPECTRAL, [""], ["channel", "y", "x"]),
        ((5, 300, 400), {"CTYPE3": "DATA"}, [""], ["channel", "y", "x"]),
    ],
)
def test_arrays(
    tmp_path: Path, shape: tuple[int, ...], cards: dict[str, object], groups: list[str], dims: list[str]
) -> None:
    pyramid = new_pyramid(str(tmp_path / "store"), sparse_cube(tmp_path / "a.fits", shape, cards))
    for group in groups:
        (image,) = document(pyramid.address, group)["attributes"]["ome"]["multiscales"]
        assert [axis["name"] for axis in image["axes"]] == dims
        assert [axis["type"] for axis in image["axes"]] == ["channel", "space", "space"][-len(dims) :]
        (dataset,) = image["datasets"]
        assert dataset["path"] == "1/data"
        still = [1.0] * (len(dims) - 2)
        assert dataset["coordinateTransformations"] == [
            {"type": "scale", "scale": [*still, 2.0, 2.0]},
            {"type": "translation", "translation": [0.0 for _ in still] + [0.5, 0.5]},
        ]
        for name in ("data", "missing"):
            array = document(pyramid.address, f"{group}1/{name}")
            assert array["dimension_names"] == dims
            assert array["shape"] == [*([pyramid.plan.channels] if len(dims) == 3 else []), 150, 200]
    folders = {entry.name for entry in Path(pyramid.address).iterdir() if entry.is_dir()}
    expected = {group.partition("/")[0] for group in groups} - {""} or {"1"}
    coordinate = {dims[0]} & folders if len(dims) == 3 else set()
    assert folders == expected | {"statistics"} | coordinate


def test_consolidated_metadata_are_those_of_all_nodes(tmp_path: Path) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (3, 5, 600, 700), SPECTRAL | STOKES)
    pyramid = new_pyramid(str(tmp_path / "store"), cube)
    inner = document(pyramid.address)["consolidated_metadata"]["metadata"]
    nodes = {str(file.parent.relative_to(pyramid.address)) for file in Path(pyramid.address).rglob("zarr.json")} - {"."}
    assert set(inner) == nodes
    assert all(inner[node] == document(pyramid.address, node) for node in nodes)


def test_wcs_of_levels(tmp_path: Path) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (4, 777, 1001), SPECTRAL)
    pyramid = new_pyramid(str(tmp_path / "store"), cube)
    (layer,) = cube.layers
    for grid in pyramid.plan.levels:
        node = document(pyramid.address, str(grid.level))
        wcs = WCS(fits.Header.fromstring(node["attributes"]["wcs"])).celestial
        expected = layer.wcs.at_level(grid.level, layer.height)
        assert expected.celestial is not None
        for corner in ((0, 0), (grid.width - 1, grid.height - 1)):
            np.testing.assert_allclose(wcs.wcs_pix2world([corner], 0), expected.celestial.wcs_pix2world([corner], 0))
    assert document(pyramid.address)["attributes"]["visiomatic"]["header"] == layer.header_text


def test_without_wcs(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    fits.writeto(path, np.zeros((300, 300), np.float32))
    pyramid = new_pyramid(str(tmp_path / "store"), open_cube(path))
    assert isinstance(document(pyramid.address, "1")["attributes"]["wcs"], str)


def test_files_are_few(tmp_path: Path) -> None:
    """For 8 planes of 16384²: all that is there but the shards, which are counted by the plan; and a ledger of two."""
    cube = sparse_cube(tmp_path / "a.fits", (8, 16384, 16384), SPECTRAL)
    pyramid = new_pyramid(str(tmp_path / "store"), cube)
    files = sum(len(names) for _, _, names in os.walk(pyramid.address))
    shards = sum(1 for grid in pyramid.plan.levels for _ in pyramid.plan.shards(grid.level))
    nbytes = sum(4 * 8 * grid.width * grid.height for grid in pyramid.plan.levels)
    statistics, ledger = 2, 2
    assert files == 48
    assert files + statistics + ledger + 2 * shards <= 64 + nbytes / 2**25


def test_built_files_are_those_of_the_plan(tmp_path: Path) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (3, 700, 1100))
    pyramid = new_pyramid(str(tmp_path / "store"), cube)
    before = sum(len(names) for _, _, names in os.walk(pyramid.address))
    fill(pyramid)
    shards = sum(1 for grid in pyramid.plan.levels for _ in pyramid.plan.shards(grid.level))
    assert sum(len(names) for _, _, names in os.walk(pyramid.address)) == before + 2 * shards


def test_importing_it_changes_no_configuration() -> None:
    code = (
        "import copy, zarr; before = copy.deepcopy(zarr.config.config)\n"
        "import visiomatic_dask.pyramid.store.layout, visiomatic_dask.pyramid.store.level_reader\n"
        "assert before == zarr.config.config\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_create_needs_no_pixel(tmp_path: Path) -> None:
    """A terabyte takes no longer than anything else."""
    cube = sparse_cube(tmp_path / "a.fits", (40, 80_000, 80_000), SPECTRAL)
    pyramid = create_pyramid(str(tmp_path / "store"), cube, cube.layers[0], 256, Bins(), 23)
    assert len(pyramid.plan.levels) == 9
    assert sum(file.stat().st_size for file in Path(pyramid.address).rglob("*")) < 10 * 2**20


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"plan": {"width": 450}}, "of something else"),
        ({"plan": {"channels": 10**9}}, "of something else"),
        ({"plan": {"width": "x"}}, "damaged"),
        ({"plan": {"shard_pixels": 0}}, "damaged"),
        ({"plan": {"tile_size": 0}}, "damaged"),
        ({"token": "another"}, "of something else"),
    ],
)
def test_what_others_wrote_is_not_believed(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (2, 300, 400))
    pyramid = new_pyramid(str(tmp_path), cube)
    root = Path(pyramid.address, "zarr.json")
    content = json.loads(root.read_text())
    described = content["attributes"]["visiomatic"]
    for key, value in fields.items():
        described[key] = described[key] | value if isinstance(value, dict) else value
    root.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=problem):
        new_pyramid(str(tmp_path), cube)


@pytest.mark.parametrize("images", [["../../out"] * 4, ["I", "I", "I", "I"], ["..", "a", "b", "c"], None])
def test_images_lead_nowhere_else(tmp_path: Path, images: list[str] | None) -> None:
    cube = sparse_cube(tmp_path / "a.fits", (4, 2, 300, 400), {"CTYPE3": "FREQ", "CTYPE4": "STOKES", "CRVAL4": 1.0})
    pyramid = new_pyramid(str(tmp_path / "store"), cube)
    assert pyramid.plan.images == 4
    root = Path(pyramid.address, "zarr.json")
    content = json.loads(root.read_text())
    content["attributes"]["visiomatic"]["images"] = images
    root.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is damaged"):
        fill(pyramid)
    assert not (tmp_path / "out").exists()
