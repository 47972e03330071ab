"""How planes are stored: what of them can only be read together, and what reading a part of them therefore costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from visiomatic_dask.cube import Reader, Window, first_chunk_rows
from visiomatic_dask.pyramid.tiles import Box


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage chunks of a reader as its planes see them, in raster orientation.

    Attributes
    ----------
    width, height, count : int
        Pixels of a plane, and number of planes.
    itemsize : int
        Bytes a pixel takes in the source.
    rows, columns : int
        Pixels of a chunk along y and x.
    top : int
        Rows above the first boundary between chunks: those of the uppermost chunk, if it is incomplete.
    depth : int
        Planes that follow one another and share chunks.
    run : int
        Planes after which chunks start anew, complete or not.
    beside : int
        How many such groups of `depth` planes a chunk holds: more than one where it is deep along an axis other than
        the fastest.
    fastest : int
        Planes along the fastest of their axes. Those of a block that lie on both sides of such a boundary are read
        together only if the whole block is.
    """

    width: int
    height: int
    count: int
    itemsize: int
    rows: int = 1
    columns: int = 1
    top: int = 0
    depth: int = 1
    run: int = 1
    beside: int = 1
    fastest: int = 1

    @classmethod
    def of(cls, reader: Reader) -> Storage:
        """See how a reader's planes are stored."""
        *leading, height, width = reader.shape
        *deep, rows, columns = (min(one) for one in zip(reader.chunks, reader.shape, strict=True))
        depth = run = beside = 1
        follow = True  # as long as all faster axes are taken whole, planes of a chunk follow one another
        for size, chunk in zip(reversed(leading), reversed(deep), strict=True):
            if follow:
                depth, run, follow = depth * chunk, run * size, chunk == size
            else:
                beside *= chunk
        top = (height - first_chunk_rows(reader)) % rows
        fastest = leading[-1] if leading else 1
        itemsize = reader.source_itemsize
        return cls(width, height, prod(leading), itemsize, rows, columns, top, depth, run, beside, fastest)

    @property
    def is_chunked(self) -> bool:
        """Whether there is anything that can only be read whole."""
        return max(self.rows, self.columns, self.depth, self.beside) > 1

    @property
    def block_nbytes(self) -> int:
        """Bytes of one chunk."""
        return self.rows * self.columns * self.depth * self.beside * self.itemsize

    def block(self, plane: int) -> tuple[int, int]:
        """First plane, and one past the last, of those that follow one another and share the chunks of a plane."""
        start = plane // self.run * self.run
        first = start + (plane - start) // self.depth * self.depth
        return first, min(first + self.depth, start + self.run)

    def blocks(self, planes: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Cut a range of planes into those that share chunks."""
        first, last = planes
        while first < last:
            stop = min(self.block(first)[1], last)
            yield first, stop
            first = stop

    def source_box(self, level: int, box: Box) -> Box:
        """Rectangle of full resolution behind one of a level."""
        return Box(
            box.top << level,
            box.left << level,
            min(box.bottom << level, self.height),
            min(box.right << level, self.width),
        )

    def covering(self, source: Box) -> Box:
        """Rectangle of whole chunks around one of full resolution."""
        top = (source.top - self.top) // self.rows * self.rows + self.top
        bottom = -((self.top - source.bottom) // self.rows) * self.rows + self.top
        left = source.left // self.columns * self.columns
        right = -(-source.right // self.columns) * self.columns
        return Box(max(0, top), left, min(bottom, self.height), min(right, self.width))

    def cost(self, planes: tuple[int, int], level: int, box: Box) -> int:
        """Bytes of the chunks behind a rectangle of some planes.

        Parameters
        ----------
        planes : (int, int)
            First plane and one past the last.
        level : int
            The level.
        box : Box
            Rectangle at that level.
        """
        touched = self.covering(self.source_box(level, box))
        deep = self.block(planes[1] - 1)[1] - self.block(planes[0])[0]
        return touched.rows * touched.columns * deep * self.beside * self.itemsize

    def most_cost(self, rows: int, columns: int, level: int) -> int:
        """Bytes of the chunks of one plane behind any brick of that many rows and columns of a level.

        Bricks lie at multiples of their size, which may be multiples of that of the chunks, or the other way round.
        """
        high = _touched(rows << level, self.rows, self.height, fits=self.top == 0)
        wide = _touched(columns << level, self.columns, self.width, fits=True)
        return high * wide * self.depth * self.beside * self.itemsize

    def groups(self, planes: Sequence[int], most: int) -> list[list[int]]:
        """Group planes that share chunks, as far as no group spans more than `most` planes.

        Where nothing is shared every plane is a group, in the order given.
        """
        blocks: dict[tuple[int, int], list[int]] = {}
        for plane in planes:
            blocks.setdefault((self.block(plane)[0], plane // self.fastest), []).append(plane)
        groups: list[list[int]] = []
        for block in blocks.values():
            group: list[int] = []
            for plane in sorted(block):
                if not group or plane - group[0] >= most:
                    groups.append(group := [])
                group.append(plane)
        return groups


def consecutive(planes: Iterable[int]) -> list[tuple[int, int]]:
    """Cut ascending planes into ranges of those that follow one another: first, and one past the last."""
    ranges: list[tuple[int, int]] = []
    for plane in planes:
        if ranges and ranges[-1][1] == plane:
            ranges[-1] = ranges[-1][0], plane + 1
        else:
            ranges.append((plane, plane + 1))
    return ranges


def plane_windows(shape: Sequence[int], planes: tuple[int, int], y: range, x: range) -> Iterator[Window]:
    """Make the fewest windows that hold a rectangle of planes which follow one another.

    Parameters
    ----------
    shape : sequence of int
        Shape of the layer; the last two axes are y and x.
    planes : (int, int)
        First plane and one past the last, over all axes before y and x, flattened in C order.
    y, x : range
        Rows and columns, in the order of the file, not empty.

    Yields
    ------
    Window
        One after the other they give the planes in their order.
    """
    for start, stop in _slabs(shape[:-2], *planes):
        steps = (*(1 for _ in start), y.step, x.step)
        yield Window((*start, y.start, x.start), (*stop, y.stop, x.stop), steps)


def cuts(first: int, last: int, most: int, chunk: int, offset: int) -> Iterator[tuple[int, int]]:
    """Cut a range into pieces that end at boundaries between chunks.

    Parameters
    ----------
    first, last : int
        The range.
    most : int
        Longest piece; no shorter than a chunk.
    chunk, offset : int
        Boundaries lie at `offset` and at all multiples of `chunk` away from it.
    """
    while first < last:
        stop = first + most
        stop = last if stop >= last else (stop - offset) // chunk * chunk + offset
        yield first, stop
        first = stop


def _slabs(leading: Sequence[int], first: int, last: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cut a range of planes into boxes of the axes that they are counted along."""
    if not leading:
        yield (), ()
        return
    inner = leading[1:]
    size = prod(inner)
    while first < last:
        index, offset = divmod(first, size)
        whole = (last - first) // size if offset == 0 else 0
        if whole:
            yield (index, *(0 for _ in inner)), (index + whole, *inner)
            first += whole * size
        else:
            stop = min(size, offset + last - first)
            for start, end in _slabs(inner, offset, stop):
                yield (index, *start), (index + 1, *end)
            first += stop - offset


def _touched(size: int, chunk: int, whole: int, *, fits: bool) -> int:
    """Pixels of the chunks along an axis that any run of `size` pixels touches, which starts at a multiple of it."""
    if fits and size % chunk == 0:
        return min(size, whole)
    if fits and chunk % size == 0:
        return min(chunk, whole)
    return min((-(-(size - 1) // chunk) + 1) * chunk, whole)
