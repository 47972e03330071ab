"""``visiomatic-dask preset``: named renderings of a cube, kept by the operator and offered to everybody."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from visiomatic_dask.command_options import PathOrURL, errors_for_people, unpacking_bar
from visiomatic_dask.config import load_settings
from visiomatic_dask.readers import open_cube
from visiomatic_dask.server.preset_query import check_preset, parse_keys
from visiomatic_dask.server.presets import PresetFolder

_cube = click.argument("cube", type=PathOrURL())
_name = click.argument("name")


@click.group()
def preset() -> None:
    """Keep named renderings of cubes.

    A preset stands for rendering keys of the web API: mixes, cuts, colours. Browsers are offered those of a cube, and
    tiles are asked for by preset=NAME. A running server notices changes within a second.
    """


@preset.command("list")
@_cube
def list_presets(cube: Path | str) -> None:
    """Write the names of the presets of a CUBE."""
    with errors_for_people():
        for name in sorted(_folder().read(_address(cube))):
            click.echo(name)


@preset.command()
@_cube
@_name
def show(cube: Path | str, name: str) -> None:
    """Write the keys of a preset, a line each, as `save` takes them."""
    with errors_for_people():
        for key, values in _folder().get(_address(cube), name).items():
            for value in values:
                click.echo(f"{key}={value}")


@preset.command()
@_cube
@_name
@click.argument("keys", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--layer", metavar="LAYER", help="Layer to try it on; by default the one that is shown first.")
def save(cube: Path | str, name: str, keys: tuple[str, ...], layer: str | None) -> None:
    """Keep a preset of a CUBE under a NAME, in the place of one of the same name.

    Each KEY is a rendering key of tiles, mix and cuts as often as wanted:

        visiomatic-dask preset save cube.fits halpha mix=range:655-657nm:red gamma=1.5
    """
    with errors_for_people():
        found, settings = parse_keys(keys), load_settings()
        with unpacking_bar(os.path.basename(str(cube))) as progress:  # noqa: PTH119 - it may be a URL
            opened = open_cube(cube, progress=progress)
        asyncio.run(check_preset(found, opened.layer(layer), settings))
        PresetFolder(settings.presets).save(_address(cube), name, found)


@preset.command()
@_cube
@_name
def remove(cube: Path | str, name: str) -> None:
    """Give up a preset of a CUBE."""
    with errors_for_people():
        _folder().remove(_address(cube), name)


def _folder() -> PresetFolder:
    return PresetFolder(load_settings().presets)


def _address(cube: Path | str) -> str:
    """Tell what a server calls the cube."""
    return os.path.realpath(cube) if isinstance(cube, Path) else cube
