"""Tiles of one layer on the grid of another, against reproject on whole planes and against the sky itself."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from reproject import reproject_interp

from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.onto import Onto, OntoFinder
from visiomatic_dask.engine.planner import Planner
from visiomatic_dask.engine.reprojected_brick import ReprojectedBrick
from visiomatic_dask.engine.requests import TileRequest
from visiomatic_dask.errors import InvalidRequest, TooLarge
from visiomatic_dask.pyramid import TileGrid
from visiomatic_dask.readers import open_cube
from visiomatic_dask.rendering import Collapse, Content, Cut, Look, Mix, Mono, Style

from .skies import CENTRE, header, write_image

TILE = 64
GRID = header(200, 150, 1e-3)
MONO = Mono(0, Cut(0, 1))


def layer_of(path: Path) -> Layer:
    return open_cube(path).layers[0]


def written(
    folder: Path, name: str, keywords: fits.Header, width: int, height: int
) -> tuple[Layer, NDArray[np.float32]]:
    pixels = write_image(folder / name, keywords, width, height)
    return layer_of(folder / name), pixels


def recipe_of(
    shown: Layer,
    grid: Layer,
    place: tuple[int, int, int],
    order: str = "bilinear",
    content: Content = MONO,
    **limits: str,
) -> tuple[ReprojectedBrick, Onto]:
    settings = load_settings(tile_size=TILE, **limits)
    onto = OntoFinder(TILE).find(shown, grid, place, order)  # type: ignore[arg-type]
    request = TileRequest(shown, *place, Style(content, Look()), onto=onto)
    brick = Planner(settings).plan(request, 1).brick
    recipe = pickle.loads(brick.pickled)
    assert isinstance(recipe, ReprojectedBrick)
    assert Brick(recipe).key == brick.key
    return recipe, onto


def picture(
    shown: Layer, grid: Layer, level: int, order: str = "bilinear", content: Content = MONO
) -> NDArray[np.float32]:
    """All tiles of a level put together, (planes, rows, columns), y up."""
    tiles = TileGrid(grid.width, grid.height, TILE)
    columns, rows = tiles.count(level)
    made = [
        [recipe_of(shown, grid, (level, row, column), order, content)[0] for column in range(columns)]
        for row in range(rows)
    ]
    for recipe in (one for line in made for one in line):
        assert recipe.load().nbytes == recipe.nbytes
    return np.block([[one.load() for one in line] for line in made])[:, ::-1]


CASES = {
    "turned": (header(180, 160, 1.1e-3, 33.0), 180, 160),
    "coarse": (header(50, 40, 3.7e-3, -20.0), 50, 40),
    "galactic": (header(150, 150, 0.9e-3, 10.0, "galactic"), 150, 150),
    "supergalactic": (header(150, 150, 0.9e-3, 10.0, "supergalactic"), 150, 150),
    "distorted": (header(150, 150, 1.2e-3, 5.0, projection="TAN-SIP"), 150, 150),
    "beside": (header(150, 150, 1e-3, 15.0, CRPIX1=230.0, CRPIX2=20.0), 150, 150),
    "away": (header(50, 50, 1e-3, CRVAL1=120.0, CRVAL2=-40.0), 50, 50),
}


@pytest.mark.parametrize("order", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("name", CASES)
def test_tiles_add_up_to_what_reproject_makes_of_the_whole(tmp_path: Path, name: str, order: str) -> None:
    keywords, width, height = CASES[name]
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    shown, pixels = written(tmp_path, "shown.fits", keywords, width, height)
    found = picture(shown, grid, 0, order)[0]
    if name == "supergalactic":  # which astropy's WCS does not know by itself: against the sky
        expected = write_image(tmp_path / "again.fits", GRID, 200, 150)
        inside = np.isfinite(found)
        assert inside.mean() > 0.3
        assert (
            np.quantile(np.abs(found - expected)[inside], 0.95)
            < {"nearest": 0.4, "bilinear": 0.1, "bicubic": 0.02}[order]
        )
        return
    name_of = {"nearest": "nearest-neighbor"}.get(order, order)
    expected = reproject_interp((pixels, WCS(keywords)), WCS(GRID), (150, 200), order=name_of, return_footprint=False)
    assert (np.isnan(found) == np.isnan(expected)).mean() > 0.999  # on the very edge the last bit decides
    assert np.isfinite(expected).any() == (name != "away")
    difference = np.abs(found - expected)[np.isfinite(found) & np.isfinite(expected)]
    if order == "nearest":
        assert (difference > 1e-4).mean() < 2e-3 if difference.size else True
    else:
        assert difference.max(initial=0) < 1e-4


def test_nothing_is_read_where_nothing_lies(tmp_path: Path) -> None:
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    for name in ("away", "beside"):
        shown, _ = written(tmp_path, f"{name}.fits", *CASES[name])
        recipes = [recipe_of(shown, grid, (0, row, column))[0] for row in range(3) for column in range(4)]
        assert any(recipe.read_cost == 0 for recipe in recipes)
        assert all(np.isnan(recipe.load()).all() for recipe in recipes if recipe.read_cost == 0)
        assert len({Brick(recipe).key for recipe in recipes if not recipe.read_cost}) <= 4  # one for each size of tile
        assert any(recipe.read_cost for recipe in recipes) == (name == "beside")


def centre_of_light(plane: NDArray[np.float32], at: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Centroid about a pixel, 0-based x and y, of what is brighter than its surroundings."""
    column, row = np.rint(at).astype(int)
    cut = plane[row - reach : row + reach + 1, column - reach : column + reach + 1].astype(float)
    cut = np.clip(cut - np.median(cut) - 1.0, 0, None)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.array([column + (cut * x).sum() / cut.sum(), row + (cut * y).sum() / cut.sum()])


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", ["turned", "galactic", "distorted", "fine"])
def test_a_star_stays_where_it_is_on_the_sky(tmp_path: Path, name: str, level: int) -> None:
    keywords, width, height = CASES[name] if name != "fine" else (header(900, 700, 2.5e-4, 70.0), 900, 700)
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    shown, _ = written(tmp_path, "shown.fits", keywords, width, height)
    at = grid.wcs.at_level(level, grid.height).pixels(np.array([[CENTRE.ra.deg, CENTRE.dec.deg]]))[0] - 1
    found = centre_of_light(picture(shown, grid, level)[0], at, 8 >> level)
    assert np.abs(found - at).max() < 0.1


