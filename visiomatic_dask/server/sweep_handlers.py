"""``/cubes/{name}/sweeps`` and ``/jobs/{id}``: animations through channels, made as jobs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.sweep_job import SweepRequest
from visiomatic_dask.engine.sweeps import MOST_FRAMES
from visiomatic_dask.errors import InvalidRequest, JobNotFound, TooLarge, Unavailable
from visiomatic_dask.rendering import Cut, Mono, Style
from visiomatic_dask.rendering.animation import ANIMATION_TYPES, AnimationFormat
from visiomatic_dask.rendering.look import ImageFormat
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.base import BaseHandler
from visiomatic_dask.server.body_handler import BodyHandler
from visiomatic_dask.server.catalog import OpenedCube
from visiomatic_dask.server.responses import is_listed
from visiomatic_dask.server.streaming import StreamingHandler, attachment
from visiomatic_dask.server.style_query import STYLE_KEYS

_KEYS = ("channels", "box", "level", "rate", "format", "style", "layer", "v")
_RATE = (0.1, 60.0)
_BODY = '{"channels": [first, last, step], "box": [x1, y1, x2, y2], "level", "rate", "format", "style": {…}}'


def check_same_origin(handler: BaseHandler) -> None:
    """Refuse what pages of other origins ask to be done, unless the operator has put them on the list."""
    origin = handler.request.headers.get("Origin")
    if origin is None or is_listed(handler.services.settings, origin):
        return
    if urlsplit(origin).netloc.lower() != handler.request.headers.get("Host", "").lower():
        raise HTTPError(403, "pages of other origins may not; allowed: this server's own, and visiomatic.cors-origins")


def allow(handler: BaseHandler, method: str) -> None:
    """Answer a browser that asks whether a page of another origin may use a method: a preflight (Fetch standard)."""
    check_same_origin(handler)
    handler.set_header("Access-Control-Allow-Methods", method)
    handler.set_header("Access-Control-Allow-Headers", "Content-Type")
    handler.set_status(204)
    handler.finish()


class SweepsHandler(BodyHandler):
    """``/cubes/{name}/sweeps``."""

    longest = 64 * 1024

    async def options(self, _name: str) -> None:
        """Say which pages may start sweeps."""
        allow(self, "POST")

    async def post(self, name: str) -> None:
        """Start a sweep."""
        check_same_origin(self)
        body = self.body()
        self.arguments.check_names(())
        asked = _parsed(body)
        plain: dict[str, list[str]] = {
            key: [_text(key, asked[key])] for key in ("level", "rate", "layer", "v") if key in asked
        }
        arguments = Arguments(plain | _box(asked))
        opened, layer = await self.open(name, arguments)
        given = arguments.text("v")
        if given is not None and given != opened.cube.fingerprint:
            raise InvalidRequest.value("v", given, opened.cube.fingerprint)
        level, box = self.place(arguments, layer)
        animation = _format(asked.get("format", "mp4"))
        styles = await self._styles(asked, opened, layer, animation)
        rate = arguments.number("rate", 10.0, *_RATE)
        request = SweepRequest(layer, level, box, styles, rate, animation)
        job = await self.services.renderer.sweeps.start(request, self.viewer)
        self.set_status(202)
        self.set_header("Location", f"/jobs/{job['id']}")
        self.set_header("Cache-Control", "no-store")
        self.write_json(job)

    async def _styles(
        self, asked: dict[str, Any], opened: OpenedCube, layer: Layer, animation: AnimationFormat
    ) -> tuple[Style, ...]:
        """Make the style of each frame: with one pair of cuts for all, so that none is brighter for its cuts."""
        channels = _channels(asked.get("channels", [0, layer.channels - 1, 1]), layer)
        given = asked.get("style", {})
        if not isinstance(given, dict):
            raise InvalidRequest.value("style", given, "an object of rendering keys")
        allowed = tuple(key for key in STYLE_KEYS if key not in ("channel", "mix", "nan", "saturation", "hue"))
        values = {str(key): [_text(str(key), value)] for key, value in given.items()}
        Arguments(values).check_names(allowed)
        if ":" in (values.get("cuts") or [""])[0]:
            raise InvalidRequest.value("cuts", values["cuts"][0], "lo,hi: one pair for all frames")
        if "cuts" not in values:
            backgrounds = await opened.backgrounds(layer)
            cuts = [backgrounds[channel].cut for channel in channels]
            low, high = min(cut.low for cut in cuts), max(cut.high for cut in cuts)
            values["cuts"] = [f"{low!r},{high!r}"]
        arguments = Arguments(values | {"channel": [str(channels[0])]})
        image_format: ImageFormat = "webp" if animation == "webp" else "jpeg"
        style = await self.style(arguments, opened, layer, image_format)
        if not isinstance(style.content, Mono):
            raise InvalidRequest("a sweep shows one channel after the other; allowed: rendering keys of one", "style")
        cut: Cut = style.content.cut
        return tuple(Style(Mono(channel, cut), style.look) for channel in channels)


class JobHandler(BaseHandler):
    """``/jobs/{id}``."""

    async def get(self, identity: str) -> None:
        """Say how far a job is."""
        self.arguments.check_names(())
        self.set_header("Cache-Control", "no-store")
        self.write_json(await self.services.renderer.sweeps.describe(identity))

    async def options(self, _identity: str) -> None:
        """Say which pages may cancel jobs."""
        allow(self, "DELETE")

    async def delete(self, identity: str) -> None:
        """Cancel it."""
        check_same_origin(self)
        await self.services.renderer.sweeps.cancel(identity)
        self.set_status(204)
        self.finish()


class JobResultHandler(StreamingHandler):
    """``/jobs/{id}/result``."""

    async def get(self, identity: str) -> None:
        """Send the file."""
        self.arguments.check_names(())
        sweeps = self.services.renderer.sweeps
        job = await sweeps.describe(identity)
        if job["state"] == "failed":
            raise HTTPError(409, job["message"])
        try:
            file = await sweeps.file(identity)
        except JobNotFound:
            if job["state"] == "running":
                message = f"{job['done']} of {job['frames']} frames are made; try again in a moment"
                raise Unavailable(message) from None
            raise
        headers = {
            "Content-Type": ANIMATION_TYPES[job["format"]],
            "Content-Disposition": attachment("sweep", f".{job['format']}"),
            "Content-Length": str(file.size),
            "Cache-Control": "private, no-cache",
        }
        await self.send_pieces(file.pieces, lambda: headers)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON; allowed: {_BODY}") from error
    if not isinstance(asked, dict):
        raise InvalidRequest(f"the body is no object; allowed: {_BODY}")
    for key in asked:
        if key not in _KEYS:
            raise InvalidRequest(f"{key[:80]} is not a key of this request; allowed: {', '.join(_KEYS)}", key[:80])
    return asked


def _text(key: str, value: object) -> str:
    """Write a value as it would stand in a query."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidRequest.value(key, value, "a text, a number, true or false")


