"""A viewport in which all channels of a cube are mixed, as both web APIs ask for it, and what its tiles cost."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from .http_client import CONNECTIONS, Connection, fetch_all
from .load import MeasurementError
from .served_cube import ServedCube
from .servers import Running

TILE = 256
ROWS = ((0.0, 0.1, 0.8), (0.1, 0.8, 0.1), (0.8, 0.1, 0.0))
"""Weights at the first, the middle and the last channel; between them they are interpolated."""
RECIPE = "mix=range:*:blue..lime..red"
"""All channels, from one end to the other."""
_PATIENCE = 60.0
_PAUSE = 0.05
"""Seconds between one question whether previews are exact now and the next."""
_ONE_BROWSER = "Cookie: visiomatic_viewer=00000000000000b5\r\n"
"""All connections are one viewer's."""


@dataclass(frozen=True)
class Asked:
    """What became of tiles that were asked for.

    Attributes
    ----------
    seconds : float
        Until the last one was there.
    processor : float
        Seconds of CPU that the server's processes used meanwhile.
    previews : tuple of str
        Paths of those that were previews.
    """

    seconds: float
    processor: float
    previews: tuple[str, ...]


class MixedViewport:
    """All tiles of a cube at full resolution, asked for over six connections.

    Parameters
    ----------
    server : Running
        Who serves it.
    name : str
        Of the cube.
    channels, size : int
        Of the cube: channels, and pixels along each side of a plane.
    """

    def __init__(self, server: Running, name: str, channels: int, size: int) -> None:
        self.server = server
        self.name, self.channels, self.size = name, channels, size
        self.cube: ServedCube | None = None
        self._connections = [Connection(server.address) for _ in range(CONNECTIONS)]
        at = [0, channels // 2, channels - 1]
        self._api_mix = "".join(f"&MIX={c + 1}:{r:.3f},{g:.3f},{b:.3f}" for c, (r, g, b) in zip(at, ROWS, strict=True))

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return (-(-self.size // TILE)) ** 2

    def inform(self) -> None:
        """Ask for INFO, as VisiOmatic's client does first: cuts are known from then on."""
        self.server.get(f"/api?FIF={quote(self.name)}&INFO")

    async def open(self) -> None:
        """Ask for the cube, as our own client does first."""
        self.cube = await ServedCube.ask(self._connections[0], self.name)

    def api(self, look: str, channel: int | None = None) -> list[str]:
        """Addresses by VisiOmatic's API: of the mix, or of one channel (from 0), with a look in its words."""
        content = self._api_mix if channel is None else f"&CHAN={channel + 1}"
        level = ((self.size - 1) // TILE).bit_length()
        prefix = f"/api?FIF={quote(self.name)}{content}&{look}&QLT=90"
        return [f"{prefix}&JTL={level},{tile}" for tile in range(self.tiles)]

    def resource(
        self, look: str, channel: int | None = None, cuts: Mapping[int, tuple[float, float]] | None = None
    ) -> list[str]:
        """Addresses by the resource API, with a look in its words and with cuts that are not the default."""
        if self.cube is None:
            raise MeasurementError("the cube has not been opened")
        content = RECIPE if channel is None else f"channel={channel}"
        content += "".join(f"&cuts={c}:{low:.7g},{high:.7g}" for c, (low, high) in (cuts or {}).items())
        columns, rows = self.cube.levels[0]
        return [
            f"/cubes/{quote(self.name)}/tiles/0/{row}/{column}.jpg?{content}&{look}&quality=90&v={self.cube.fingerprint}"
            for row in range(rows)
            for column in range(columns)
        ]

    async def understands(self, path: str) -> bool:
        """Whether an address is one that the server has an answer to."""
        return (await self._connections[0].get(path, _ONE_BROWSER)).status != 400

    async def ask(self, paths: Sequence[str]) -> Asked:
        """Ask for tiles, and wait for all of them."""
        used = self.server.tree.processor_seconds()
        seconds, previews = await self._fetch(paths)
        return Asked(seconds, self.server.tree.processor_seconds() - used, previews)

    async def ask_many(self, rounds: Iterable[Sequence[str]], most_seconds: float = math.inf) -> Asked:
        """Ask for tiles round by round, and take the mean over the rounds that were begun in the time given.

        Previews are those of the last round.
        """
        used, began, count = self.server.tree.processor_seconds(), time.perf_counter(), 0
        seconds = 0.0
        previews: tuple[str, ...] = ()
        for paths in rounds:
            took, previews = await self._fetch(paths)
            seconds, count = seconds + took, count + 1
            if time.perf_counter() - began > most_seconds:
                break
        return Asked(seconds / count, (self.server.tree.processor_seconds() - used) / count, previews)

    async def until_exact(self, previews: Sequence[str]) -> float:
        """Ask for previews again and again until none is one any more; give the seconds that took."""
        began, left = time.perf_counter(), tuple(previews)
        while left:
            if time.perf_counter() - began > _PATIENCE:
                raise MeasurementError(f"{len(left)} tiles of a mix are still previews after {_PATIENCE:.0f} s")
            # One at a time: what asks for more slows down what it waits for.
            if (await self._fetch(left[:1]))[1]:
                await asyncio.sleep(_PAUSE)
            else:
                left = left[1:]
        return time.perf_counter() - began

    async def _fetch(self, paths: Sequence[str]) -> tuple[float, tuple[str, ...]]:
        began = time.perf_counter()
        answers = await fetch_all(self._connections, paths, _ONE_BROWSER)
        seconds = time.perf_counter() - began
        for one in answers:
            if not one.answer.is_picture:
                raise MeasurementError(f"a tile was answered {one.answer.status}: {one.answer.body[:300]!r}")
        previews = (one.path for one in answers if one.answer.headers.get("x-visiomatic-quality") == "preview")
        return seconds, tuple(previews)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()
