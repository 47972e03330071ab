"""``GET /cubes?path=``: folders, page by page."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.readers import UnpackCache, open_cube, peek_cube
from visiomatic_dask.server import browse
from visiomatic_dask.server.browse import Browser, PageRequest
from visiomatic_dask.server.names import DataRoots

from ..processes import wait_until
from ..service import Service, serving
from .conftest import Sky

MANY = 10_000
CACHE = UnpackCache(Path("/nowhere"), 1, 1)
"""Nothing is unpacked for a listing, so nobody ever looks there."""


def names(page: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in page["entries"]]


def by_name(page: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in page["entries"]}


def settled(service: Service, path: str) -> dict[str, Any]:
    """Ask until nothing is pending any more."""
    pages: list[dict[str, Any]] = []

    def is_settled() -> bool:
        pages[:] = [service.ok(path).json]
        return not any("pending" in entry for entry in pages[0]["entries"])

    wait_until(is_settled, 30)
    return pages[0]


def test_the_top_has_folders_first_and_everything_by_what_it_is(service: Service, cubes: Sky) -> None:
    page = service.ok("/cubes?path=").json
    expected = ["sub", *sorted(path.name for path in cubes.folder.iterdir() if path.is_file())]
    assert names(page) == expected
    assert (page["path"], page["offset"], page["next"], page["total"]) == ("", 0, None, len(expected))
    assert page["truncated"] is False
    entries = by_name(page)
    known = {
        "sub": ("folder", None),
        "sky.fits": ("cube", "FITS"),
        "small.fits": ("cube", "FITS"),
        "layers.fits": ("cube", "FITS"),
        "garbled.fits": ("cube", "FITS"),
        "truncated.fits": ("cube", "FITS"),
        "empty.fits": ("other", None),
        "notes.txt": ("other", None),
    }
    # Other tests put files of theirs beside these.
    assert {name: (entries[name]["kind"], entries[name]["format"]) for name in known} == known
    assert entries["sky.fits"]["size"] == (cubes.folder / "sky.fits").stat().st_size
    assert entries["sub"]["size"] is None
    assert np.datetime64(entries["sky.fits"]["modified"].removesuffix("Z")).astype(int) == int(
        (cubes.folder / "sky.fits").stat().st_mtime
    )
    assert entries["empty.fits"]["error"] == "it is empty"
    assert "layers" not in entries["sky.fits"]


def test_details_are_those_of_the_headers(service: Service) -> None:
    entries = by_name(settled(service, "/cubes?path=&details=true"))
    assert entries["sky.fits"]["layers"] == [
        {"name": "PRIMARY", "shape": [3, 1030, 1025], "dtype": "float32", "unit": "Jy/beam"}
    ]
    assert [(one["name"], one["shape"], one["dtype"]) for one in entries["layers.fits"]["layers"]] == [
        ("SCI", [2, 60, 100], "float32"),
        ("DQ", [60, 100], "uint8"),
    ]
    assert "truncated" in entries["truncated.fits"]["error"]
    assert entries["truncated.fits"]["layers"] == []
    assert "layers" not in entries["sub"]
    assert "layers" not in entries["notes.txt"]


def test_a_folder_below(service: Service) -> None:
    page = service.ok("/cubes?path=sub").json
    assert (page["path"], names(page)) == ("sub", ["sub/four.fits"])
    assert service.ok("/cubes?path=sub/").json == page
    assert service.ok(f"/cubes/{names(page)[0]}").json["name"] == "sub/four.fits"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("offset=-1", "offset"), ("details=2", "details"), ("x=1", "x")],
)
def test_arguments_are_checked(service: Service, query: str, parameter: str) -> None:
    answer = service.get(f"/cubes?path=&{query}")
    assert (answer.status, answer.parameter) == (400, parameter)


@pytest.mark.parametrize("path", ["no", "sky.fits", "sub/four.fits", "."])
def test_what_is_no_folder(service: Service, path: str) -> None:
    answer = service.get(f"/cubes?path={path}")
    assert (answer.status, answer.parameter) == (404, "path")
    assert "as GET /cubes?path= lists them" in answer.message


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two roots, a single file and what else may lie in a folder."""
    for root in ("one", "two"):
        (tmp_path / root / "both").mkdir(parents=True)
    small = np.zeros((4, 5), np.float32)
    fits.writeto(tmp_path / "one" / "a.fits", small)
    fits.writeto(tmp_path / "two" / "a.fits", np.zeros((6, 7), np.float32))
    fits.writeto(tmp_path / "two" / "b.fits", small)
    fits.writeto(tmp_path / "one" / "both" / "x.fits", small)
    fits.writeto(tmp_path / "two" / "both" / "y.fits", small)
    fits.writeto(tmp_path / "single.fits", small)
    (tmp_path / "one" / ".hidden.fits").write_bytes((tmp_path / "single.fits").read_bytes())
    (tmp_path / "one" / ".git").mkdir()
    (tmp_path / "one" / "gone").symlink_to(tmp_path / "one" / "nowhere")
    (tmp_path / "one" / "loop").symlink_to(tmp_path / "one" / "loop")
    (tmp_path / "one" / "out.fits").symlink_to(tmp_path / "single.fits")
    (tmp_path / "one" / "in.fits").symlink_to(tmp_path / "one" / "both" / "x.fits")
    os.mkfifo(tmp_path / "one" / "pipe")
    (tmp_path / "one" / "back\\slash.fits").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(tmp_path / "one") + b"/not-\xff-utf8")).write_bytes(b"")
    return tmp_path


