"""Contours of a tile, as GeoJSON."""

from __future__ import annotations

import math

from visiomatic_dask.engine.contours import MOST_LEVELS, WIDEST_BOX, ContourRequest
from visiomatic_dask.errors import InvalidRequest, PyramidGone
from visiomatic_dask.rendering import Mix, Style
from visiomatic_dask.rendering.stretches import curve_of
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.cube_handlers import LayerHandler
from visiomatic_dask.server.responses import Delivery, cache_headers
from visiomatic_dask.server.style_query import STYLE_KEYS

_COUNT = 5
"""Levels, unless they are given or counted."""


class ContourHandler(LayerHandler):
    """``/cubes/{name}/contours/{level}/{row}/{column}.geojson``."""

    async def get(self, name: str, level: str, row: str, column: str) -> None:
        """Send the contours of a plane within a tile."""
        arguments, services = self.arguments, self.services
        arguments.check_names((*STYLE_KEYS, "levels", "count", "smooth", "layer", "v"))
        opened, layer = await self.open(name, arguments)
        delivery = Delivery(fingerprinted=self.check_version(opened.cube.fingerprint))
        style = await self.style(arguments, opened, layer)
        smooth = arguments.integer("smooth", 1, 1, WIDEST_BOX)
        request = ContourRequest(
            layer, int(level), int(row), int(column), style.content, contour_levels(arguments, style), smooth
        )
        for is_last in (False, True):
            plan = await services.renderer.contours.plan(request)
            if self._unchanged(plan.token, delivery):
                return
            try:
                data = await services.renderer.contours.make(plan)
                break
            except PyramidGone:  # evicted after it was planned
                if is_last:
                    raise
        self._set_headers(cache_headers(plan.token, delivery))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Type", "application/geo+json")
        self.finish(data)


def contour_levels(arguments: Arguments, style: Style) -> tuple[float, ...]:
    """Find the values of contours: those given, or as many as are asked for between the cuts.

    Those are evenly spaced in brightness: closer together where the stretch is steep.

    Raises
    ------
    InvalidRequest
        If there are too many, one is no finite number, or both ways are used.
    """
    text = arguments.text("levels")
    if text is not None:
        if "count" in arguments:
            raise InvalidRequest("levels and count exclude each other: levels gives values, count a number", "count")
        return _given(text)
    count = arguments.integer("count", _COUNT, 1, MOST_LEVELS)
    if isinstance(style.content, Mix):
        return (0.0,)  # is refused as a whole
    cut = style.content.cut
    shares = curve_of(style.look.stretch).inverse([number / (count + 1) for number in range(1, count + 1)])
    return tuple(sorted({cut.low + (cut.high - cut.low) * share for share in shares.tolist()}))


def _given(text: str) -> tuple[float, ...]:
    allowed = f"1 to {MOST_LEVELS} finite numbers, as 1,2.5,1e3"
    parts = text.split(",")
    if not 1 <= len(parts) <= MOST_LEVELS:
        raise InvalidRequest.value("levels", text, allowed)
    found = {Arguments({"levels": [part]}).number("levels", math.nan, -1e38, 1e38) for part in parts}
    return tuple(sorted(found))
