"""``/cubes/{name}/presets``."""

from __future__ import annotations

import asyncio

from visiomatic_dask.server.cube_handlers import LayerHandler
from visiomatic_dask.server.presets import REPEATABLE


class PresetsHandler(LayerHandler):
    """``/cubes/{name}/presets``."""

    async def get(self, name: str) -> None:
        """List the presets of a cube, with the keys that each stands for."""
        arguments = self.arguments
        arguments.check_names(("layer",))
        opened, _ = await self.open(name, arguments)
        presets = await asyncio.to_thread(self.services.presets.read, opened.address)
        self.set_header("Cache-Control", "no-cache")
        shown = [
            {"name": one, "keys": {key: list(v) if key in REPEATABLE else v[-1] for key, v in keys.items()}}
            for one, keys in sorted(presets.items())
        ]
        self.write_json({"presets": shown})
