"""Legends: ``/cubes/{name}/legend.svg`` and ``.png``."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import get_args

from tornado.web import HTTPError

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Collapse, Mix, Style
from visiomatic_dask.rendering.colours import canonical_colour
from visiomatic_dask.rendering.legend.layout import (
    Frame,
    Orientation,
    fits_entries,
    lay_out_bar,
    lay_out_mix,
    most_entries,
    most_marks,
)
from visiomatic_dask.rendering.legend.png import as_png
from visiomatic_dask.rendering.legend.subject import bar_subject, mix_subject
from visiomatic_dask.rendering.legend.svg import as_svg
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.cube_handlers import LayerHandler
from visiomatic_dask.server.responses import Delivery, cache_headers
from visiomatic_dask.server.style_query import STYLE_KEYS

_WRITERS = {"svg": ("image/svg+xml", as_svg), "png": ("image/png", as_png)}
_FRAME_KEYS = ("width", "height", "orientation", "foreground", "background")
_SIZE = (60, 1200)
_SIZES = {"vertical": (120, 320), "horizontal": (400, 80)}
_TRANSPARENT = "transparent"


class LegendHandler(LayerHandler):
    """``/cubes/{name}/legend.svg``."""

    async def get(self, name: str, suffix: str) -> None:
        """Send the legend of a picture."""
        arguments = self.arguments
        arguments.check_names((*STYLE_KEYS, *_FRAME_KEYS, "layer", "v"))
        if suffix not in _WRITERS:
            raise HTTPError(404, f"there are no legends of this kind; allowed: {', '.join(_WRITERS)}")
        frame = _frame(arguments)
        opened, layer = await self.open(name, arguments)
        delivery = Delivery(fingerprinted=self.check_version(opened.cube.fingerprint))
        services = self.services
        style = await self.style(arguments, opened, layer)
        # A preset may have the key, too, and the format's own is that nothing is drawn.
        show_bad = "bad" in arguments or style.look.bad != _TRANSPARENT
        parts = (opened.cube.fingerprint, layer.name, style.text, frame, suffix, show_bad, services.version)
        token = digest(repr(parts))
        if self._unchanged(token, delivery):
            return
        media_type, _ = _WRITERS[suffix]
        data = await asyncio.to_thread(_drawn, style, layer, frame, suffix, show_bad=show_bad)
        self._set_headers(cache_headers(token, delivery))
        self.set_header("Content-Type", media_type)
        self.set_header("X-Content-Type-Options", "nosniff")
        # Labels come from files: whatever they hold, no browser shall run it.
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.finish(data)


def _frame(arguments: Arguments) -> Frame:
    text = arguments.text("orientation") or "vertical"
    orientation: Orientation | None = next((one for one in get_args(Orientation) if one == text), None)
    if orientation is None:
        raise InvalidRequest.value("orientation", text, ", ".join(get_args(Orientation)))
    width, height = _SIZES[orientation]
    foreground = canonical_colour("foreground", arguments.text("foreground") or "#000000")
    if foreground == _TRANSPARENT:
        raise InvalidRequest.value("foreground", foreground, "a colour as #rrggbb")
    background = canonical_colour("background", arguments.text("background") or _TRANSPARENT)
    return Frame(
        arguments.integer("width", width, *_SIZE),
        arguments.integer("height", height, *_SIZE),
        orientation,
        foreground,
        None if background == _TRANSPARENT else background,
    )


def _drawn(style: Style, layer: Layer, frame: Frame, suffix: str, *, show_bad: bool) -> bytes:
    """Draw a legend. Blocks: labels may need the layer's WCS."""
    content = style.content
    _, write = _WRITERS[suffix]
    if isinstance(content, Mix):
        subject = mix_subject(style, content, layer.channel_label, most_entries(frame), most_marks(frame))
        if subject.entries and not fits_entries(subject, frame):
            subject = dataclasses.replace(subject, entries=())
        return write(lay_out_mix(subject, frame))
    if isinstance(content, Collapse):
        ends = (layer.channel_label(content.first), layer.channel_label(content.last - 1))
        title = f"{content.method} {ends[0]} – {ends[1]}"
    else:
        title = layer.channel_label(content.channel)
    return write(lay_out_bar(bar_subject(style, content.cut, title, layer.unit, show_bad=show_bad), frame))
