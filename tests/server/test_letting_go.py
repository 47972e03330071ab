"""What is kept of a cube is let go of when its file is another, or gone: bricks, pictures, plans, styles, views."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.errors import CubeChanged, CubeNotFound
from visiomatic_dask.rendering import Cut, Look, Mono, Style
from visiomatic_dask.server.base import Services
from visiomatic_dask.server.names import DataRoots
from visiomatic_dask.server.responses import Delivery
from visiomatic_dask.server.serve import ServeOptions, open_services
from visiomatic_dask.server.tile_paths import KnownStyle

from .test_changes import write

Use = Callable[[Services, Path], Awaitable[None]]


def with_services(folder: Path, use: Use) -> None:
    """Run a test on what handlers work with."""

    async def main() -> None:
        options = ServeOptions([folder], "127.0.0.1", 0, None, __version__)
        async with open_services(options, load_settings(tile_threads=1), DataRoots([folder])) as services:
            await use(services, folder)

    asyncio.run(main())


async def look_at(services: Services, name: str) -> str:
    """Have a tile of each level made and kept, with its style, and return the cube's fingerprint."""
    opened = await services.catalog.get(name, "name")
    layer = opened.cube.layer()
    await opened.backgrounds(layer)
    for level in range(3):
        request = TileRequest(layer, level, 0, 0, Style(Mono(1, Cut(0, 255)), Look()))

        async def make(request: TileRequest = request) -> object:
            return await services.renderer.tile(request, "somebody")

        await services.desk.get(request.token_by(""), layer.reader.fingerprint, make)  # type: ignore[arg-type]
        path = f"/cubes/{name}/tiles/{level}/0/0.jpg?contrast={level + 1}"
        services.styles.put(path, KnownStyle(opened.cube, layer, request.style, Delivery()))
    return opened.cube.fingerprint


def kept(services: Services) -> tuple[int, int, int]:
    """Bricks, pictures and styles that are kept."""
    return services.renderer.bricks, len(services.desk), len(services.styles)


async def asked_for(services: Services) -> None:
    """Somebody asks for the cube."""
    services.catalog.doubt()
    try:
        await services.catalog.get("a.fits", "name")
    except CubeNotFound:
        return


async def swept(services: Services) -> None:
    """Nobody does, but the sweep comes by."""
    await asyncio.sleep(1.1)  # what was looked at a moment ago is not looked at again
    await services.catalog.sweep()


@pytest.mark.parametrize("look", [asked_for, swept])
@pytest.mark.parametrize("gone", [False, True])
def test_all_is_let_go_of(tmp_path: Path, look: Callable[[Services], Awaitable[None]], gone: bool) -> None:
    async def use(services: Services, folder: Path) -> None:
        await look_at(services, "b.fits")
        beside = kept(services)
        first = await look_at(services, "a.fits")
        assert all(both > alone > 0 for both, alone in zip(kept(services), beside, strict=True))
        if gone:
            (folder / "a.fits").unlink()
        else:
            write(folder / "a.fits", 20)
        await look(services)
        while services.renderer.bricks > beside[0]:  # a few in each turn of the loop
            await asyncio.sleep(0)
        assert kept(services) == beside
        if gone:
            with pytest.raises(CubeNotFound):
                await look_at(services, "a.fits")
        else:
            assert await look_at(services, "a.fits") != first

    for name in ("a.fits", "b.fits"):
        write(tmp_path / name, 10)
    with_services(tmp_path, use)


def test_a_picture_under_way_is_not_kept(tmp_path: Path) -> None:
    async def use(services: Services, folder: Path) -> None:
        opened = await services.catalog.get("a.fits", "name")
        layer = opened.cube.layer()
        request = TileRequest(layer, 0, 0, 0, Style(Mono(0, Cut(0, 255)), Look()))

        async def make() -> object:
            picture = await services.renderer.tile(request)
            write(folder / "a.fits", 20)
            await asked_for(services)
            return picture

        await services.desk.get(request.token_by(""), layer.reader.fingerprint, make)  # type: ignore[arg-type]
        assert len(services.desk) == 0

    write(tmp_path / "a.fits", 10)
    with_services(tmp_path, use)


def test_the_old_version_is_refused_from_the_source(tmp_path: Path) -> None:
    """Who still holds the old description gets an error of the reader, never pixels of the new file."""

    async def use(services: Services, folder: Path) -> None:
        opened = await services.catalog.get("a.fits", "name")
        write(folder / "a.fits", 20)
        await asked_for(services)
        request = TileRequest(opened.cube.layer(), 0, 0, 0, Style(Mono(0, Cut(0, 255)), Look()))
        with pytest.raises(CubeChanged):
            await services.renderer.tile(request)

    write(tmp_path / "a.fits", 10)
    with_services(tmp_path, use)
