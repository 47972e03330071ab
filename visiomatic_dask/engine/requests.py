"""Requests: what the server asks the engine for. Frozen and canonical; both web APIs parse into these."""

from __future__ import annotations

from dataclasses import dataclass, field

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.onto import Onto
from visiomatic_dask.engine.timing import Timing
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Style


@dataclass(frozen=True, slots=True)
class TileRequest:
    """One tile, with its cuts resolved.

    Attributes
    ----------
    layer : Layer
        The layer; its reader carries the fingerprint.
    level, row, column : int
        Which tile, in raster orientation.
    style : Style
        How it is rendered.
    settled : bool
        Whether what is sent has to stay: who asks will hear of no better picture.
    onto : Onto or None
        For a tile on the pixel grid of another layer, of whose tiles it is one: where it lies.
    """

    layer: Layer
    level: int
    row: int
    column: int
    style: Style
    settled: bool = False
    onto: Onto | None = None

    def token_by(self, way: str) -> str:
        """32 hexadecimal digits that tell the bytes of the request, made in a certain way, from any other."""
        what = f"{self.level}|{self.row}|{self.column}|{self.style.text}"
        if self.onto is not None:
            source = self.layer.at(self.onto.level)[0].token
            return digest(f"onto|{self.onto.text}|{way}{source}|{what}")
        source = self.layer.at(self.level)[0].token
        return digest(f"tile|{way}{source}|{what}")

    @property
    def under(self) -> RegionRequest:
        """For a tile on another layer's grid: the pixels that it is interpolated between."""
        assert self.onto is not None
        return RegionRequest(self.layer, self.onto.level, self.onto.box, self.style)


@dataclass(frozen=True, slots=True)
class RegionRequest:
    """One picture of a rectangle at some level.

    Attributes
    ----------
    layer, level, style
        As of `TileRequest`.
    box : Box
        Rectangle at that level, in raster orientation, within the level.
    """

    layer: Layer
    level: int
    box: Box
    style: Style

    def token_by(self, way: str) -> str:
        """32 hexadecimal digits, as of `TileRequest`."""
        source = self.layer.at(self.level)[0].token
        return digest(f"region|{way}{source}|{self.level}|{self.box}|{self.style.text}")


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture.

    Attributes
    ----------
    data : bytes
        The file.
    preview : bool
        Whether it was made from a subsample.
    timing : Timing or None
        Where the time went that it took to make a tile.
    kept : bool
        Whether it was made for an earlier request.
    passing : bool
        Whether an exact one will take its place: a preview that is not to be kept.
    """

    data: bytes
    preview: bool = False
    timing: Timing | None = field(default=None, compare=False)
    kept: bool = field(default=False, compare=False)
    passing: bool = False
