"""Tasks whose results are small: run on any worker, and fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client
from distributed.scheduler import KilledWorker

from visiomatic_dask.errors import Unavailable

_PRIORITY = 50


class TaskRunner:
    """Runs tasks within a deadline.

    Parameters
    ----------
    client : distributed.Client
        Asynchronous.
    has_workers : callable
        Whether there is anyone to run them.
    deadline : float
        Seconds.
    """

    def __init__(self, client: Client, has_workers: Callable[[], bool], deadline: float) -> None:
        self._client = client
        self._has_workers = has_workers
        self._deadline = deadline

    async def run(self, function: Callable[..., Any], *args: Any, key: str) -> Any:
        """Run a task and fetch its result; those who ask for the same key at the same time share it.

        Raises
        ------
        Unavailable
            If there is no worker, or none is done before the deadline.
        """
        if not self._has_workers():
            raise Unavailable("the cluster has no workers at the moment", retry_after=5)
        future = self._client.submit(function, *args, key=key, priority=_PRIORITY)
        try:
            async with asyncio.timeout(self._deadline):
                return await future.result()
        except TimeoutError as error:
            raise Unavailable(f"no worker has answered within {self._deadline:g} s") from error
        except (CancelledError, KilledWorker, OSError) as error:  # Dask's cancellation, not asyncio's
            raise Unavailable("the cluster was lost while it worked on this; try again in a moment") from error
        finally:
            future.release()
