"""Files that are sent while they are made: no faster than they are taken, and never one that is cut short unnoticed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from urllib.parse import quote

from tornado.iostream import StreamClosedError

from visiomatic_dask.server.cube_handlers import LayerHandler

logger = logging.getLogger(__name__)

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST_NAME = 120
_WRITTEN = 256 * 1024
"""Bytes that are handed over at a time."""
_LONGEST_PAUSE = 60.0
"""Seconds that these may take: who is slow is waited for, who has stopped keeps nobody else from a file."""


class StreamingHandler(LayerHandler):
    """A handler whose answers may be of any size."""

    _relaying: asyncio.Future[None] | None = None

    async def send_pieces(self, pieces: AsyncGenerator[bytes, None], headers: Callable[[], Mapping[str, str]]) -> None:
        """Send a file piece by piece.

        What goes wrong before the first piece is an error like any other; later on the connection is aborted, so that
        nobody takes what there is for all.

        Parameters
        ----------
        pieces : asynchronous generator of bytes
            The file; closed as soon as nobody wants it any more.
        headers : callable
            Gives the headers, once the first piece is there.
        """
        self._relaying = asyncio.ensure_future(self._relay(pieces, headers))
        try:
            await self._relaying
        except asyncio.CancelledError:
            if not self._is_gone:
                raise
        except StreamClosedError:
            logger.debug("who wanted a file has gone")

    async def _relay(self, pieces: AsyncGenerator[bytes, None], headers: Callable[[], Mapping[str, str]]) -> None:
        begun = False
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if not begun:
                        self._set_headers(headers())
                        begun = True
                    for start in range(0, len(piece), _WRITTEN):
                        self.write(piece[start : start + _WRITTEN])
                        await self._taken()
        except Exception as error:
            if begun and not self._is_gone:
                logger.warning("a file could not be sent to its end: %r", error)
                self.detach().close()
            raise
        self.finish()

    async def _taken(self) -> None:
        """Wait until what is written has been taken; who takes nothing for too long is gone."""
        try:
            async with asyncio.timeout(_LONGEST_PAUSE):
                await self.flush()
        except TimeoutError:
            raise StreamClosedError from None

    def on_connection_close(self) -> None:
        """Stop making what nobody will take."""
        super().on_connection_close()
        if self._relaying is not None:
            self._relaying.cancel()


def attachment(name: str, suffix: str) -> str:
    """Write the Content-Disposition of a file (RFC 6266): a plain name for everyone, the full one where it is not.

    Parameters
    ----------
    name : str
        What it is called, without a suffix; anything that may not be in a file name is replaced.
    suffix : str
        With the dot.
    """
    full = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name).strip(". ")
    full = full[-_LONGEST_NAME:] or "export"
    plain = _UNSAFE.sub("_", full).strip("._") or "export"
    given = f'attachment; filename="{plain}{suffix}"'
    return given if plain == full else f"{given}; filename*=UTF-8''{quote(full + suffix, safe='')}"
