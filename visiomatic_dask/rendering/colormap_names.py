"""Names of colormaps: VisiOmatic's five, matplotlib's, and cmasher's as it registers them with matplotlib."""

from __future__ import annotations

from functools import lru_cache

from cmap import Catalog

from visiomatic_dask.errors import InvalidRequest

# VisiOmatic's names and what they are called in matplotlib; its "cold" has always been "cool".
VISIOMATIC = {
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
_CMASHER = (
    "amber amethyst apple arctic bubblegum chroma copper cosmic dusk eclipse ember emerald emergency fall flamingo "
    "freeze fusion gem ghostlight gothic guppy holly horizon iceburn infinity jungle lavender lilac neon neutral "
    "nuclear ocean pepper pride prinsenvlag rainforest redshift sapphire savanna seasons seaweed sepia sunburst swamp "
    "torch toxic tree tropical viola voltage waterlily watermelon wildfire"
)
SHIFTED = "_s"
"""Ends the names of cmasher's cyclic maps that begin in their middle."""
_SHIFTED = "cmr.copper_s cmr.emergency_s cmr.infinity_s cmr.seasons_s"

_KEYS = {
    **VISIOMATIC,
    **dict(
        sorted(
            (
                (name, f"{space}:{_SPELT_OTHERWISE.get(name, name)}")
                for space, names in _MATPLOTLIB.items()
                for name in names.split()
            ),
            key=lambda pair: pair[0].lower(),
        )
    ),
    **{f"cmr.{name}": f"cmasher:{name}" for name in _CMASHER.split()},
    **{name: f"cmasher:{name.removeprefix('cmr.').removesuffix(SHIFTED)}" for name in _SHIFTED.split()},
}
_NAMES = (*_KEYS, *(f"{name}_r" for name in _KEYS))
_KNOWN = frozenset(_NAMES)
_KINDS = ("sequential", "diverging", "cyclic", "qualitative", "miscellaneous")


def colormap_names() -> tuple[str, ...]:
    """List the names: VisiOmatic's first, matplotlib's, cmasher's, then all of them reversed (``_r``)."""
    return _NAMES


@lru_cache(maxsize=1)
def colormap_groups() -> dict[str, tuple[str, ...]]:
    """Names by kind, VisiOmatic's first; without those that are reversed. Every name is in one group."""
    catalog = Catalog()
    kinds: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for name, key in _KEYS.items():
        if name not in VISIOMATIC:
            kinds[catalog[key].category].append(name)
    return {"visiomatic": tuple(VISIOMATIC)} | {kind: tuple(names) for kind, names in kinds.items()}


def colormap_key(name: str) -> str:
    """Return what the cmap package calls a colormap, reversed and shifted or not; the name must be a known one."""
    return _KEYS[name.removesuffix("_r")]


def check_colormap(name: str) -> str:
    """Return the name if there is such a colormap, else raise `InvalidRequest`."""
    if name not in _KNOWN:
        raise InvalidRequest.value("colormap", name[:80], f"{', '.join(VISIOMATIC)}, or a name of GET /colormaps")
    return name
