"""News of drafts among front ends: a page may listen to another one than those that answer its tiles.

They share nothing but the cluster, so the scheduler passes the word on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any

from distributed import Client

from visiomatic_dask.engine.pyramid_news import PyramidNews
from visiomatic_dask.pyramid import Box

logger = logging.getLogger(__name__)

TOPIC = "visiomatic-exact"


class DraftNews:
    """Tells those who listen here that pixels are exact, and all other front ends on the cluster.

    Parameters
    ----------
    news : PyramidNews
        Who listens here.
    """

    def __init__(self, news: PyramidNews) -> None:
        self._news = news
        self._client: Client | None = None
        self._name = secrets.token_hex(8)
        self._telling: set[asyncio.Task[None]] = set()

    def use(self, client: Client | None) -> None:
        """Use the cluster of another client from now on."""
        self._client = client
        if client is not None:
            client.subscribe_topic(TOPIC, self._heard)

    def exact(self, layer_token: str, level: int, planes: tuple[int, int], box: Box) -> None:
        """Tell that pixels are exact; parameters as of `PyramidNews.exact`."""
        self._news.exact(layer_token, level, planes, box)
        if self._client is not None:
            rectangle = [box.top, box.left, box.bottom, box.right]
            word = [self._name, layer_token, level, list(planes), rectangle]
            task = asyncio.get_running_loop().create_task(_pass_on(self._client, word))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def _heard(self, event: tuple[float, Any]) -> None:
        """Hear what a front end says, perhaps one of another make."""
        try:
            name, token, level, (first, last), (top, left, bottom, right) = event[1]
        except (TypeError, ValueError):
            logger.warning("a front end says what nobody understands here: %.200r", event[1])
            return
        if name != self._name:
            self._news.exact(token, level, (first, last), Box(top, left, bottom, right))


async def _pass_on(client: Client, word: list[Any]) -> None:
    try:
        await client.log_event(TOPIC, word)
    except OSError as error:  # the scheduler is gone; pages ask now and then by themselves
        logger.info("other front ends do not hear of an exact picture: %s", error)
