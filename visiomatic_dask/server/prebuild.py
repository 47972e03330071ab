"""Building ahead: the pyramids of cubes that were named when the server was started."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.errors import BeingUnpacked, VisiomaticError
from visiomatic_dask.server.base import Services

logger = logging.getLogger(__name__)


@asynccontextmanager
async def prebuilding(services: Services, names: Sequence[str]) -> AsyncIterator[None]:
    """Open cubes, and have all of them built that will ever be shown from the store, behind everything else.

    What cannot be opened is left out, with a line in the log.

    Parameters
    ----------
    services : Services
        Of the server.
    names : sequence of str
        Of the cubes.
    """
    task = asyncio.create_task(_open_all(services, names))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _open_all(services: Services, names: Sequence[str]) -> None:
    for name in names:
        try:
            cube = await _opened(services, name)
        except VisiomaticError as error:
            logger.warning("%s is not built ahead: %s", name, error)
            continue
        for layer in whole_layers(cube):
            services.renderer.prebuild(layer)


async def _opened(services: Services, name: str) -> Cube:
    while True:
        try:
            return (await services.catalog.get(name, "name")).cube
        except BeingUnpacked as error:
            await asyncio.sleep(error.retry_after)


def whole_layers(cube: Cube) -> list[Layer]:
    """List the layers of a cube, but for those that others are put together from."""
    parts = {part.name for layer in cube.layers for part in layer.parts}
    return [layer for layer in cube.layers if layer.name not in parts]
