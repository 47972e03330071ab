"""What a section of the benchmark is: rows of figures, columns for what was measured, bars."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Column = dict[str, float]
"""Figures by key."""
Better = Literal["less", "more"] | None
"""Which way is better; None where neither is."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    title, key, unit : str
        What it says, which figure it shows, and its unit.
    better : {"less", "more"} or None
        Which way is better; None where neither is.
    """

    title: str
    key: str
    unit: str
    better: Better = "less"


@dataclass(frozen=True)
class Bar:
    """Something that was asked for, and whether it was met."""

    text: str
    met: bool

    @property
    def line(self) -> str:
        """As it is printed."""
        return f"{self.text}: {'met' if self.met else 'MISSED'}"


@dataclass
class Measured:
    """What a section has found.

    Attributes
    ----------
    columns : dict of str to Column
        Figures, by what was measured.
    notes : list of str
        Sentences to stand below the table.
    bars : list of Bar
        Those that this run could tell.
    details : dict
        Whatever else belongs into the JSON file.
    """

    columns: dict[str, Column]
    notes: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def json(self) -> dict[str, Any]:
        """As it stands in the JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class Scale:
    """How much of everything.

    Attributes
    ----------
    size : int
        Pixels along each side of a plane, for load.
    large : int
        The same, for the cold viewport.
    pyramid : int
        The same, for pyramids.
    runs : int
        Fresh runs of each server.
    seconds : float
        Length of a load.
    endurance : float
        Seconds of the long load and of the replayed session; the load at the most connections takes half of it.
    planes : int
        Planes that are looked at for the first time, with their file in the page cache and again without.
    pause : float
        Seconds between a viewport and its neighbour.
    kinds : tuple of str
        Servers, of `servers.KINDS`.
    """

    size: int = 4096
    large: int = 8192
    pyramid: int = 16_384
    runs: int = 5
    seconds: float = 5.0
    endurance: float = 60.0
    planes: int = 3
    pause: float = 1.0
    kinds: tuple[str, ...] = ("ours", "ours-cluster", "visiomatic")

    @property
    def ours(self) -> tuple[str, ...]:
        """Those of the servers that are ours."""
        return tuple(kind for kind in self.kinds if kind != "visiomatic")


SHORT = Scale(
    size=512, large=1536, pyramid=1536, runs=1, seconds=1.0, endurance=2.0, planes=1, pause=0.1, kinds=("ours",)
)


@dataclass(frozen=True)
class Section:
    """One benchmark.

    Attributes
    ----------
    name : str
        Its name on the command line.
    title : str
        Its heading.
    rows : tuple of Row
        Its table.
    measure : callable
        Does it.
    reference : str or None
        Column that the others are compared with.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    measure: Callable[[Scale], Measured]
    reference: str | None = None


def medians(runs: Mapping[str, Iterable[Column]]) -> dict[str, Column]:
    """Median of every figure over the runs of each column; a figure that some runs lack is taken over the others."""
    found: dict[str, Column] = {}
    for name, ones in runs.items():
        values: dict[str, list[float]] = {}
        for one in ones:
            for key, value in one.items():
                values.setdefault(key, []).append(value)
        found[name] = {key: statistics.median(each) for key, each in values.items()}
    return found


def times_better(mine: float, theirs: float, better: Better) -> float | None:
    """How many times better the first is; None where a zero makes that meaningless, or neither way is better."""
    if better is None:
        return None
    good, bad = (mine, theirs) if better == "less" else (theirs, mine)
    return bad / good if good > 0 else None


def percentile(values: list[float], share: float) -> float:
    """Value below which that share of them lies, by nearest rank; nan of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
