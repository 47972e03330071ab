"""Tile paths: told at a glance, and split into the place of the tile and everything else.

The rest is the same for a whole viewport, so it is parsed once.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.pyramid import TileGrid
from visiomatic_dask.rendering import Style
from visiomatic_dask.server.query import api_tile
from visiomatic_dask.server.responses import Delivery

_KEY = r"&[^&=%]+(?:=[^&]*)?"
"""A key with an escape in it may be any key, JTL among them: that takes a closer look."""
_API = re.compile(rf"/api\?(FIF=([^&]+)(?:{_KEY})*?)&JTL=(\d{{1,9}},\d{{1,9}})((?:{_KEY})*)")
_RESOURCE = re.compile(r"/cubes/(.+)/tiles/(\d{1,9})/(\d{1,9})/(\d{1,9})\.(jpg|jpeg|png|webp)(\?.*)?")
_MOST_STYLES = 1024
_MOST_ROOM = 2**20
"""Of all styles, in units of some 100 bytes: what a channel takes in a mix."""


@dataclass(frozen=True, slots=True)
class TilePath:
    """A path that asks for a tile.

    Attributes
    ----------
    name : str
        The cube's.
    rest : str
        All that is not the place of the tile: equal for two paths of the same picture.
    place : str or (int, int, int)
        ``z,i`` as VisiOmatic writes it, or level, row and column.
    """

    name: str
    rest: str
    place: str | tuple[int, int, int]

    @classmethod
    def parse(cls, path: str) -> TilePath | None:
        """Split a path; None if it asks for something else, or in a way that takes a closer look."""
        match = _API.fullmatch(path)
        if match is not None and "JTL" not in match[4]:
            return cls(unquote_plus(match[2]), match[1] + match[4], match[3])
        match = _RESOURCE.fullmatch(path)
        if match is None:
            return None
        name, level, row, column, suffix, query = match.groups()
        return cls(unquote(name), f"{name}.{suffix}{query}", (int(level), int(row), int(column)))

    def locate(self, grid: TileGrid) -> tuple[int, int, int]:
        """Level, row and column; `InvalidRequest` if there is no such tile."""
        if isinstance(self.place, str):
            return api_tile(self.place, grid)
        grid.box(*self.place)
        return self.place


@dataclass(frozen=True, slots=True)
class KnownStyle:
    """What the rest of a path was found to mean, for one version of a cube.

    Attributes
    ----------
    is_current : callable or None
        Whether it still means that, where that may change though the cube does not: its preset is another.
    """

    cube: Cube
    layer: Layer
    style: Style
    delivery: Delivery
    is_current: Callable[[], bool] | None = None


class StyleCache:
    """What the rests of paths mean, parsed once; least recently used out first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, KnownStyle] = OrderedDict()
        self._room = 0

    def __len__(self) -> int:
        return len(self._known)

    def get(self, path: TilePath, cube: Cube) -> KnownStyle | None:
        """Return what is known of a path, for this very version of its cube."""
        known = self._known.get(path.rest)
        if known is None or known.cube is not cube or not (known.is_current is None or known.is_current()):
            return None
        self._known.move_to_end(path.rest)
        return known

    def forget(self, cube: Cube) -> None:
        """Let go of what is known of paths to a version of a cube that is no more."""
        for rest in [rest for rest, known in self._known.items() if known.cube is cube]:
            self._drop(rest)

    def put(self, uri: str, known: KnownStyle) -> None:
        """Remember what the rest of a path means, if it is one that `TilePath` can split."""
        path = TilePath.parse(uri)
        if path is None:
            return
        self._drop(path.rest)
        self._known[path.rest] = known
        self._room += _room(path.rest, known)
        while len(self._known) > 1 and (len(self._known) > _MOST_STYLES or self._room > _MOST_ROOM):
            self._drop(next(iter(self._known)))

    def _drop(self, rest: str) -> None:
        known = self._known.pop(rest, None)
        if known is not None:
            self._room -= _room(rest, known)


def _room(rest: str, known: KnownStyle) -> int:
    return len(known.style.content.channels) + len(rest) // 100
