"""The catalog: which versions it keeps, which it lets go of, whoever looks at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.cube.wcs_parts import WCSParts
from visiomatic_dask.errors import CubeNotFound, UnreadableCube
from visiomatic_dask.readers import UnpackCache
from visiomatic_dask.rendering import Background
from visiomatic_dask.server.catalog import Catalog
from visiomatic_dask.server.names import DataRoots

from ..range_server import RangeServer, range_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one cube of two names."""
    (tmp_path / "root").mkdir()
    fits.writeto(tmp_path / "root" / "a.fits", np.zeros((8, 8), np.float32))
    (tmp_path / "root" / "b.fits").symlink_to("a.fits")
    return tmp_path / "root"


@pytest.fixture
def web(folder: Path) -> Iterator[RangeServer]:
    with range_server(folder) as server:
        yield server


class Watched(Catalog):
    """A catalog that notes what it lets go of, and looks at a file whenever it is asked for it."""

    def __init__(self, roots: DataRoots) -> None:
        self.gone: list[tuple[str, frozenset[str]]] = []
        super().__init__(roots, self._none, 8, self._note, UnpackCache(Path("/nowhere"), 1, 1))

    async def _none(self, layer: Layer) -> list[Background]:
        raise AssertionError(layer.name)

    def _note(self, cube: Cube, fingerprints: frozenset[str]) -> None:
        self.gone.append((cube.name, fingerprints))


@pytest.fixture(autouse=True)
def _no_look_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiomatic_dask.server.catalog._TRUSTED", 0.0)


def test_a_version_that_is_open_under_another_name_is_kept(folder: Path) -> None:
    async def main() -> None:
        catalog = Watched(DataRoots([folder]))
        first, second = await catalog.get("a.fits", "name"), await catalog.get("b.fits", "name")
        assert first.cube.fingerprint == second.cube.fingerprint
        (folder / "b.fits").unlink()
        await catalog.sweep()
        assert catalog.gone == [("b.fits", frozenset())]
        assert await catalog.get("a.fits", "name") is first
        (folder / "a.fits").unlink()
        await catalog.sweep()
        assert catalog.gone[1:] == [("a.fits", first.fingerprints)]

    asyncio.run(main())


def test_what_cannot_be_found_out_is_no_change(web: RangeServer) -> None:
    async def main() -> None:
        url = f"{web.url}/a.fits"
        catalog = Watched(DataRoots([url]))
        opened = await catalog.get(url, "name")
        web.status["/a.fits"] = 503
        with pytest.raises(UnreadableCube):
            await catalog.get(url, "name")
        await catalog.sweep()
        web.status.clear()
        assert await catalog.get(url, "name") is opened
        assert catalog.gone == []

    asyncio.run(main())


class Doubtful(DataRoots):
    """Roots whose answers are held back, once there is a script of what they shall be and when.

    The first look afterwards begins before the second, and finds no file; the second ends when it is told to.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__([folder])
        self.looks: Iterator[int] | None = None
        self.first, self.second, self.end = threading.Event(), threading.Event(), threading.Event()

    def resolve(self, name: str, parameter: str) -> str:
        look = None if self.looks is None else next(self.looks, None)
        if look == 1:
            self.first.set()
            assert self.second.wait(10)
            raise CubeNotFound("there was none for a moment")
        if look == 2:
            self.second.set()
            assert self.end.wait(10)
        return super().resolve(name, parameter)


def test_what_a_sweep_has_dropped_is_not_put_back(folder: Path) -> None:
    async def main() -> None:
        roots = Doubtful(folder)
        catalog = Watched(roots)
        opened = await catalog.get("a.fits", "name")
        roots.looks = iter([1, 2])
        sweep = asyncio.create_task(catalog.sweep())
        await asyncio.to_thread(roots.first.wait, 10)
        asked = asyncio.create_task(catalog.get("a.fits", "name"))
        await sweep
        roots.end.set()
        assert await asked is not opened
        assert [name for name, _ in catalog.gone] == ["a.fits"]

    asyncio.run(main())


def test_the_sky_is_read_when_a_cube_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the first request that needs it, which may be on the event loop."""
    threads: list[str] = []
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 10.0,
        "CRVAL2": 20.0,
        "CDELT1": -1e-4,
        "CDELT2": 1e-4,
    }
    fits.writeto(folder / "sky.fits", np.zeros((8, 8), np.float32), fits.Header(list(cards.items())))
    read = WCSParts.__init__

    def noted(self: WCSParts, *arguments: object, **named: object) -> None:
        threads.append(threading.current_thread().name)
        read(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(WCSParts, "__init__", noted)

    async def main() -> None:
        opened = await Watched(DataRoots([folder])).get("sky.fits", "name")
        count = len(threads)
        assert opened.cube.layer().wcs.frame == "icrs"
        assert len(threads) == count
        assert "MainThread" not in threads

    asyncio.run(main())
