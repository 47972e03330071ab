"""Colormaps equal matplotlib's and cmasher's, name by name."""

from __future__ import annotations

import cmasher  # noqa: F401 - adds its maps to matplotlib's
import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import check_colormap, colormap_groups, colormap_names
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


def test_every_name_of_matplotlib_and_cmasher_is_there() -> None:
    assert set(colormap_names()) == set(mpl.colormaps) | {f"{name}{end}" for name in VISIOMATIC for end in ("", "_r")}
    assert (
        len([name for name in mpl.colormaps if name.startswith("cmr.")]) > 100
    )  # cmasher is there to be compared with
    assert len(set(colormap_names())) == len(colormap_names())
    assert colormap_names()[:5] == ("grey", "jet", "cold", "cool", "hot")


def test_every_name_is_in_one_group() -> None:
    grouped = [name for names in colormap_groups().values() for name in names]
    assert sorted(grouped) == sorted(name for name in colormap_names() if not name.endswith("_r"))
    assert "cmr.rainforest" in colormap_groups()["sequential"]
    assert "tab10" in colormap_groups()["qualitative"]


@pytest.mark.parametrize("name", colormap_names())
def test_equal_to_matplotlib(name: str) -> None:
    """But for rounding."""
    difference = np.abs(ours(name) - by_matplotlib(name))
    assert difference.max() <= 1, np.argwhere(difference > 1)


@pytest.mark.parametrize("name", colormap_names())
def test_tables_suit_the_kernels(name: str) -> None:
    table = colormap_table(name)
    if table is None:
        assert name == "grey"
        return
    assert table.dtype == np.uint8
    assert table.shape == (256, 3)
    assert table.flags.c_contiguous


@pytest.mark.parametrize("name", ["", "Viridis", "viridis_r_r", "_r", "parula!"])
def test_unknown(name: str) -> None:
    for function in (check_colormap, colormap_table):
        with pytest.raises(InvalidRequest, match="allowed: grey, jet, cold, cool, hot, or a name of") as caught:
            function(name)
        assert caught.value.parameter == "colormap"
    assert check_colormap("viridis_r") == "viridis_r"
