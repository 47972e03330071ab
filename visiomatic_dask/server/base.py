"""What all handlers share: errors as JSON, cross-origin rules, and how pictures are sent."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from http.client import responses
from typing import Any

from tornado.web import HTTPError, RequestHandler

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.renderer import Renderer
from visiomatic_dask.engine.requests import Picture
from visiomatic_dask.errors import CubeChanged, Unavailable, VisiomaticError
from visiomatic_dask.rendering import MEDIA_TYPES
from visiomatic_dask.rendering.style import ImageFormat
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.catalog import Catalog
from visiomatic_dask.server.pictures import PictureDesk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What handlers work with.

    Attributes
    ----------
    renderer : Renderer
        Makes pictures and measurements.
    catalog : Catalog
        Opens cubes.
    desk : PictureDesk
        Keeps pictures.
    settings : Settings
        Limits and defaults.
    version : str
        Version of this package.
    """

    renderer: Renderer
    catalog: Catalog
    desk: PictureDesk
    settings: Settings
    version: str


class BaseHandler(RequestHandler):
    """A handler whose errors are JSON and whose answers other origins may read only where the operator says so."""

    services: Services

    def initialize(self, services: Services) -> None:
        """Take the services."""
        self.services = services

    def set_default_headers(self) -> None:
        """Leave out what tells the server's make; forbid guessing of types."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")

    def prepare(self) -> None:
        """Answer to the origins on the list."""
        allowed = self.services.settings.cors_origins
        origin = self.request.headers.get("Origin")
        if allowed:
            self.set_header("Vary", "Origin")
        if origin is not None and ("*" in allowed or origin in allowed):
            self.set_header("Access-Control-Allow-Origin", "*" if "*" in allowed else origin)
            self.set_header("Access-Control-Expose-Headers", "ETag, X-Visiomatic-Quality, Retry-After")

    @property
    def arguments(self) -> Arguments:
        """The decoded query."""
        return Arguments({name: self.get_query_arguments(name) for name in self.request.query_arguments})

    def write_json(self, value: Any) -> None:
        """Send a value as JSON; it must hold no NaN."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(value, allow_nan=False))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send an error as JSON: ``{"detail": [{"loc", "msg"}]}``."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        detail: dict[str, Any] = {"msg": responses.get(status_code, "Unknown error")}
        if isinstance(error, VisiomaticError):
            self.set_status(error.status)
            detail = {"msg": error.message}
            if error.parameter is not None:
                detail = {"loc": ["query", error.parameter], **detail}
            if isinstance(error, Unavailable):
                self.set_header("Retry-After", str(error.retry_after))
        elif isinstance(error, HTTPError) and error.log_message:
            detail = {"msg": str(error)}
        self.set_header("Cache-Control", "no-store")
        self.write_json({"detail": [detail]})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what is a fault of ours; what is wrong with a request is for whoever sent it."""
        if not isinstance(value, VisiomaticError) or value.status == 500:
            super().log_exception(typ, value, tb)

    async def send_picture(
        self, token: str, make: Any, image_format: ImageFormat, *, fingerprinted: bool, previews: bool
    ) -> None:
        """Send a picture, or 304 where the browser has it already.

        Parameters
        ----------
        token : str
            Says everything the picture depends on; becomes its ETag.
        make : callable
            Makes it.
        image_format : {"jpeg", "png"}
            How it is encoded.
        fingerprinted : bool
            Whether the URL holds the fingerprint, so that what it names can never change.
        previews : bool
            Whether a preview is marked as one, and not to be kept.
        """
        etag = f'"{token}"'
        self.set_header("ETag", etag)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if fingerprinted else "no-cache")
        if etag in (self.request.headers.get("If-None-Match") or ""):
            self.set_status(304)
            self.finish()
            return
        picture: Picture = await self.services.desk.get(token, make)
        if picture.preview and previews:
            self.set_header("X-Visiomatic-Quality", "preview")
            self.set_header("Cache-Control", "no-store")
            self.clear_header("ETag")
        self.set_header("Content-Type", MEDIA_TYPES[image_format])
        self.finish(picture.data)

    def compute_etag(self) -> str | None:
        """Leave ETags to `send_picture`: hashing every answer is not free."""
        return None

    def check_version(self, fingerprint: str) -> bool:
        """Whether the URL holds the fingerprint; `CubeChanged` if it holds another."""
        given = self.get_query_argument("v", None)
        if given is not None and given != fingerprint:
            raise CubeChanged(f"v is {given!r}, but the cube is now {fingerprint!r}: its file has changed", "v")
        return given is not None


class NotFoundHandler(BaseHandler):
    """What no route leads to."""

    def prepare(self) -> None:
        """Say so."""
        raise HTTPError(404, "there is nothing at this address")