def _integers(key: str, value: object, count: int, meaning: str) -> list[int]:
    if not isinstance(value, list) or len(value) != count or not all(type(one) is int for one in value):
        raise InvalidRequest.value(key, value, meaning)
    return value


def _box(asked: dict[str, Any]) -> dict[str, list[str]]:
    if "box" not in asked:
        return {}
    box = _integers("box", asked["box"], 4, "[x1, y1, x2, y2]: four integers")
    return {"box": [",".join(map(str, box))]}


def _channels(value: object, layer: Layer) -> range:
    meaning = f"[first, last, step]: integers, channels from 0 to {layer.channels - 1}, step not 0"
    first, last, step = _integers("channels", value, 3, meaning)
    if not (0 <= first < layer.channels and 0 <= last < layer.channels and step):
        raise InvalidRequest.value("channels", value, meaning)
    channels = range(first, last + (1 if step > 0 else -1), step)
    if not channels:
        raise InvalidRequest.value("channels", value, meaning + "; first before last in the direction of the step")
    if len(channels) > MOST_FRAMES:
        raise TooLarge(f"the sweep has {len(channels):,} frames; allowed: {MOST_FRAMES:,}", "channels")
    return channels


def _format(value: object) -> AnimationFormat:
    for one in ANIMATION_TYPES:
        if value == one:
            return one
    raise InvalidRequest.value("format", value, ", ".join(ANIMATION_TYPES))
