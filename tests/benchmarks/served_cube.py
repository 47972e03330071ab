"""A cube as our own client sees it: what the server says of it, and the addresses of its tiles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

from .http_client import Connection
from .load import MeasurementError

Tile = tuple[int, int, int]
"""Level, row and column."""
MIX = ((0.0, 0.1, 0.8), (0.1, 0.8, 0.1), (0.8, 0.1, 0.0))
"""Weights of three neighbouring channels in red, green and blue."""


@dataclass(frozen=True)
class Show:
    """What a viewer has chosen to see.

    Attributes
    ----------
    channel : int
        The channel; the first of three where they are mixed.
    contrast : float
        The contrast.
    mixed : bool
        Whether three channels are shown in colour.
    """

    channel: int = 0
    contrast: float = 1.0
    mixed: bool = False


@dataclass(frozen=True)
class ServedCube:
    """A cube on a server.

    Attributes
    ----------
    name, fingerprint : str
        What it is called, and which version of it.
    tile_size : int
        Side of a tile.
    size : (int, int)
        Width and height at full resolution.
    levels : tuple of (int, int)
        Columns and rows of tiles of each level, full resolution first.
    cuts : tuple of (float, float)
        Of each channel.
    """

    name: str
    fingerprint: str
    tile_size: int
    size: tuple[int, int]
    levels: tuple[tuple[int, int], ...]
    cuts: tuple[tuple[float, float], ...]

    @classmethod
    async def ask(cls, connection: Connection, name: str | None = None) -> ServedCube:
        """Ask a server for a cube of that name, or for the first that it has."""
        if name is None:
            cubes = json.loads((await connection.get("/cubes")).body)["cubes"]
            if not cubes:
                raise MeasurementError("the server has no cubes")
            name = str(cubes[0]["name"])
        answer = await connection.get(f"/cubes/{quote(name)}")
        if answer.status != 200:
            raise MeasurementError(f"{name} was answered {answer.status}: {answer.body[:300]!r}")
        said = json.loads(answer.body)
        return cls(
            name,
            said["fingerprint"],
            said["tile_size"],
            (said["width"], said["height"]),
            tuple((level["columns"], level["rows"]) for level in said["levels"]),
            tuple((low, high) for low, high in said["cuts"]),
        )

    def path(self, tile: Tile, show: Show) -> str:
        """Address of a tile, with all keys that our client gives."""
        level, row, column = tile
        if show.mixed and len(self.cuts) > 1:
            first = min(show.channel, max(0, len(self.cuts) - len(MIX)))
            channels = range(first, min(first + len(MIX), len(self.cuts)))
            content = "&".join(f"cuts={c}:{self.cuts[c][0]:.7g},{self.cuts[c][1]:.7g}" for c in channels)
            content += "".join(f"&mix={c}:{r},{g},{b}" for c, (r, g, b) in zip(channels, MIX, strict=False))
            colormap = ""
        else:
            low, high = self.cuts[show.channel]
            content, colormap = f"channel={show.channel}&cuts={low:.7g},{high:.7g}", "&colormap=grey"
        return (
            f"/cubes/{quote(self.name)}/tiles/{level}/{row}/{column}.jpg?{content}&brightness=0"
            f"&contrast={show.contrast:.4g}&gamma=2.2{colormap}&invert=false&quality=90&v={self.fingerprint}"
        )
