"""Pictures of any size as PNG and TIFF: their bands, as workers make them and as the front end puts them together."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.band_stream import BandTask
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.engine.tasks import render_band
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import LookTables, Style
from visiomatic_dask.rendering.png_stream import joined_adler32, png_band, png_band_size, png_head, png_tail
from visiomatic_dask.rendering.tiff_layout import tiff_head

Container = Literal["png", "tiff"]
_TRAILER = struct.Struct(">BI")
"""What a band says of itself, after its bytes: its colours, and its checksum."""


@dataclass(frozen=True, slots=True)
class RegionExport:
    """A picture that is made band by band.

    Attributes
    ----------
    request : RegionRequest
        Which.
    container : {"png", "tiff"}
        What file it is made.
    reader, below
        What its pixels are read from, and how many times that is binned.
    bands : tuple of Box
        From top to bottom.
    token : str
        32 hexadecimal digits that tell its bytes from any other.
    is_stored : bool
        Whether it is made from the store.
    """

    request: RegionRequest
    container: Container
    reader: Reader
    below: int
    bands: tuple[Box, ...]
    token: str
    is_stored: bool = False

    @property
    def tasks(self) -> list[BandTask]:
        """The tasks that make the bands."""
        style = self.request.style
        return [
            BandTask(
                f"region-band-{digest(f'{self.token}|{band}')}",
                make_band,
                (self.reader, self.below, band, style, self.container),
            )
            for band in self.bands
        ]


def make_band(reader: Reader, level: int, band: Box, style: Style, container: Container) -> bytes:
    """Make a band of a file: as a task, on a worker."""
    picture = render_band(reader, level, band, style, LookTables.of(style.look))
    data, checksum = png_band(picture) if container == "png" else (picture.tobytes(), 0)
    return data + _TRAILER.pack(picture.shape[2], checksum)


class RegionFile:
    """The file that bands are put together to.

    Parameters
    ----------
    plan : RegionExport
        What it is of.
    bands : asynchronous generator of bytes
        What `make_band` has made, in order.

    Attributes
    ----------
    length : int or None
        Bytes of the file: known after the first piece, if at all.
    """

    def __init__(self, plan: RegionExport, bands: AsyncGenerator[bytes, None]) -> None:
        self.length: int | None = None
        self._plan = plan
        self._bands = bands

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give the file, piece by piece.

        Raises
        ------
        VisiomaticError
            Whatever kept a band from being made.
        """
        colours, checksum = 0, 1
        async with aclosing(self._bands) as bands:
            index = 0
            async for data in bands:
                found, own = _TRAILER.unpack_from(data, len(data) - _TRAILER.size)
                if index == 0:
                    colours = found
                    yield self._head(colours)
                assert found == colours, "bands of one picture have the same colours"
                yield data[: -_TRAILER.size]
                band = self._plan.bands[index]
                checksum = joined_adler32(checksum, own, png_band_size(band.rows, band.columns, colours))
                index += 1
        if self._plan.container == "png":
            yield png_tail(checksum)
        assert index == len(self._plan.bands)

    def _head(self, colours: int) -> bytes:
        box = self._plan.request.box
        if self._plan.container == "png":
            return png_head(box.columns, box.rows, colours)
        head = tiff_head(box.columns, box.rows, colours)
        self.length = len(head) + box.rows * box.columns * colours
        return head