def test_zoomed_out_views_read_coarse_levels(tmp_path: Path) -> None:
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    shown, _ = written(tmp_path, "shown.fits", header(900, 700, 2.5e-4), 900, 700)
    assert [recipe_of(shown, grid, (level, 0, 0))[1].level for level in (0, 1, 2)] == [2, 3, 4]
    coarse, _ = written(tmp_path, "coarse.fits", header(50, 40, 3.7e-3), 50, 40)
    assert [recipe_of(coarse, grid, (level, 0, 0))[1].level for level in (0, 1, 2)] == [0, 0, 0]


def test_a_sky_of_all_directions(tmp_path: Path) -> None:
    keywords = header(360, 180, 1.0, projection="CAR", CRVAL1=180.0, CRVAL2=0.0)
    shown, _ = written(tmp_path, "all.fits", keywords, 360, 180)
    wide = header(100, 100, 0.7)
    grid, _ = written(tmp_path, "grid.fits", wide, 100, 100)
    found = picture(shown, grid, 0)[0]  # around 0 h, where the picture of the whole sky ends left and right
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = fits.getdata(tmp_path / "all.fits").astype(np.float32)
        expected = reproject_interp((pixels, WCS(keywords)), WCS(wide), (100, 100), return_footprint=False)
    assert np.isfinite(expected).mean() > 0.9
    assert (np.isnan(found) == np.isnan(expected)).mean() > 0.999
    assert np.nanmax(np.abs(found - expected)) < 1e-3
    other, _ = written(tmp_path, "disc.fits", header(128, 128, 2.0, projection="AIT"), 128, 128)
    assert np.isnan(picture(grid, other, 0)).mean() > 0.5
    assert np.isfinite(picture(grid, other, 0)).sum() > 100


@pytest.mark.parametrize("order", ["nearest", "bilinear", "bicubic"])
def test_holes_stay_holes_and_spoil_nothing_else(tmp_path: Path, order: str) -> None:
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    keywords, width, height = CASES["turned"]
    shown, pixels = written(tmp_path, "shown.fits", keywords, width, height)
    whole = picture(shown, grid, 0, order)[0]
    pixels[70:80, 90:100] = np.nan
    pixels[20, 20] = np.inf
    fits.writeto(tmp_path / "holes.fits", pixels, keywords)
    found = picture(layer_of(tmp_path / "holes.fits"), grid, 0, order)[0]
    holes = np.isnan(found) & np.isfinite(whole)
    assert 90 <= holes.sum() <= 200
    assert not np.isinf(found).any()
    same = np.isfinite(found)
    assert (np.abs(found - whole)[same] < 1e-4).mean() > 0.97


def test_mixes_and_ranges_are_made_first(tmp_path: Path) -> None:
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    keywords, width, height = CASES["turned"]
    pixels = write_image(tmp_path / "one.fits", keywords, width, height)
    fits.writeto(tmp_path / "cube.fits", np.stack([pixels, 2 * pixels]), keywords)
    mix = Mix([0, 1], [Cut(0, 1), Cut(-1, 3)], [[1, 0, 0.5], [0, 1, 0.5]])
    found = picture(layer_of(tmp_path / "cube.fits"), grid, 0, content=mix)
    plain = picture(layer_of(tmp_path / "one.fits"), grid, 0)[0]
    expected = np.stack([plain, (2 * plain + 1) / 4, 0.5 * plain + 0.5 * (2 * plain + 1) / 4])
    assert np.nanmax(np.abs(found - expected)) < 1e-4
    summed = picture(layer_of(tmp_path / "cube.fits"), grid, 0, content=Collapse(0, 2, "sum", Cut(0, 1)))
    assert summed.shape == (1, 150, 200)
    assert np.nanmax(np.abs(summed[0] - 3 * plain)) < 1e-4


def test_refusals(tmp_path: Path) -> None:
    grid, _ = written(tmp_path, "grid.fits", GRID, 200, 150)
    fits.writeto(tmp_path / "plain.fits", np.zeros((80, 80), np.float32))
    plain = layer_of(tmp_path / "plain.fits")
    with pytest.raises(InvalidRequest, match="it is to be shown on has no celestial") as caught:
        recipe_of(grid, plain, (0, 0, 0))
    assert caught.value.parameter == "onto"
    with pytest.raises(InvalidRequest, match="is shown has no celestial") as caught:
        recipe_of(plain, grid, (0, 0, 0))
    assert caught.value.parameter == "layer"
    with pytest.raises(InvalidRequest, match="level"):
        recipe_of(grid, grid, (3, 0, 0))
    with pytest.raises(TooLarge, match="read-limit"):
        recipe_of(grid, grid, (0, 0, 0), read_limit="8 kB", exact_read="4 kB")
