"""Fewer, larger reads: ranges that lie close together become one. A plan, without any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One contiguous read that serves several ranges.

    Attributes
    ----------
    start, stop : int
        First byte and one past the last.
    pieces : tuple of (int, int, int)
        What is taken out of it: where it begins in the read, its size, and where it goes in the output.
    """

    start: int
    stop: int
    pieces: tuple[tuple[int, int, int], ...]


def coalesce(offsets: Sequence[int], sizes: Sequence[int], gap: int, most: int) -> list[Request]:
    """Plan reads for ranges of bytes that are wanted one after the other.

    Parameters
    ----------
    offsets, sizes : sequence of int
        The ranges, in the order in which they go to the output; they may overlap and lie in any order.
    gap : int
        Ranges at most this far apart are read as one, with what lies between them.
    most : int
        Bytes of a read at most. A range that is larger is read in parts, so that they can come at the same time.

    Returns
    -------
    list of Request
        Ascending; every byte of every range is in exactly one piece.
    """
    parts: list[tuple[int, int, int]] = []
    position = 0
    for offset, size in zip(offsets, sizes, strict=True):
        parts += [(offset + done, min(most, size - done), position + done) for done in range(0, size, most)]
        position += size
    requests: list[Request] = []
    run: list[tuple[int, int, int]] = []
    stop = 0
    for part in sorted(parts):
        if run and (part[0] > stop + gap or max(stop, part[0] + part[1]) - run[0][0] > most):
            requests.append(_request(run, stop))
            run = []
        stop = max(stop if run else 0, part[0] + part[1])
        run.append(part)
    return [*requests, _request(run, stop)] if run else requests


def _request(run: Sequence[tuple[int, int, int]], stop: int) -> Request:
    start = run[0][0]
    return Request(start, stop, tuple((offset - start, size, position) for offset, size, position in run))
