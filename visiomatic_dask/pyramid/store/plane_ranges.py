"""Sets of planes, as ranges: what is done of a shard is mostly one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Range = tuple[int, int]
"""First plane and one past the last."""


@dataclass(frozen=True, slots=True)
class PlaneRanges:
    """A set of planes.

    Attributes
    ----------
    pairs : tuple of (int, int)
        First plane and one past the last of each run: ascending, none empty, no two that touch.
    """

    pairs: tuple[Range, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[Range]) -> PlaneRanges:
        """Make one of ranges in any order."""
        found: list[Range] = []
        for first, last in sorted(pairs):
            if first >= last:
                continue
            if found and first <= found[-1][1]:
                found[-1] = found[-1][0], max(last, found[-1][1])
            else:
                found.append((first, last))
        return cls(tuple(found))

    def __iter__(self) -> Iterator[int]:
        return (plane for pair in self.pairs for plane in range(*pair))

    def __contains__(self, plane: object) -> bool:
        return any(first <= plane < last for first, last in self.pairs) if isinstance(plane, int) else False

    def __len__(self) -> int:
        return sum(last - first for first, last in self.pairs)

    def covers(self, planes: Range) -> bool:
        """Whether all planes of a range are in it."""
        return any(first <= planes[0] and planes[1] <= last for first, last in self.pairs)

    def overlaps(self, planes: Range) -> bool:
        """Whether any plane of a range is in it."""
        return any(first < planes[1] and planes[0] < last for first, last in self.pairs)

    def missing(self, planes: Range) -> PlaneRanges:
        """Return those of a range that are not in it."""
        return PlaneRanges((planes,)).without(self)

    def __or__(self, other: PlaneRanges) -> PlaneRanges:
        return PlaneRanges.of((*self.pairs, *other.pairs))

    def __and__(self, other: PlaneRanges) -> PlaneRanges:
        both = ((max(a, c), min(b, d)) for a, b in self.pairs for c, d in other.pairs)
        return PlaneRanges.of(both)

    def without(self, other: PlaneRanges) -> PlaneRanges:
        """Return those that are not in another set."""
        rest = list(self.pairs)
        for first, last in other.pairs:
            rest = [part for a, b in rest for part in ((a, min(b, first)), (max(a, last), b)) if part[0] < part[1]]
        return PlaneRanges(tuple(rest))
