"""The session that is replayed: what eight people do with their mice, and what each of them sees from moment to moment.

``session.jsonl`` has a gesture a line. Places are fractions of the plane and shifts fractions of the screen, so that
the session fits any cube. ``python -m tests.benchmarks.session`` writes it again, the same.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from .served_cube import ServedCube, Show, Tile

SESSION = Path(__file__).with_name("session.jsonl")
LENGTH = 60.0  # seconds
VIEWERS = 8
FRAME, PACE = 0.05, 0.1  # seconds between looks at a map that is dragged, and between pictures of a slider that is
_SEED = 20261124
_SCREENS = ((1280, 768), (1536, 1024), (1920, 1080), (2048, 1280))  # 15 to 40 tiles and a few at the edges
_ROUND = 0.003  # of contrast that a session differs by each time it is repeated, so that its pictures are new


@dataclass(frozen=True)
class Gesture:
    """One thing that one viewer does.

    Attributes
    ----------
    viewer : int
        Who.
    at : float
        When, in seconds.
    do : {"open", "pan", "zoom", "contrast", "channels"}
        What.
    seconds : float
        How long it takes.
    x, y : float
        ``open``: centre of the screen, in fractions of the plane; ``pan``: shift, in screens.
    by : int
        ``open``: level, 0 being full resolution; ``zoom``: levels up; ``channels``: how many, one after another.
    to : float
        ``contrast``: where the slider ends.
    screen : (int, int)
        ``open``: width and height in pixels.
    mixed : bool
        ``open``: whether this viewer looks at three channels in colour.
    """

    viewer: int
    at: float
    do: Literal["open", "pan", "zoom", "contrast", "channels"]
    seconds: float = 0.0
    x: float = 0.0
    y: float = 0.0
    by: int = 0
    to: float = 1.0
    screen: tuple[int, int] = _SCREENS[0]
    mixed: bool = False

    @property
    def line(self) -> str:
        """As it is written: without what is as usual."""
        usual = {"seconds": 0.0, "x": 0.0, "y": 0.0, "by": 0, "to": 1.0, "mixed": False}
        kept = {key: value for key, value in asdict(self).items() if key not in usual or value != usual[key]}
        if self.do != "open":
            del kept["screen"]
        return json.dumps(kept)


@dataclass(frozen=True)
class View:
    """What is on a screen: centre in fractions of the plane, level, size in pixels, and what is shown."""

    x: float
    y: float
    level: int
    screen: tuple[int, int]
    show: Show

    def tiles(self, cube: ServedCube) -> list[Tile]:
        """Tiles on the screen, the nearest to its centre first, as our client asks for them."""
        level = min(self.level, len(cube.levels) - 1)
        columns, rows = cube.levels[level]
        across, down = (size / 2**level / cube.tile_size for size in cube.size)
        x, y = self.x * across, self.y * down
        half_width, half_height = (pixels / cube.tile_size / 2 for pixels in self.screen)
        found = [
            (level, row, column)
            for row in range(max(0, math.floor(y - half_height)), min(rows, math.ceil(y + half_height)))
            for column in range(max(0, math.floor(x - half_width)), min(columns, math.ceil(x + half_width)))
        ]
        return sorted(found, key=lambda tile: math.hypot(tile[2] + 0.5 - x, tile[1] + 0.5 - y))


def read_session(path: Path = SESSION) -> list[Gesture]:
    """Read a session."""
    lines = (json.loads(line) for line in path.read_text().splitlines() if line)
    return [Gesture(**{**line, "screen": tuple(line.get("screen", _SCREENS[0]))}) for line in lines]


def views(gestures: Sequence[Gesture], cube: ServedCube, turn: int = 0) -> Iterator[tuple[float, View]]:
    """When one viewer sees what.

    Parameters
    ----------
    gestures : sequence of Gesture
        Those of one viewer.
    cube : ServedCube
        What is looked at.
    turn : int
        How often the session was played before; its pictures are to be new.
    """
    view = View(0.5, 0.5, 0, _SCREENS[0], Show())
    for gesture in gestures:
        view = yield from _seen(gesture, view, cube, turn)


def _seen(gesture: Gesture, view: View, cube: ServedCube, turn: int) -> Generator[tuple[float, View], None, View]:
    """Yield what one gesture shows, and return what it leaves on the screen."""
    show = view.show
    match gesture.do:
        case "open":
            level = min(gesture.by, len(cube.levels) - 1)
            show = Show(gesture.viewer % len(cube.cuts), 1 + turn * _ROUND, gesture.mixed)
            view = View(gesture.x, gesture.y, level, gesture.screen, show)
            yield gesture.at, view
        case "pan":
            for share in _steps(gesture.seconds, FRAME):
                yield gesture.at + share * gesture.seconds, _panned(view, cube, gesture.x * share, gesture.y * share)
            view = _panned(view, cube, gesture.x, gesture.y)
        case "zoom":
            level = min(max(0, view.level + gesture.by), len(cube.levels) - 1)
            view = replace(view, level=level)
            yield gesture.at, view
        case "contrast":
            to = gesture.to + turn * _ROUND
            for share in _steps(gesture.seconds, PACE):
                contrast = round(show.contrast + (to - show.contrast) * share, 3)
                view = replace(view, show=replace(show, contrast=contrast))
                yield gesture.at + share * gesture.seconds, view
        case "channels":
            for number in range(1, gesture.by + 1):
                view = replace(view, show=replace(show, channel=(show.channel + number) % len(cube.cuts)))
                yield gesture.at + number * gesture.seconds / gesture.by, view
    return view


def _steps(seconds: float, pace: float) -> Iterator[float]:
    count = max(1, round(seconds / pace))
    return (number / count for number in range(1, count + 1))


def _panned(view: View, cube: ServedCube, dx: float, dy: float) -> View:
    """Shift by fractions of the screen, but never off the plane."""
    x = view.x + dx * view.screen[0] * 2**view.level / cube.size[0]
    y = view.y + dy * view.screen[1] * 2**view.level / cube.size[1]
    return replace(view, x=min(max(x, 0.0), 1.0), y=min(max(y, 0.0), 1.0))


def make_session() -> list[Gesture]:
    """Make up the session: nobody is in a hurry, but nobody ever stops for long."""
    chance = random.Random(_SEED)  # the same again and again
    found = []
    for viewer in range(VIEWERS):
        at = round(viewer * 0.4, 2)  # they do not come through the door all at once
        x, y = round(chance.uniform(0.2, 0.8), 3), round(chance.uniform(0.2, 0.8), 3)
        screen, mixed = _SCREENS[viewer % len(_SCREENS)], viewer >= VIEWERS - 2
        found.append(Gesture(viewer, at, "open", x=x, y=y, by=chance.randint(0, 3), screen=screen, mixed=mixed))
        at += 1.5
        while at < LENGTH - 4:
            gesture = _made_up(chance, viewer, round(at, 2))
            found.append(gesture)
            at += gesture.seconds + chance.uniform(0.6, 2.5)
    return sorted(found, key=lambda gesture: (gesture.at, gesture.viewer))


def _made_up(chance: random.Random, viewer: int, at: float) -> Gesture:
    match chance.choices(("pan", "zoom", "contrast", "channels"), (45, 20, 20, 15))[0]:
        case "pan":
            x, y = round(chance.uniform(-1, 1), 2), round(chance.uniform(-1, 1), 2)
            return Gesture(viewer, at, "pan", seconds=round(chance.uniform(0.5, 2), 2), x=x, y=y)
        case "zoom":
            return Gesture(viewer, at, "zoom", by=chance.choice((-1, -1, 1)))
        case "contrast":
            seconds, to = round(chance.uniform(1, 2.5), 2), round(chance.uniform(0.5, 3), 2)
            return Gesture(viewer, at, "contrast", seconds=seconds, to=to)
        case _:
            steps = chance.randint(2, 6)
            return Gesture(viewer, at, "channels", seconds=round(0.3 * steps, 2), by=steps)


if __name__ == "__main__":
    SESSION.write_text("".join(gesture.line + "\n" for gesture in make_session()))
