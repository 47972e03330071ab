"""Zarr at URLs: a web server that lists its folders or does not, S3 (moto), and fsspec's memory."""

from __future__ import annotations

import functools
import http.server
import pickle
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from tests.s3 import s3_bucket
from visiomatic_dask.cube import Cube, Window
from visiomatic_dask.errors import CubeChanged, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.shared_cache import CHUNKS
from visiomatic_dask.readers.zarr.format import open_zarr
from visiomatic_dask.readers.zarr.metadata_limit import MOST_BYTES

VALUES = np.arange(2 * 40 * 50, dtype=np.float32).reshape(2, 40, 50)


def write(folder: Path, version: Any = 3) -> None:
    """Write a pyramid of two levels, and an array beside it."""
    axes = [{"name": "t", "type": "time"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    image = {"multiscales": [{"axes": axes, "datasets": [{"path": "0/data"}, {"path": "1/data"}]}]}
    root = zarr.create_group(folder, zarr_format=version, attributes={"ome": image} if version == 3 else image)
    root.create_array("0/data", data=VALUES, chunks=(1, 16, 16))
    root.create_array("1/data", data=VALUES.reshape(2, 20, 2, 25, 2).mean((2, 4), dtype="f4"), chunks=(1, 16, 16))


def pixels(cube: Cube) -> NDArray[Any]:
    reader = cube.layers[0].reader
    return reader.read(Window.whole(reader.shape))[..., ::-1, :]


@dataclass
class Site:
    """A web server on loopback, and what it was asked for."""

    folder: Path
    url: str = ""
    lists: bool = True
    tells_sizes: bool = True
    answer: int = 0
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "served"
    folder.mkdir()
    served = Site(folder)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def send_head(self) -> Any:
            served.requests.append(f"{self.command} {self.path}")
            if served.answer:
                self.send_error(served.answer)
                return None
            return super().send_head()

        def send_header(self, keyword: str, value: str) -> None:
            if served.tells_sizes or keyword != "Content-Length":
                super().send_header(keyword, value)

        def list_directory(self, path: Any) -> Any:
            if served.lists:
                return super().list_directory(path)
            self.send_error(403)
            return None

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base calls it
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_web_server(site: Site, version: int, lists: bool) -> None:
    site.lists = lists
    write(site.folder / "a.zarr", version)
    zarr.open_group(site.folder / "a.zarr").create_array("beside", data=VALUES[0])
    cube = open_zarr(f"{site.url}/a.zarr", "a")
    assert [layer.name for layer in cube.layers] == (["beside", "image"] if lists else ["image"])
    image = cube.layer("image")
    other = pickle.loads(pickle.dumps(image.reader))
    np.testing.assert_array_equal(other.read(Window.whole(image.shape))[..., ::-1, :], VALUES)
    assert [level.reader.shape for level in image.levels] == [(2, 20, 25)]
    assert cube.is_current


def test_through_the_registry(site: Site) -> None:
    write(site.folder / "a.zarr")
    cube = open_cube(f"{site.url}/a.zarr")
    assert (cube.name, cube.format) == ("a.zarr", "Zarr")
    np.testing.assert_array_equal(pixels(cube), VALUES)


def test_only_chunks_of_the_window_are_fetched(site: Site) -> None:
    write(site.folder / "a.zarr")
    reader = open_zarr(f"{site.url}/a.zarr", "a").layers[0].reader
    CHUNKS.clear()
    site.requests.clear()
    reader.read(Window((1, 26, 17), (2, 40, 30)))  # rows 0 to 13 of the file
    fetched = {request for request in site.requests if "/c/" in request}
    assert fetched == {"GET /a.zarr/0/data/c/1/0/1"}
    site.requests.clear()
    reader.read(Window((1, 26, 17), (2, 40, 30)))
    assert not [request for request in site.requests if request.startswith("GET")]


def test_replaced(site: Site) -> None:
    write(site.folder / "a.zarr")
    cube = open_zarr(f"{site.url}/a.zarr", "a")
    np.testing.assert_array_equal(pixels(cube), VALUES)
    metadata = site.folder / "a.zarr/0/data/zarr.json"
    metadata.write_text(metadata.read_text() + "\n")
    assert not cube.is_current
    with pytest.raises(CubeChanged, match=r"^a\.zarr has changed"):
        pixels(cube)
    again = open_zarr(f"{site.url}/a.zarr", "a")
    assert again.fingerprint != cube.fingerprint
    np.testing.assert_array_equal(pixels(again), VALUES)
    metadata.unlink()
    with pytest.raises(CubeChanged, match=r"zarr\.json is no longer there"):
        pixels(again)


@pytest.mark.parametrize(("answer", "said"), [(403, "the server answers 403"), (500, "the server answers 500")])
def test_server_that_refuses(site: Site, answer: int, said: str) -> None:
    write(site.folder / "a.zarr")
    cube = open_zarr(f"{site.url}/a.zarr", "a")
    site.answer = answer
    for act in (lambda: open_zarr(f"{site.url}/a.zarr", "a"), lambda: pixels(cube), lambda: cube.is_current):
        with pytest.raises(UnreadableCube, match=said) as caught:
            act()
        assert "127.0.0.1" not in str(caught.value)


def test_server_that_does_not_tell_sizes(site: Site) -> None:
    write(site.folder / "a.zarr")
    site.tells_sizes = False
    np.testing.assert_array_equal(pixels(open_zarr(f"{site.url}/a.zarr", "a")), VALUES)
    with (site.folder / "a.zarr/zarr.json").open("a") as file:
        file.write(" " * MOST_BYTES)
    with pytest.raises(UnreadableCube, match=r"^a\.zarr cannot be opened: its zarr\.json has [\d,]+ bytes; allowed"):
        open_zarr(f"{site.url}/a.zarr", "a")


def test_nothing_there(site: Site) -> None:
    with pytest.raises(UnreadableCube, match="holds no Zarr metadata"):
        open_zarr(f"{site.url}/a.zarr", "a")


def test_memory(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr")
    fs = fsspec.filesystem("memory")
    fs.put(str(tmp_path / "a.zarr"), "/zarr/a.zarr", recursive=True)
    try:
        cube = open_zarr("memory://zarr/a.zarr", "a")
        np.testing.assert_array_equal(pixels(cube), VALUES)
        assert cube.layers[0].levels
    finally:
        fs.rm("/zarr", recursive=True)


def test_zip_file(tmp_path: Path) -> None:
    write(tmp_path / "a.zarr")
    packed = shutil.make_archive(str(tmp_path / "a.zarr"), "zip", tmp_path / "a.zarr")
    fs = fsspec.filesystem("memory")
    fs.put(packed, "/zipped/a.zarr.zip")
    try:
        with pytest.raises(UnsupportedFormat, match=r"^a\.zarr\.zip: .* zip files can be opened only where they lie"):
            open_cube("memory://zipped/a.zarr.zip")
    finally:
        fs.rm("/zipped", recursive=True)


@pytest.fixture
def bucket() -> Iterator[Callable[[Path, str], str]]:
    """An S3 of moto; gives a function that uploads a folder and returns its URL."""
    with s3_bucket("cubes") as fs:

        def upload(folder: Path, name: str) -> str:
            fs.put(str(folder), f"cubes/{name}", recursive=True)
            return f"s3://cubes/{name}"

        yield upload


@pytest.mark.parametrize("version", [2, 3])
def test_s3(tmp_path: Path, bucket: Callable[[Path, str], str], version: int) -> None:
    write(tmp_path / "a.zarr", version)
    url = bucket(tmp_path / "a.zarr", "a.zarr")
    cube = open_zarr(url, "a")
    assert [level.reader.shape for level in cube.layers[0].levels] == [(2, 20, 25)]
    np.testing.assert_array_equal(pixels(cube), VALUES)
    local = open_cube(tmp_path / "a.zarr")
    assert [layer.name for layer in local.layers] == [layer.name for layer in cube.layers]
    changed = tmp_path / "a.zarr/0/data" / ("zarr.json" if version == 3 else ".zarray")
    changed.write_text(changed.read_text() + "\n")
    bucket(changed, f"a.zarr/0/data/{changed.name}")
    assert not cube.is_current
    with pytest.raises(CubeChanged):
        pixels(cube)
