"""Colormaps equal matplotlib's, name by name."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import check_colormap, colormap_names
from visiomatic_dask.rendering.colormaps import colormap_table

VISIOMATIC = {"grey": "gray", "cold": "cool"}  # ours and matplotlib's names


def by_matplotlib(name: str) -> NDArray[np.int64]:
    plain = name.removesuffix("_r")
    colormap = mpl.colormaps[name.replace(plain, VISIOMATIC.get(plain, plain))]
    table: NDArray[np.int64] = np.rint(255 * np.asarray(colormap(np.linspace(0, 1, 256)))[:, :3]).astype(int)
    return table


def ours(name: str) -> NDArray[np.int64]:
    table = colormap_table(name)
    grey = np.repeat(np.arange(256)[:, None], 3, axis=1)
    return (grey if table is None else table).astype(int)


def test_every_name_of_matplotlib_is_there() -> None:
    assert set(mpl.colormaps) <= set(colormap_names())
    assert len(set(colormap_names())) == len(colormap_names())
    assert colormap_names()[:5] == ("grey", "jet", "cold", "cool", "hot")


@pytest.mark.parametrize("name", colormap_names())
def test_equal_to_matplotlib(name: str) -> None:
    """But for rounding (2 of 255) and two things that are known.

    The red of gist_stern jumps from 0.03 to 0.25 at a quarter of the range in matplotlib; in cmap, as in Yorick, it
    rises from there. Qualitative maps change colour at k/N: where that is an entry, reversed, rounding decides.
    """
    difference = np.abs(ours(name) - by_matplotlib(name))
    plain = name.removesuffix("_r")
    if plain == "gist_stern":
        red = difference[::-1, 0] if name != plain else difference[:, 0]
        assert red.max() <= 57
        assert red[:64].max() <= 2
        difference[:, 0] = 0
    if isinstance(mpl.colormaps[VISIOMATIC.get(plain, plain)], ListedColormap):
        colours = mpl.colormaps[VISIOMATIC.get(plain, plain)].N
        if colours < 64 and name != plain:
            difference[np.arange(256) * colours % 255 == 0] = 0
    assert difference.max() <= 2, np.argwhere(difference > 2)


@pytest.mark.parametrize("name", colormap_names())
def test_tables_suit_the_kernels(name: str) -> None:
    table = colormap_table(name)
    if table is None:
        assert name == "grey"
        return
    assert table.dtype == np.uint8
    assert table.shape == (256, 3)
    assert table.flags.c_contiguous
    plain = name.removesuffix("_r")
    np.testing.assert_array_equal(ours(name), ours(plain)[::-1] if name != plain else ours(plain))


@pytest.mark.parametrize("name", ["", "Viridis", "viridis_r_r", "_r", "parula!"])
def test_unknown(name: str) -> None:
    for function in (check_colormap, colormap_table):
        with pytest.raises(InvalidRequest, match="allowed: grey, jet, cold, cool, hot, or a name of") as caught:
            function(name)
        assert caught.value.parameter == "colormap"
    assert check_colormap("viridis_r") == "viridis_r"
