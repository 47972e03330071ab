"""What becomes of Zarr hierarchies: layers, coordinates, levels; and what is refused, and how."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.readers.zarr.zarr_stores import CASES
from visiomatic_dask.cube import Layer, Window
from visiomatic_dask.errors import CubeChanged, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import format_of, open_cube
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.zarr.array_reader import ZarrReader
from visiomatic_dask.readers.zarr.hierarchy import MOST_NODES
from visiomatic_dask.readers.zarr.layers import MOST_LAYERS

Pixels = NDArray[Any]


def pixels(layer: Layer) -> Pixels:
    return layer.reader.read(Window.whole(layer.shape))


def image(shape: tuple[int, ...], dtype: str = "f4") -> Pixels:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def halved(values: Pixels, level: int) -> Pixels:
    """Means of 2^level × 2^level pixels from the top left on, of what there is at the edges."""
    factors = {"y": 1 << level, "x": 1 << level}
    array = xr.DataArray(values, dims=[*(f"d{i}" for i in range(values.ndim - 2)), "y", "x"])
    padded = array.pad({name: (0, -size % factors[name]) for name, size in array.sizes.items() if name in factors})
    means: xr.DataArray = padded.coarsen(factors).mean()
    return means.to_numpy().astype(values.dtype)


def dataset() -> xr.Dataset:
    rng = np.random.default_rng(1)
    temperature = rng.integers(2000, 3000, (4, 6, 9)).astype("f8") / 10
    temperature[0, 0, :2] = np.nan
    pressure = rng.normal(size=(4, 6, 9)).astype("f4")
    pressure[1, 2, 3] = np.nan
    return xr.Dataset(
        {
            "temperature": (("time", "lat", "lon"), temperature, {"units": "K", "long_name": "of the air"}),
            "pressure": (("time", "lat", "lon"), pressure, {"units": "hPa"}),
            "lat_bnds": (("lat", "bnds"), np.zeros((6, 2))),
            "station": (("time",), np.array(["a", "b", "c", "d"], dtype="U1")),
            "mask": (("lat", "lon"), np.arange(54).reshape(6, 9).astype("u1")),
        },
        coords={
            "time": ("time", np.arange(4) * 6.0, {"units": "hours since 2020-01-01"}),
            "lat": ("lat", np.linspace(50, 45, 6), {"units": "degrees_north", "bounds": "lat_bnds"}),
            "lon": ("lon", np.linspace(5, 13, 9), {"units": "degrees_east"}),
            "area": (("lat", "lon"), np.ones((6, 9))),
        },
    )


ENCODING = {
    "temperature": {"dtype": "i2", "scale_factor": 0.1, "add_offset": 250.0, "_FillValue": -32768},
    "pressure": {"_FillValue": np.float32(-999.0)},
}


@pytest.mark.filterwarnings("ignore:The data type:zarr.errors.UnstableSpecificationWarning")
@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_xarray_dataset(tmp_path: Path, version: int, consolidated: bool) -> None:
    path = tmp_path / "a.zarr"
    dataset().to_zarr(path, zarr_format=version, consolidated=consolidated, encoding=ENCODING)
    cube = open_cube(path)
    assert cube.format == "Zarr"
    assert [layer.name for layer in cube.layers] == ["mask", "pressure", "temperature"]
    with xr.open_zarr(path, decode_times=False, consolidated=consolidated) as expected:
        for layer in cube.layers:
            # The latitudes fall, so that the file's first row is the top, and the layer's last.
            np.testing.assert_allclose(pixels(layer), expected[layer.name].to_numpy()[..., ::-1, :], rtol=1e-6)
    temperature = cube.layer("temperature")
    assert np.isnan(pixels(temperature)).sum() == 2
    assert np.isnan(pixels(cube.layer("pressure"))).sum() == 1
    assert temperature.unit == "K"
    assert [(axis.name, axis.kind) for axis in temperature.axes] == [("time", "time"), ("lat", "y"), ("lon", "x")]
    assert temperature.axes[0].coordinates == (0.0, 6.0, 12.0, 18.0)
    assert temperature.axes[1].coordinates == tuple(np.linspace(45, 50, 6))
    assert temperature.header["CTYPE1"] == "TLON-CAR"
    assert temperature.warnings == ()


def test_array_alone(tmp_path: Path) -> None:
    values = image((3, 5, 7), "i4")
    for version in (2, 3):
        path = tmp_path / f"{version}.zarr"
        zarr.save_array(path, values, zarr_format=version)  # type: ignore[arg-type]
        (layer,) = open_cube(path).layers
        assert layer.name == "data"
        assert layer.dtype == np.int32  # a fill value alone does not make anything missing
        assert [axis.name for axis in layer.axes] == ["axis0", "y", "x"]
        np.testing.assert_array_equal(pixels(layer), values[:, ::-1])


def test_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    for name, shape in (
        ("b/c", (4, 5)),
        ("a", (2, 3, 4)),
        ("six", (1, 1, 1, 1, 2, 2)),
        ("empty", (0, 4)),
        ("line", (9,)),
    ):
        group.create_array(name, data=image(shape))
    group.create_array("complex", data=image((3, 3), "c8"))
    assert [layer.name for layer in open_cube(path).layers] == ["a", "b/c"]
    assert [layer.name for layer in open_cube(path / "b").layers] == ["c"]


def test_coordinates_of_the_group_above(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    group.create_array("x", data=np.arange(5) * 2.0, dimension_names=["x"])
    group.create_array("below/data", data=image((4, 5)), dimension_names=["y", "x"])
    (layer,) = open_cube(path).layers
    assert layer.axes[1].coordinates == (0, 2, 4, 6, 8)


def multiscale(count: int, *, name: str = "", paths: str = "{}", z: bool = False) -> dict[str, Any]:
    """Metadata of an NGFF pyramid with micrometres along y and x."""

    def transform(level: int) -> list[dict[str, Any]]:
        scale = [1.0, 2.0 * (2**level if z else 1), 0.5 * 2**level, 0.5 * 2**level]
        return [{"type": "scale", "scale": scale}]

    return {
        "name": name,
        "axes": [
            {"name": "c", "type": "channel"},
            *({"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"),
        ],
        "datasets": [
            {"path": paths.format(level), "coordinateTransformations": transform(level)} for level in range(count)
        ],
    }


@pytest.mark.parametrize("version", [2, 3])
def test_ngff(tmp_path: Path, version: Any) -> None:
    path = tmp_path / "a.zarr"
    values = image((2, 3, 21, 30))
    omero = {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}
    described = {"multiscales": [multiscale(3)], "omero": omero}
    group = zarr.create_group(path, zarr_format=version, attributes={"ome": described} if version == 3 else described)
    for level in range(3):
        group.create_array(str(level), data=halved(values, level) if level else values, chunks=(1, 1, 8, 8))
    labels = {"multiscales": [multiscale(1)]}
    inner = group.create_group("labels").create_group("cells", attributes={"ome": labels} if version == 3 else labels)
    inner.create_array("0", data=image((2, 3, 21, 30), "u4"))
    picture, cells = open_cube(path).layers
    assert (picture.name, cells.name) == ("image", "labels/cells")
    assert picture.warnings == ()
    np.testing.assert_array_equal(pixels(picture), values[..., ::-1, :])
    assert [level.level for level in picture.levels] == [1, 2]
    for binned in picture.levels:
        np.testing.assert_array_equal(
            binned.reader.read(Window.whole(binned.reader.shape)), halved(values, binned.level)[..., ::-1, :]
        )
    assert [(axis.name, axis.kind) for axis in picture.axes] == [
        ("c", "spectral"), ("z", "other"), ("y", "y"), ("x", "x"),
    ]  # fmt: skip
    assert picture.axes[1].coordinates == (0.0, 2.0, 4.0)
    assert picture.axes[3].coordinates == tuple(np.arange(30) * 0.5)
    assert picture.axes[3].unit == "micrometer"
    assert picture.header["CHAN2"] == "GFP"


def test_levels_that_lack_the_odd_row(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    values = image((2, 3, 21, 30))
    group = zarr.create_group(path, attributes={"ome": {"multiscales": [multiscale(3)]}})
    group.create_array("0", data=values)
    coarser = [values[..., :20, :].reshape(2, 3, 10, 2, 15, 2).mean((3, 5), dtype="f4")]
    coarser.append(coarser[0][..., :10, :14].reshape(2, 3, 5, 2, 7, 2).mean((3, 5), dtype="f4"))
    for level, one in enumerate(coarser, 1):
        group.create_array(str(level), data=one)
    (layer,) = open_cube(path).layers
    first, second = layer.levels
    expected = np.concatenate([coarser[0], coarser[0][..., -1:, :]], axis=-2)[..., ::-1, :]
    assert first.reader.shape == (2, 3, 11, 15)
    np.testing.assert_array_equal(first.reader.read(Window.whole(first.reader.shape)), expected)
    assert second.reader.shape == (2, 3, 6, 8)
    edge = second.reader.read(Window((0, 0, 0, 7), (2, 3, 6, 8)))
    np.testing.assert_array_equal(edge[..., :0:-1, 0], coarser[1][..., -1])
    stepped = first.reader.read(Window((1, 0, 0, 1), (2, 3, 11, 15), (1, 2, 3, 4)))
    np.testing.assert_array_equal(stepped, expected[1:2, ::2, ::3, 1::4])
    assert sum("lacks the last row or column" in warning for warning in layer.warnings) == 2


def test_levels_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, attributes={"ome": {"multiscales": [multiscale(4, z=True)]}})
    for level, shape in enumerate([(2, 4, 32, 32), (2, 2, 16, 16), (2, 4, 11, 11), (2, 4, 16, 16)]):
        group.create_array(str(level), data=image(shape))
    (layer,) = open_cube(path).layers
    assert [level.level for level in layer.levels] == [1]
    assert layer.levels[0].reader.shape == (2, 4, 16, 16)
    deep, odd = layer.warnings
    assert deep.startswith("1 is not used as a level: its shape is (2, 2, 16, 16)")
    assert odd == "2 is not used as a level: 32 × 32 pixels become 11 × 11, not a half, a quarter … of it"


def test_store_of_our_own(tmp_path: Path) -> None:
    """Sharded, a group a level with the array inside, a y coordinate, two images."""
    path = tmp_path / "a.zarr"
    root = zarr.create_group(path)
    values = {"I": image((5, 33, 47)), "Q": -image((5, 33, 47))}
    axes: list[Any] = [
        {"name": "frequency", "type": "channel"},
        {"name": "y", "type": "space"},
        {"name": "x", "type": "space"},
    ]
    for name, one in values.items():
        datasets: list[Any] = []
        group = root.create_group(name)
        for level in range(3):
            scale, shift = 2.0**level, (2.0**level - 1) / 2
            steps = [
                {"type": "scale", "scale": [1.0, scale, scale]},
                {"type": "translation", "translation": [0.0, shift, shift]},
            ]
            datasets.append({"path": f"{level}/data", "coordinateTransformations": steps})
            inner = group.create_group(str(level))
            binned = halved(one, level) if level else one
            dims = ["frequency", "y", "x"]
            inner.create_array("data", data=binned, chunks=(1, 8, 8), shards=(5, 16, 16), dimension_names=dims)
            along_y = 32.0 - shift - scale * np.arange(binned.shape[1])
            inner.create_array("y", data=along_y, dimension_names=["y"])
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets, "type": "mean"}]}
    layers = open_cube(path).layers
    assert [layer.name for layer in layers] == ["I", "Q"]
    for layer in layers:
        one = values[layer.name]
        assert layer.warnings == ()
        assert layer.axes[1].coordinates == tuple(range(33))
        np.testing.assert_array_equal(pixels(layer), one[:, ::-1])
        assert layer.reader.chunks == (1, 8, 8)
        assert [(level.level, level.reader.shape) for level in layer.levels] == [(1, (5, 17, 24)), (2, (5, 9, 12))]
        for coarser in layer.levels:
            whole = coarser.reader.read(Window.whole(coarser.reader.shape))
            np.testing.assert_array_equal(whole, halved(one, coarser.level)[:, ::-1])


@pytest.mark.parametrize("described", [True, False])
def test_groups_of_the_same_arrays(tmp_path: Path, described: bool) -> None:
    """As ndpyramid writes them: the coarsest is called 0."""
    path = tmp_path / "a.zarr"
    values = image((2, 32, 64))
    attributes: dict[str, Any] = {"multiscales": [{"datasets": [{"path": str(i)} for i in range(3)], "type": "reduce"}]}
    root = zarr.create_group(path, attributes=attributes if described else {})
    for name, level in (("0", 2), ("1", 1), ("2", 0)):
        group = root.create_group(name)
        one = halved(values, level) if level else values
        for variable, sign in (("snow", 1), ("rain", -1)):
            group.create_array(variable, data=sign * one, dimension_names=["time", "y", "x"])
        group.create_array("y", data=np.arange(one.shape[1]) * 2.0**level, dimension_names=["y"])
    rain, snow = open_cube(path).layers
    assert (rain.name, snow.name) == ("rain", "snow")
    assert [level.level for level in snow.levels] == [1, 2]
    np.testing.assert_array_equal(pixels(snow), values)  # the coordinates rise: y is upwards already
    for layer, sign in ((rain, -1), (snow, 1)):
        for coarser in layer.levels:
            whole = coarser.reader.read(Window.whole(coarser.reader.shape))
            np.testing.assert_array_equal(whole, sign * halved(values, coarser.level))


def test_rows_binned_from_the_bottom(tmp_path: Path) -> None:
    """Levels are aligned at the top of the picture; where y rises, those of the file are not, but for even sizes."""
    path = tmp_path / "a.zarr"
    root = zarr.create_group(path)
    for name, shape in (("1", (6, 8)), ("0", (3, 4))):
        group = root.create_group(name)
        group.create_array("a", data=image(shape), dimension_names=["y", "x"])
        group.create_array("y", data=np.arange(shape[0]) * 1.0, dimension_names=["y"])
    assert [level.level for level in open_cube(path).layers[0].levels] == [1]
    shutil.rmtree(path / "1/a")
    root["1"].create_array("a", data=image((5, 8)), dimension_names=["y", "x"])  # type: ignore[union-attr]
    shutil.rmtree(path / "1/y")
    root["1"].create_array("y", data=np.arange(5) * 1.0, dimension_names=["y"])  # type: ignore[union-attr]
    (layer,) = open_cube(path).layers
    assert layer.levels == ()
    assert "its rows are binned from the bottom on" in layer.warnings[0]


def test_numbered_groups_that_are_no_pyramid(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr")
    for name in ("0", "1"):
        root.create_array(f"{name}/a", data=image((4, 4)))
    assert [layer.name for layer in open_cube(tmp_path / "a.zarr").layers] == ["0/a", "1/a"]


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableCube) as caught:
        open_cube(path)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    assert refusal(path) == "a.zarr is Zarr that holds no array of 2 to 5 dimensions that could be shown: only groups"
    group.create_array("line", data=image((9,)))
    group.create_array("spectrum", data=image((3, 3), "c16"))
    assert refusal(path).endswith("shown: line (9), spectrum (complex128, no real numbers)")
    plate = {"wells": [{"path": "A/1"}, {"path": "A/2"}]}
    zarr.create_group(tmp_path / "b.zarr", attributes={"ome": {"plate": plate}})
    assert refusal(tmp_path / "b.zarr") == "b.zarr is a plate of 2 wells; open the fields of one, as A/1, instead"


@pytest.mark.parametrize(
    ("version", "change"),
    [
        (2, {"compressor": {"id": "secret", "level": 3}}),
        (2, {"filters": [{"id": "secret"}]}),
        (3, {"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "secret"}]}),
    ],
)
def test_codec_that_is_not_installed(tmp_path: Path, version: Any, change: dict[str, Any]) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, zarr_format=version)
    group.create_array("data", data=image((4, 4)))
    file = path / "data" / (".zarray" if version == 2 else "zarr.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert refusal(path) == "a.zarr: array data needs the codec 'secret', which is not installed here"
    group.create_array("other", data=image((4, 4)))
    (layer,) = open_cube(path).layers
    assert layer.name == "other"
    assert layer.warnings == ("a.zarr: array data needs the codec 'secret', which is not installed here",)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"zarr_format": 3, "node_type": "array", "data_type": "int8"}']
)
def test_damaged_metadata(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_group(path).create_array("data", data=image((4, 4)))
    (path / "data" / "zarr.json").write_text(content)
    assert "a.zarr" in refusal(path)
    (path / "zarr.json").write_text(content)
    assert "a.zarr" in refusal(path)


def test_only_folders_with_metadata(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").mkdir()
    assert format_of(Place.look(tmp_path)) is not None
    assert refusal(tmp_path).endswith("cannot be read: Is a directory")
    (tmp_path / "a.zarr").mkdir()
    assert format_of(Place.look(tmp_path / "a.zarr")) is None


@pytest.mark.parametrize("version", [2, 3])
def test_chunk_that_appears(tmp_path: Path, version: Any) -> None:
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(4, 4), chunks=(2, 2), dtype="f4", zarr_format=version, fill_value=5)
    before = open_cube(path)
    assert (pixels(before.layers[0]) == 5).all()
    array[:2, :2] = 1
    assert not before.is_current
    with pytest.raises(CubeChanged, match=r"^a\.zarr has changed"):
        pixels(before.layers[0])
    assert pixels(open_cube(path).layers[0]).min() == 1


def test_coordinates_that_change(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    group.create_array("data", data=image((4, 5)), dimension_names=["y", "x"])
    group.create_array("x", data=np.arange(5) * 2.0, dimension_names=["x"])
    cube = open_cube(path)
    group.create_array("x", data=np.arange(5) * 3.0, dimension_names=["x"], overwrite=True)
    assert not cube.is_current
    assert pixels(cube.layers[0]).shape == (4, 5)  # the pixels are what they were
    assert open_cube(path).layers[0].axes[1].coordinates == (0, 3, 6, 9, 12)


def test_only_what_is_missing_is_read_and_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zarr"
    values = image((1, 64, 64))
    zarr.create_array(path, data=values, chunks=(1, 16, 16))
    reader = open_cube(path).layers[0].reader
    blocks: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    read_block = ZarrReader._read_block

    def counting(self: ZarrReader, first: tuple[int, ...], last: tuple[int, ...]) -> Pixels:
        blocks.append((first, last))
        return read_block(self, first, last)

    monkeypatch.setattr(ZarrReader, "_read_block", counting)

    def read(y: range, x: range) -> None:
        window = Window((0, y.start, x.start), (1, y.stop, x.stop))
        np.testing.assert_array_equal(reader.read(window), values[:, ::-1][window.slices])

    read(range(32), range(32))  # the layer's y is upwards: the file's last rows
    assert blocks == [((0, 2, 0), (0, 3, 1))]
    read(range(5, 30), range(1, 30))
    assert len(blocks) == 1
    read(range(64), range(64))
    assert blocks[1:] == [
        ((0, 0, 0), (0, 0, 3)),
        ((0, 1, 0), (0, 1, 3)),
        ((0, 2, 2), (0, 2, 3)),
        ((0, 3, 2), (0, 3, 3)),
    ]


def test_large_hierarchies_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path)
    group.create_array("0000", data=image((4, 4)))
    for number in range(1, MOST_NODES + 10):
        shutil.copytree(path / "0000", path / f"{number:04}")
    cube = open_cube(path)
    assert len(cube.layers) == MOST_LAYERS
    assert "of which the first are looked at" in cube.layers[0].warnings[0]
    assert f"of which {MOST_LAYERS} are shown" in cube.layers[0].warnings[1]


def test_nothing_outside_is_looked_at(tmp_path: Path) -> None:
    """Neither by links nor by what metadata say: what a server may show is what lies below its roots."""
    zarr.create_group(tmp_path / "secret").create_array("0", data=image((1, 1, 4, 4)))
    path = tmp_path / "a.zarr"
    group = zarr.create_group(path, attributes={"ome": {"multiscales": [multiscale(1, paths="../secret/{}")]}})
    (path / "link").symlink_to(tmp_path / "secret")
    assert "only groups" in refusal(path)
    group.create_array("inside", data=image((4, 4)))
    (path / "inner").symlink_to(path / "inside")
    (path / "loop").symlink_to(path)
    assert [layer.name for layer in open_cube(path).layers] == ["inner", "inside"]


def test_damaged_chunk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_group(path).create_array("b/data", data=image((4, 4)), chunks=(2, 2))
    (layer,) = open_cube(path).layers
    (path / "b/data/c/0/1").write_bytes(b"no zstd at all")
    good = layer.reader.read(Window((0, 0), (2, 4)))
    np.testing.assert_array_equal(good, image((4, 4))[:1:-1])
    with pytest.raises(UnreadableCube, match=r"^a\.zarr: chunks of array b/data cannot be read or decoded"):
        pixels(layer)


KEYS = [
    *("ome", "multiscales", "datasets", "path", "axes", "name", "type", "unit", "omero", "channels", "label", "plate"),
    *("wells", "labels", "scale", "translation", "coordinateTransformations", "_ARRAY_DIMENSIONS", "scale_factor"),
    *("_FillValue", "missing_value", "units", "coordinates", "bounds", "axis", "id"),
]
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["", "0", "x", "../..", "time"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)
GROUPS = st.dictionaries(st.sampled_from(["ome", "multiscales", "plate", "omero"]), JSON)


@given(group=GROUPS, array=JSON, data=st.data())
def test_whatever_the_metadata_say(
    tmp_path_factory: pytest.TempPathFactory, group: Any, array: Any, data: st.DataObject
) -> None:
    """It opens, or there is one sentence."""
    path = tmp_path_factory.mktemp("any") / "a.zarr"
    zarr.create_group(path, zarr_format=2).create_array("0", data=image((2, 4, 4)))
    (path / ".zattrs").write_text(json.dumps(group))
    (path / "0" / ".zattrs").write_text(json.dumps(array if isinstance(array, dict) else {"units": array}))
    document = json.loads((path / "0" / ".zarray").read_text())
    key = data.draw(st.sampled_from([*document, "none"]))
    (path / "0" / ".zarray").write_text(json.dumps({**document, key: data.draw(JSON)}))
    said = ""
    try:
        assert open_cube(path).layers[0].reader.shape[-1] > 0
    except UnreadableCube as error:
        said = str(error)
    assert str(path.parent) not in said


def test_metadata_do_not_say_where_they_lie(tmp_path: Path) -> None:
    CASES[0].write(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/data/.zarray").write_text("{}")
    assert str(tmp_path) not in refusal(tmp_path / "a.zarr")


def test_unsupported_is_told_from_damaged(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "a.zarr")
    with pytest.raises(UnsupportedFormat):
        open_cube(tmp_path / "a.zarr")


REAL = {
    "zarr_store_v2.zarr": dict.fromkeys(("CDD0", "DISPH", "FROST_DAYS", "GWETPROF"), (10, 36, 72)),
    "pyramid.zarr": {"value": (1, 250, 250)},
}


@pytest.mark.parametrize("name", REAL)
def test_real_stores(real_files: Path, name: str) -> None:
    path = real_files / "titiler-multidim" / name
    cube = open_cube(path)
    assert {layer.name: layer.shape for layer in cube.layers} == REAL[name]
    for layer in cube.layers:
        expected = zarr.open_array(path, path=f"2/{layer.name}" if name == "pyramid.zarr" else layer.name, mode="r")
        np.testing.assert_array_equal(pixels(layer), expected[...])
        assert layer.axes[-1].coordinates is not None