def test_roots_are_merged_as_names_resolve(tree: Path) -> None:
    with serving(tree / "one", tree / "single.fits", tree / "two", tile_threads=1) as service:
        page = settled(service, "/cubes?path=&details=true")
        assert names(page) == [
            "both", "a.fits", "b.fits", "gone", "in.fits", "loop", "pipe", "single.fits",
        ]  # fmt: skip
        entries = by_name(page)
        for name in ("a.fits", "b.fits", "in.fits", "single.fits"):
            assert entries[name]["layers"][0]["shape"] == service.ok(f"/cubes/{name}").json["shape"]
        assert entries["a.fits"]["layers"][0]["shape"] == [4, 5]
        for name, why in (("gone", "No such file"), ("loop", "symbolic links"), ("pipe", "not a regular file")):
            assert entries[name]["kind"] == "other"
            assert why in entries[name]["error"]
            assert str(tree) not in entries[name]["error"]
        assert names(service.ok("/cubes?path=both").json) == ["both/x.fits", "both/y.fits"]
        flat = {one["name"] for one in service.ok("/cubes").json["cubes"]}
        assert flat == {"a.fits", "b.fits", "both/x.fits", "both/y.fits", "in.fits", "single.fits"}


def test_pages_are_consecutive_and_filtered(tree: Path) -> None:
    with serving(tree / "one", tile_threads=1) as service:
        whole = names(service.ok("/cubes?path=").json)
        found: list[str] = []
        offset: int | None = 0
        while offset is not None:
            page = service.ok(f"/cubes?path=&offset={offset}&limit=3").json
            assert page["total"] == len(whole)
            found += names(page)
            offset = page["next"]
        assert found == whole
        assert names(service.ok("/cubes?path=&offset=99").json) == []
        page = service.ok("/cubes?path=&contains=.FIT&limit=1").json
        assert (page["total"], page["next"], names(page)) == (2, 1, ["a.fits"])


def test_what_comes_goes_and_changes_is_seen(tmp_path: Path) -> None:
    path = "/cubes?path=&details=true"
    with serving(tmp_path, tile_threads=1) as service:
        assert settled(service, path)["entries"] == []
        fits.writeto(tmp_path / "a.fits", np.zeros((4, 5), np.float32))
        assert by_name(settled(service, path))["a.fits"]["layers"][0]["shape"] == [4, 5]
        fits.writeto(tmp_path / "a.fits", np.zeros((6, 7), np.float64), overwrite=True)
        assert by_name(settled(service, path))["a.fits"]["layers"][0]["shape"] == [6, 7]
        (tmp_path / "a.fits").rename(tmp_path / "b.fits")
        assert names(settled(service, path)) == ["b.fits"]
        (tmp_path / "b.fits").unlink()
        assert settled(service, path)["entries"] == []


