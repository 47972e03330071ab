"""Requests with a body, which is taken piece by piece: one that is too long is refused before it is in memory."""

from __future__ import annotations

from tornado.web import stream_request_body

from visiomatic_dask.errors import TooLarge
from visiomatic_dask.server.base import Services
from visiomatic_dask.server.cube_handlers import LayerHandler


@stream_request_body
class BodyHandler(LayerHandler):
    """A handler that takes a body."""

    longest = 0
    """Bytes that a body may have."""
    holds = ""
    """What those are enough for, as the message of an error goes on."""

    def initialize(self, services: Services) -> None:
        """Take the services."""
        super().initialize(services)
        self._body = bytearray()
        self._received = 0

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body, unless that is too much: nobody need say beforehand how long it will be."""
        self._received += len(chunk)
        if self._received <= self.longest:
            self._body += chunk

    def body(self) -> bytes:
        """Return the body; `TooLarge` if it is too long."""
        self.check_size(self._received)
        return bytes(self._body)

    def check_size(self, size: int) -> None:
        """Raise `TooLarge` if a body of that many bytes is too long."""
        if size > self.longest:
            raise TooLarge(f"the body has {size:,} bytes; allowed: {self.longest:,}{self.holds}")
