"""``/cubes/{name}/cutout.fits``: a part of a layer, as a FITS file."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.cutouts import CutoutPlan
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.errors import CubeNotFound, InvalidRequest
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.responses import Delivery, cache_headers
from visiomatic_dask.server.streaming import StreamingHandler, attachment


class CutoutHandler(StreamingHandler):
    """``/cubes/{name}/cutout.fits``."""

    async def get(self, name: str) -> None:
        """Send a cut-out."""
        arguments = self.arguments
        arguments.check_names(("box", "channels", "level", "layer", "v"))
        try:
            opened, layer = await self.open(name, arguments)
        except CubeNotFound as error:
            await self._describe_namesake(name, error)
            return
        self.check_version(opened.cube.fingerprint)
        services = self.services
        level, box = self.place(arguments, layer)
        channels = _channels(arguments, layer)
        plan = await services.renderer.exports.plan_cutout(layer, level, box, channels)
        stem = name.rsplit("/", 1)[-1]
        history = _history(stem, plan, channels, services.version)
        token = digest("|".join((plan.token, *history)))
        # What is in the file tells the day: it is not the same for ever.
        delivery = Delivery()
        if self._unchanged(token, delivery):
            return
        head = await asyncio.to_thread(plan.head, history)
        headers = {
            "Content-Type": "application/fits",
            "Content-Disposition": attachment(f"{stem.removesuffix('.fits')}_cutout", ".fits"),
            "Content-Length": str(len(head) + plan.nbytes + plan.padding),
        } | cache_headers(token, delivery)
        await self.send_pieces(services.renderer.exports.cutout(plan, head), lambda: headers)

    async def _describe_namesake(self, folder: str, error: CubeNotFound) -> None:
        """Describe the cube that is itself called ``cutout.fits``, in a folder that is no cube."""
        try:
            found = await self.open(f"{folder}/cutout.fits", self.arguments)
        except CubeNotFound:
            raise error from None
        self.arguments.check_names(("layer",))
        await self.send_description(*found)


def _channels(arguments: Arguments, layer: Layer) -> tuple[int, int]:
    """Parse ``channels=a-b``, or ``a``: first channel and one past the last."""
    text = arguments.text("channels")
    if text is None:
        return 0, layer.channels
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last < layer.channels:
        raise InvalidRequest.value(
            "channels", text, f"a-b, both included, or a single one, from 0 to {layer.channels - 1}"
        )
    return first, last + 1


def _history(name: str, plan: CutoutPlan, channels: tuple[int, int], version: str) -> tuple[str, ...]:
    """Say how a cut-out came about: texts of 72 characters at most."""
    cut = plan.cut
    (bottom, left), (top, right) = cut.start[-2:], cut.stop[-2:]
    shown = "".join(c if " " <= c <= "~" else "?" for c in f"{name}, layer {plan.layer.name}")
    told = [
        f"Cut by visiomatic_dask {version} on {datetime.now(UTC):%Y-%m-%d}",
        f"from {shown}"[:72],
        f"pixels {left + 1} to {right} along x, {bottom + 1} to {top} along y"
        + (f" of level {cut.level}" * bool(cut.level)),
    ]
    if len(cut.start) > 2:
        told.append(f"channels {channels[0]} to {channels[1] - 1}, counted from 0")
    if cut.level:
        side = 2**cut.level
        told.append(f"level {cut.level}: means of the finite ones of {side} x {side} pixels")
    return tuple(told)