class FolderFormat:
    """A made-up format whose cubes are folders with a file named ``cube.txt``."""

    name = "Folder"
    description = "folders that hold a cube.txt"

    def matches(self, place: Any) -> bool:
        return bool(place.is_folder and place.has("cube.txt"))

    def open(self, place: Any, name: str) -> Any:
        cube = open_cube(place.path / "data.fits", name=name)
        return type(cube)(name, self.name, cube.source, cube.layers)


@pytest.fixture
def folder_cube(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root with a cube that is a folder."""
    from visiomatic_dask.readers import registry

    monkeypatch.setattr(registry, "_OWN", (*registry._OWN, FolderFormat()))
    registry.formats.cache_clear()
    cube = tmp_path / "root" / "sub" / "x.cube"
    (cube / "0" / "c").mkdir(parents=True)
    (cube / "cube.txt").write_text("")
    fits.writeto(cube / "data.fits", np.zeros((4, 5), np.float32))
    (cube / "0" / "c" / "0").write_bytes(b"chunk")
    yield tmp_path / "root"
    monkeypatch.undo()
    registry.formats.cache_clear()


def test_a_folder_that_is_a_cube_is_one(folder_cube: Path) -> None:
    with serving(folder_cube, tile_threads=1) as service:
        (entry,) = settled(service, "/cubes?path=sub&details=true")["entries"]
        assert (entry["name"], entry["kind"], entry["format"], entry["size"]) == ("sub/x.cube", "cube", "Folder", None)
        assert entry["layers"][0]["shape"] == [4, 5]
        assert service.get("/cubes?path=sub/x.cube").status == 404
        assert service.ok("/cubes/sub/x.cube").json["shape"] == [4, 5]
        assert service.ok("/cubes/sub/x.cube/tiles/0/0/0.png").body
        assert service.ok("/cubes").json["cubes"] == [{"name": "sub/x.cube", "size": None}]
        assert service.get("/cubes/sub/x.cube/0/c/0").status == 404
        assert service.get("/cubes/sub").status == 404


def test_a_folder_that_is_a_cube_is_served_by_its_name(folder_cube: Path) -> None:
    with serving(folder_cube / "sub" / "x.cube", tile_threads=1) as service:
        assert names(service.ok("/cubes?path=").json) == ["x.cube"]
        assert service.ok("/cubes/x.cube").json["shape"] == [4, 5]
        for name in ("x.cube/data.fits", "data.fits", "x.cube/cube.txt"):
            assert service.get(f"/cubes/{name}").status == 404


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 10,000 small FITS files."""
    folder = tmp_path_factory.mktemp("crowd")
    fits.writeto(folder / "00000.fits", np.zeros((2, 2), np.uint8))
    data = (folder / "00000.fits").read_bytes()
    for number in range(1, MANY):
        (folder / f"{number:05d}.fits").write_bytes(data)
    return folder


def test_ten_thousand_files_while_others_are_answered(crowd: Path) -> None:
    """While pages are read with details, the event loop goes on: it turns many times before the first page is there."""

    async def main() -> None:
        browser = Browser(DataRoots([crowd]), CACHE)
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        turning = asyncio.create_task(turn())
        found: list[str] = []
        offset: int | None = 0
        while offset is not None:
            before = turns
            page = await browser.page(PageRequest("", offset, 1000))
            assert turns > before + 10
            assert page["total"] == MANY
            found += names(page)
            offset = page["next"]
        assert found == [f"{number:05d}.fits" for number in range(MANY)]
        turning.cancel()
        browser.close()

    asyncio.run(main())


def test_what_takes_too_long_is_pending_and_comes_when_asked_again(
    crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def counted(path: str, name: str, cache: UnpackCache) -> Any:
        opened.append(name)
        return peek_cube(path, name, cache)

    monkeypatch.setattr("visiomatic_dask.server.headlines.peek_cube", counted)

    async def main() -> None:
        browser = Browser(DataRoots([crowd]), CACHE, budget=0.0)
        request = PageRequest("", 9_900, 50, details=True)
        page = await browser.page(request)
        assert [entry.get("pending") for entry in page["entries"]] == [True] * 50
        assert names(page) == [f"{number:05d}.fits" for number in range(9_900, 9_950)]
        asked = 1
        while any("pending" in entry for entry in page["entries"]):
            await asyncio.sleep(0.01)
            page = await browser.page(request)
            asked += 1
        assert asked > 2
        assert all(entry["layers"][0]["shape"] == [2, 2] for entry in page["entries"])
        assert sorted(opened) == names(page)  # each once, and none that nobody has asked for
        browser.close()

    asyncio.run(main())


def test_pages_that_begin_alike_are_not_taken_for_one_another(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number:02d}.txt").write_text("no cube")
        fits.writeto(tmp_path / f"{number:02d}.fits", np.zeros((2, 2), np.uint8))

    async def main() -> None:
        browser = Browser(DataRoots([tmp_path]), CACHE, budget=20)
        both = await asyncio.gather(browser.page(PageRequest("")), browser.page(PageRequest("", contains=".fits")))
        browser.close()
        for page, expected in zip(both, ({"cube", "other"}, {"cube"}), strict=True):
            assert {entry["kind"] for entry in page["entries"]} == expected
            assert all((entry["kind"] == "cube") == entry["name"].endswith(".fits") for entry in page["entries"])

    asyncio.run(main())


def test_what_is_under_way_is_bounded(crowd: Path) -> None:
    async def main() -> None:
        browser = Browser(DataRoots([crowd]), CACHE, budget=0.0)
        pages = await asyncio.gather(*(browser.page(PageRequest("", start, 1000)) for start in range(0, MANY, 1000)))
        assert len(browser._under_way) <= browse._MOST_PARTS
        assert sum(len(page["entries"]) for page in pages) == MANY
        assert any("pending" in entry for page in pages for entry in page["entries"])
        browser.close()

    asyncio.run(main())


def test_health_is_answered_while_a_crowd_is_listed(crowd: Path) -> None:
    """One page after the other with details, and the flat list: others are answered before the last of them is."""
    answered: list[str] = []
    with serving(crowd, tile_threads=1) as service, ThreadPoolExecutor(2) as pool:

        def list_all() -> None:
            for offset in range(0, 600, 200):
                page = settled(service, f"/cubes?path=&details=true&offset={offset}")
                assert (page["total"], len(page["entries"])) == (MANY, 200)
                answered.append("page")
            flat = service.ok("/cubes").json
            assert (len(flat["cubes"]), flat["truncated"]) == (1000, True)

        listing = pool.submit(list_all)
        while not listing.done():
            assert service.ok("/health").json["status"] == "ok"
            answered.append("health")
            time.sleep(0.01)
        listing.result()
    first, *others = "".join("p" if one == "page" else "h" for one in answered).split("p")
    assert all("hh" in part for part in (first, *others[:-1]))


def test_listing_compressed_files_unpacks_none(tmp_path: Path, cache_folder: Path) -> None:
    """Their layers are told from their beginning: the first image of a FITS file, whatever its size, but no more."""
    one, two = fits.ImageHDU(np.zeros((300, 400), np.int16), name="SCI"), fits.ImageHDU(np.zeros((5, 6)), name="DQ")
    fits.HDUList([fits.PrimaryHDU(), one, two]).writeto(tmp_path / "two.fits.gz")
    fits.writeto(tmp_path / "large.fits.gz", np.zeros((3, 1000, 2000), np.float32))
    np.save(tmp_path / "array.npy", np.zeros((20, 30), np.uint8))
    (tmp_path / "array.npy.bz2").write_bytes(bz2.compress((tmp_path / "array.npy").read_bytes()))
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"hello"))
    with serving(tmp_path) as service:
        entries = by_name(settled(service, "/cubes?path=&details=true"))
        layers = {
            name: [(one["name"], one["shape"]) for one in entry.get("layers", [])] for name, entry in entries.items()
        }
        assert layers == {
            "array.npy": [("array", [20, 30])],
            "array.npy.bz2": [("array", [20, 30])],
            "large.fits.gz": [("PRIMARY", [3, 1000, 2000])],
            "text.gz": [],
            "two.fits.gz": [("SCI", [300, 400]), ("DQ", [5, 6])],
        }
        assert [name for name, entry in entries.items() if "partial" in entry] == [
            "array.npy.bz2",
            "large.fits.gz",
            "two.fits.gz",
        ]
        assert not list(cache_folder.glob("unpacked/*large*"))
        service.ok("/cubes/two.fits.gz")  # opened, it is unpacked, and everything is known
        assert "partial" not in by_name(settled(service, "/cubes?path=&details=true&contains=two"))["two.fits.gz"]
