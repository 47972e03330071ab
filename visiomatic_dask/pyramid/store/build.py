"""Building a piece of a pyramid: what a worker does for one task. Memory: see `piece_rebinning`."""

from __future__ import annotations

from collections.abc import Callable

from visiomatic_dask.cube import Reader
from visiomatic_dask.pyramid.store.arrays import read_missing, read_pixels, write_piece
from visiomatic_dask.pyramid.store.piece_rebinning import rebin_source, rebin_stored
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece, Pyramid, nothing


def build_piece(
    pyramid: Pyramid, reader: Reader, piece: Piece, before_writing: Callable[[], None] = nothing
) -> BuiltPiece:
    """Make a piece and write it.

    Parameters
    ----------
    pyramid : Pyramid
        Which pyramid; it is in the store already.
    reader : Reader
        The source: read for level 1 only.
    piece : Piece
        Which piece. Above level 1, all that lies below it is in the store.
    before_writing : callable
        Called when the piece is made; what it raises keeps it from being written.

    Returns
    -------
    BuiltPiece
        The piece is in the store.

    Raises
    ------
    CubeChanged
        If the source is not the version that was opened.
    UnreadableCube
        If the source cannot be read.
    """
    plan, below = pyramid.plan, piece.shard.level - 1
    made = (
        rebin_stored(
            plan,
            pyramid.bins,
            piece,
            lambda planes, box: read_pixels(pyramid, below, planes, box),
            lambda planes, box: read_missing(pyramid, below, planes, box),
            pyramid.mantissa,
        )
        if below
        else rebin_source(plan, pyramid.bins, reader, piece, pyramid.mantissa)
    )
    before_writing()
    written = write_piece(pyramid, piece, made.pixels, made.missing)
    return BuiltPiece(piece, made.read, written, made.statistics)
