"""``/cubes/{name}/region.…``: a picture of any rectangle, as a file."""

from __future__ import annotations

from visiomatic_dask.engine.region_bands import Container
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.errors import InvalidRequest, TooLarge
from visiomatic_dask.rendering.look import LARGEST_JPEG, ImageFormat
from visiomatic_dask.server.responses import Delivery, cache_headers
from visiomatic_dask.server.streaming import StreamingHandler, attachment
from visiomatic_dask.server.style_query import STYLE_KEYS

_WHOLE: dict[str, tuple[ImageFormat, int]] = {
    "jpg": ("jpeg", LARGEST_JPEG),
    "jpeg": ("jpeg", LARGEST_JPEG),
    "webp": ("webp", 16_383),
}
"""Formats that are encoded in one piece, and the pixels along a side that they can hold."""
_STREAMED: dict[str, tuple[Container, str]] = {
    "png": ("png", "image/png"),
    "tif": ("tiff", "image/tiff"),
    "tiff": ("tiff", "image/tiff"),
}


class RegionHandler(StreamingHandler):
    """``/cubes/{name}/region.jpg``, ``.webp``, ``.png``, ``.tif``."""

    async def get(self, name: str, suffix: str) -> None:
        """Send a picture of a rectangle."""
        arguments = self.arguments
        arguments.check_names((*STYLE_KEYS, "layer", "v", "box", "level"))
        if suffix not in _WHOLE and suffix not in _STREAMED:
            raise InvalidRequest.value("suffix", suffix, ", ".join((*_WHOLE, *_STREAMED)))
        opened, layer = await self.open(name, arguments)
        fingerprinted = self.check_version(opened.cube.fingerprint)
        level, box = self.place(arguments, layer)
        image_format: ImageFormat = _WHOLE[suffix][0] if suffix in _WHOLE else "png"
        style = await self.style(arguments, opened, layer, image_format)
        request = RegionRequest(layer, level, box, style)
        stem = f"{name.rsplit('/', 1)[-1]}_{box.columns}x{box.rows}"
        disposition = attachment(stem, f".{suffix}")
        if suffix in _WHOLE:
            await self._send_whole(request, suffix, Delivery(image_format, fingerprinted, previews=True), disposition)
        else:
            await self._send_streamed(request, suffix, Delivery(image_format, fingerprinted), disposition)

    async def _send_whole(self, request: RegionRequest, suffix: str, delivery: Delivery, disposition: str) -> None:
        box, (image_format, most) = request.box, _WHOLE[suffix]
        if max(box.rows, box.columns) > most:
            raise TooLarge(
                f"the picture has {box.columns:,} x {box.rows:,} pixels; {image_format.upper()} has {most:,} along a "
                "side at most: ask for PNG or TIFF, a smaller box, or a higher level",
                "box",
            )
        try:
            plan = await self.services.renderer.regions.plan(request)
        except TooLarge as error:
            raise TooLarge(f"{error.message}; PNG and TIFF are streamed, and may be larger", "box") from error
        self.set_header("Content-Disposition", disposition)
        await self.send_region(plan, delivery)

    async def _send_streamed(self, request: RegionRequest, suffix: str, delivery: Delivery, disposition: str) -> None:
        exports, (container, media_type) = self.services.renderer.exports, _STREAMED[suffix]
        plan = await exports.plan_region(request, container)
        if self._unchanged(plan.token, delivery):
            return
        file = exports.region(plan)

        def headers() -> dict[str, str]:
            found = {"Content-Type": media_type, "Content-Disposition": disposition}
            if file.length is not None:
                found["Content-Length"] = str(file.length)
            return found | cache_headers(plan.token, delivery)

        await self.send_pieces(file.pieces(), headers)
