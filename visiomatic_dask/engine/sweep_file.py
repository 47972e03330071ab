"""The file of a sweep, as it is fetched from the worker that has it: no more of it is here than is being sent."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from distributed import Client, Future

from visiomatic_dask.engine.bulk import NotThere, fetch_range
from visiomatic_dask.engine.results import result_of

logger = logging.getLogger(__name__)

_PIECE = 8 * 2**20
"""Bytes that are here for whoever fetches a file."""


@dataclass(frozen=True, slots=True)
class SweepFile:
    """A file that is on a worker.

    Attributes
    ----------
    size : int
        Bytes.
    pieces : asynchronous generator of bytes
        It, piece by piece, as fast as they are taken.
    """

    size: int
    pieces: AsyncGenerator[bytes, None]


async def fetch_file(client: Client, key: str, done: Future | None) -> SweepFile | None:
    """Begin to fetch a file.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster that has it.
    key : str
        Of the task that has made it.
    done : distributed.Future or None
        Of that task, if this client has asked for it: it is fetched whole where its worker cannot be reached.

    Returns
    -------
    SweepFile or None
        None if there is no such file.
    """
    holders = await client.scheduler.who_has(keys=[key])
    for worker in holders.get(key, ()):
        try:
            size, first = await fetch_range(client, worker, key, 0, _PIECE)
        except (NotThere, OSError) as error:
            logger.info("a sweep cannot be fetched from %s: %r", worker, error)
        else:
            return SweepFile(size, _pieces(client, worker, key, size, first))
    if done is None:
        return None
    data: bytes = await result_of(done)
    return SweepFile(len(data), _single(data))


async def _pieces(client: Client, worker: str, key: str, size: int, first: bytes) -> AsyncGenerator[bytes, None]:
    """Give a file piece by piece, each fetched when the one before it has been taken."""
    yield first
    for start in range(len(first), size, _PIECE):
        yield (await fetch_range(client, worker, key, start, start + _PIECE))[1]


async def _single(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
