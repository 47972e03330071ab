"""Colormaps: ``/colormaps``, and the strips below it."""

from __future__ import annotations

import asyncio
from hashlib import blake2b

from tornado.web import HTTPError

from visiomatic_dask.rendering import check_colormap, colormap_groups, colormap_names
from visiomatic_dask.rendering.strips import SHEET_ROWS, StripFormat, encoded_sheet, encoded_strip, strip
from visiomatic_dask.server.base import BaseHandler
from visiomatic_dask.server.responses import Delivery, cache_headers

_FORMATS: tuple[StripFormat, ...] = ("png", "webp")
_LONGEST = 2048
_ALL = "all"


class ColormapsHandler(BaseHandler):
    """``/colormaps``."""

    def get(self) -> None:
        """List the colormaps."""
        self.write_json(
            {
                "colormaps": list(colormap_names()),
                "groups": [{"name": kind, "colormaps": list(names)} for kind, names in colormap_groups().items()],
                "rows": SHEET_ROWS,
            }
        )


class StripHandler(BaseHandler):
    """``/colormaps/{name}.png``, and ``/colormaps/all.png``."""

    async def get(self, name: str, suffix: str) -> None:
        """Send the strip of a colormap, or of all."""
        arguments = self.arguments
        image_format = next((one for one in _FORMATS if one == suffix), None)
        if image_format is None:
            raise HTTPError(404, f"there are no strips of this kind; allowed: {', '.join(_FORMATS)}")
        if name == _ALL:
            arguments.check_names(())
            data = await asyncio.to_thread(encoded_sheet, image_format)
        else:
            arguments.check_names(("width", "height", "vertical", "invert"))
            check_colormap(name)
            vertical = arguments.flag("vertical", default=False)
            width = arguments.integer("width", 16 if vertical else 256, 1, _LONGEST)
            height = arguments.integer("height", 256 if vertical else 16, 1, _LONGEST)
            invert = arguments.flag("invert", default=False)
            data = await asyncio.to_thread(
                lambda: encoded_strip(strip(name, width, height, vertical=vertical, invert=invert), image_format)
            )
        token = blake2b(data, digest_size=16).hexdigest()
        delivery = Delivery(fingerprinted=True)
        if self._unchanged(token, delivery):
            return
        self._set_headers(cache_headers(token, delivery))
        self.set_header("Content-Type", f"image/{image_format}")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(data)
