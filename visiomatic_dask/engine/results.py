"""Results of Dask tasks, fetched so that whoever gives up takes nothing from the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from distributed import Future
from distributed.scheduler import KilledWorker

from visiomatic_dask.errors import Unavailable


async def result_of(future: Future) -> Any:
    """Fetch the result of a task; being cancelled lets go of it.

    A client fetches what is wanted at the same time in one go, which all await: one who is cancelled there cancels it
    for everyone, and where it has not begun yet for good, since the client goes on to attach whoever comes to it. So
    it is awaited elsewhere.

    Parameters
    ----------
    future : distributed.Future
        Of an asynchronous client.

    Raises
    ------
    Exception
        What the task has raised; or Dask's own, if it was lost or cancelled.
    """
    fetching = asyncio.ensure_future(future.result())
    try:
        return await asyncio.shield(fetching)
    except asyncio.CancelledError:
        fetching.add_done_callback(_seen)
        future.release()
        raise


def _seen(fetched: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not fetched.cancelled():
        fetched.exception()


async def finished(future: Future) -> None:
    """Wait until a task has finished, well or not, without fetching its result."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    future.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(done.set))
    await done.wait()


@contextmanager
def unavailable_if_lost(seconds: float) -> Iterator[None]:
    """Raise `Unavailable` where no worker answers in time, or the cluster is lost.

    Parameters
    ----------
    seconds : float
        How long an answer is waited for, as the message has it.
    """
    try:
        yield
    except TimeoutError as error:
        raise Unavailable(f"no worker has answered within {seconds:g} s") from error
    except (CancelledError, KilledWorker, OSError) as error:  # Dask's cancellation, not asyncio's
        raise Unavailable("the cluster was lost while it worked on this; try again in a moment") from error
