"""Responses: status, headers and body of pictures and errors, whatever sends them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from email.utils import formatdate
from http.client import responses
from typing import Any

from visiomatic_dask.config import Settings
from visiomatic_dask.engine.requests import Picture
from visiomatic_dask.errors import BeingUnpacked, NotUnpacked, PyramidGone, Unavailable, VisiomaticError
from visiomatic_dask.rendering import MEDIA_TYPES
from visiomatic_dask.rendering.look import ImageFormat


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a picture is delivered.

    Attributes
    ----------
    image_format : {"jpeg", "png", "webp"}
        How it is encoded.
    fingerprinted : bool
        Whether the URL holds the fingerprint, so that what it names can never change.
    previews : bool
        Whether a preview is marked as one, and not to be kept. Else whoever asked has to be content with what is sent.
    """

    image_format: ImageFormat = "jpeg"
    fingerprinted: bool = False
    previews: bool = False


def not_modified(token: str, if_none_match: str | None) -> bool:
    """Whether the browser has the picture of that token already."""
    return if_none_match is not None and f'"{token}"' in if_none_match


def cache_headers(token: str, delivery: Delivery) -> dict[str, str]:
    """Headers that say how long a picture may be kept, and how to ask whether it still holds."""
    keep = "public, max-age=31536000, immutable" if delivery.fingerprinted else "no-cache"
    return {"ETag": f'"{token}"', "Cache-Control": keep}


def picture_headers(token: str, picture: Picture, delivery: Delivery) -> dict[str, str]:
    """Headers of a picture."""
    kind = {"Content-Type": MEDIA_TYPES[delivery.image_format]} | timing_headers(picture)
    if picture.preview and delivery.previews:
        return kind | {"X-Visiomatic-Quality": "preview", "Cache-Control": "no-store"}
    return kind | cache_headers(token, delivery)


def timing_headers(picture: Picture) -> dict[str, str]:
    """Headers that say where the time of a picture went, in ms, as browsers show it (W3C Server Timing)."""
    if picture.kept:
        return {"Server-Timing": 'cache;desc="hit"'}
    if picture.timing is None:
        return {}
    queue, read, render, encode = picture.timing
    return {
        "Server-Timing": f"queue;dur={1000 * queue:.2f}, read;dur={1000 * read:.2f}, "
        f"render;dur={1000 * render:.2f}, encode;dur={1000 * encode:.2f}"
    }


_EXPOSED = "ETag, X-Visiomatic-Quality, Retry-After, Server-Timing, Location, Content-Disposition"


def is_listed(settings: Settings, origin: str) -> bool:
    """Whether the operator has put an origin on the list of those whose pages may read answers."""
    return "*" in settings.cors_origins or origin in settings.cors_origins


def origin_headers(settings: Settings, origin: str | None) -> dict[str, str]:
    """Headers that let pages of other origins read an answer, where the operator has put them on the list."""
    allowed = settings.cors_origins
    if not allowed:
        return {}
    headers = {"Vary": "Origin"}
    if origin is not None and is_listed(settings, origin):
        headers["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
        headers["Access-Control-Expose-Headers"] = _EXPOSED
    return headers


def error_response(
    error: BaseException | None, status: int, message: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and JSON body of an error: ``{"detail": [{"loc", "msg", "progress"}]}``.

    Parameters
    ----------
    error : BaseException or None
        What went wrong.
    status : int
        The status, unless the error is one of ours and knows it.
    message : str, optional
        What to say of an error that is not one of ours.
    """
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    detail: dict[str, Any] = {"msg": message or responses.get(status, "Unknown error")}
    if isinstance(error, VisiomaticError):
        status = error.status
        detail = {"msg": error.message}
        if error.parameter is not None:
            detail = {"loc": ["query", error.parameter], **detail}
        if isinstance(error, BeingUnpacked):
            detail["progress"] = round(error.progress, 4)
        if isinstance(error, Unavailable | NotUnpacked | PyramidGone):
            headers["Retry-After"] = str(error.retry_after)
    return status, headers, json.dumps({"detail": [detail]}).encode()


class HTTPDate:
    """The Date header, written once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    @property
    def now(self) -> str:
        """The time now, as HTTP writes it."""
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text
