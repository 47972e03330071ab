"""What builds a piece on a worker: the task behind ``build-shard-…``."""

from __future__ import annotations

import os
import sys
import threading

from distributed import get_worker, secede

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.pyramid.store.buildable import Buildable
from visiomatic_dask.pyramid.store.ledger import Ledger, Unclaimed
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece

MEMORY_OF_A_PIECE = 450_000_000
"""Bytes that building a piece takes at most: its pixels, what is missing of them, what they are made from, and the
shard before and after it is compressed."""
_NICENESS = 10


def build_key(pyramid: Buildable, piece: Piece) -> str:
    """Make the key of a task, which says everything its result depends on."""
    text = f"{pyramid!r}|{piece!r}"
    return f"build-shard-{digest(text)}"


def build_task(pyramid: Buildable, reader: Reader, piece: Piece) -> BuiltPiece | None:
    """Build a piece, in a thread of its own so that bricks keep theirs, and behind them where cores are scarce.

    Parameters
    ----------
    pyramid : Buildable
        Of what.
    reader : Reader
        Of the layer that the pyramid is of.
    piece : Piece
        Which.

    Returns
    -------
    BuiltPiece or None
        None if nothing was written, as nobody has claimed the piece any more: who wanted it was gone for so long that
        others may write there now.

    Raises
    ------
    VisiomaticError
        If the source has changed or cannot be read, or the store cannot be written to.
    """
    _leave_pool()
    try:
        return pyramid.build(reader, piece, lambda: Ledger.of(pyramid).check_claim(piece))
    except Unclaimed:
        return None


def _leave_pool() -> None:
    """Leave the worker's pool, which starts another thread; this one ends with the task, and so may be nice for good.

    (Nor could it be put back: raising a priority is the superuser's privilege.)
    """
    try:
        get_worker()
    except ValueError:  # called where there is no worker, and the thread is the caller's
        return
    secede()
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
