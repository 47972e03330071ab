"""Colormaps: VisiOmatic's five names, and matplotlib's by name (from the cmap package, which needs no matplotlib)."""

from __future__ import annotations

import numpy as np
from cmap import Colormap
from numpy.typing import NDArray

from visiomatic_dask.errors import InvalidRequest

# VisiOmatic's names and what they are called in matplotlib; its "cold" has always been "cool".
_VISIOMATIC = {
    "grey": "matlab:gray",
    "jet": "matlab:jet",
    "cold": "matlab:cool",
    "cool": "matlab:cool",
    "hot": "matlab:hot",
}


# matplotlib's names, by the namespace of the cmap package that holds each: some short names exist in several.
_MATPLOTLIB = {
    "bids": "magma inferno plasma viridis",
    "cividis": "cividis",
    "matplotlib": "twilight twilight_shifted CMRmap Wistia binary brg bwr coolwarm nipy_spectral seismic terrain",
    "google": "turbo",
    "crameri": "berlin managua vanimo",
    "colorbrewer": (
        "Blues BrBG BuGn BuPu GnBu Greens Greys OrRd Oranges PRGn PiYG PuBu PuBuGn PuOr PuRd Purples RdBu "
        "RdGy RdPu RdYlBu RdYlGn Reds Spectral YlGn YlGnBu YlOrBr YlOrRd Accent Dark2 Paired Pastel1 Pastel2 "
        "Set1 Set2 Set3 Grays"
    ),
    "gnuplot": "afmhot gnuplot gnuplot2 ocean rainbow",
    "matlab": "autumn bone copper flag gray gist_gray gist_grey hsv pink prism spring summer winter",
    "cubehelix": "cubehelix",
    "yorick": "gist_yarg gist_yerg gist_earth gist_heat gist_ncar gist_rainbow gist_stern",
    "okabeito": "okabe_ito",
    "tableau": "tab10 tab20 tab20b tab20c",
}
_SPELT_OTHERWISE = {
    "CMRmap": "cmrmap",
    "Grays": "Greys",
    "Wistia": "wistia",
    "gist_earth": "earth",
    "gist_gray": "gray",
    "gist_grey": "gray",
    "gist_heat": "heat",
    "gist_ncar": "ncar",
    "gist_rainbow": "rainbow",
    "gist_stern": "stern",
    "gist_yarg": "yarg",
    "gist_yerg": "yarg",
    "okabe_ito": "okabeito",
}


def colormap_names() -> tuple[str, ...]:
    """List the names: VisiOmatic's first, then matplotlib's, then all of them reversed (``_r``)."""
    names = (
        *_VISIOMATIC,
        *sorted((name for names in _MATPLOTLIB.values() for name in names.split()), key=str.lower),
    )
    return (*names, *(f"{name}_r" for name in names))


def colormap_table(name: str) -> NDArray[np.uint8] | None:
    """Tabulate a colormap.

    Parameters
    ----------
    name : str
        One of `colormap_names`.

    Returns
    -------
    ndarray of uint8, (256, 3), or None
        None for plain grey, which needs no table.

    Raises
    ------
    InvalidRequest
        If there is no such colormap.
    """
    check_colormap(name)
    plain = name.removesuffix("_r")
    if plain == "grey":
        return None if name == plain else np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None], 3, axis=1)
    key = _VISIOMATIC.get(plain) or next(
        f"{space}:{_SPELT_OTHERWISE.get(plain, plain)}"
        for space, names in _MATPLOTLIB.items()
        if plain in names.split()
    )
    table = np.rint(255 * np.asarray(Colormap(key)(np.linspace(0, 1, 256)))[:, :3]).astype(np.uint8)
    return np.ascontiguousarray(table if name == plain else table[::-1])


def check_colormap(name: str) -> str:
    """Return the name if there is such a colormap, else raise `InvalidRequest`."""
    if name not in colormap_names():
        raise InvalidRequest.value("colormap", name, f"{', '.join(_VISIOMATIC)}, or a name of GET /colormaps")
    return name
