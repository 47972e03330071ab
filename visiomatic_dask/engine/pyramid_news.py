"""What pyramids ask of the server that they are for: which cubes are open, and whom to tell."""

from __future__ import annotations

from typing import Protocol

from visiomatic_dask.cube import Cube, Layer
from visiomatic_dask.engine.build_news import BuildProgress
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Background


class PyramidNews(Protocol):
    """Who is told what becomes of pyramids; layers are called by the tokens of their readers."""

    @property
    def watched(self) -> frozenset[str]:
        """Tokens of the layers of which somebody wants to know."""
        ...

    def exact(self, layer_token: str, level: int, planes: tuple[int, int], box: Box) -> None:
        """Hear that pixels are in the store from now on."""
        ...

    def building(self, layer_token: str, progress: BuildProgress) -> None:
        """Hear how far a layer is."""
        ...

    def built(self, layer_token: str) -> None:
        """Hear that nothing is being built of a layer any more."""
        ...

    def failed(self, layer_token: str, message: str) -> None:
        """Hear why a layer cannot be built."""
        ...


class OpenLayers(Protocol):
    """Who knows the cubes that are open."""

    def find(self, layer_token: str) -> tuple[Cube, Layer] | None:
        """Return the layer whose reader has a token; None if it is not open."""
        ...

    async def backgrounds(self, layer: Layer) -> list[Background]:
        """Return the background of every channel."""
        ...
