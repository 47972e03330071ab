"""FITS cut-outs: their bands, from the bottom up, channel after channel, as workers read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.cube.cutout_header import Cut, cutout_header, stored_type
from visiomatic_dask.engine.band_cuts import BAND_BYTES, check_read, cut_bands
from visiomatic_dask.engine.band_stream import BandTask
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.pyramid import Box, Storage, level_size, load_block, plane_windows

_BLOCK = 2880


@dataclass(frozen=True, slots=True)
class CutoutPlan:
    """A cut-out that is read band by band.

    Attributes
    ----------
    layer : Layer
        What it is cut from.
    cut : Cut
        Which part, along all axes.
    reader, below
        What its pixels are read from, and how many times that is binned.
    bands : tuple of ((int, int), Box)
        First plane and one past the last, and the rectangle at the level.
    token : str
        32 hexadecimal digits that tell its pixels from any other.
    """

    layer: Layer
    cut: Cut
    reader: Reader
    below: int
    bands: tuple[tuple[tuple[int, int], Box], ...]
    token: str

    @property
    def tasks(self) -> Iterator[BandTask]:
        """The tasks that read the bands."""
        for planes, box in self.bands:
            # The version that a source has of a level itself is not binned, and yet stored as levels are.
            is_level = self.cut.level > 0
            key = f"cutout-band-{digest(f'{self.reader.token}|{self.below}|{is_level}|{planes}|{box}')}"
            yield BandTask(key, read_band, (self.reader, self.below, is_level, planes, box))

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
        size = stored_type(self.layer.dtype, self.cut.level)[1].itemsize
        return size * int(np.prod(self.cut.shape, dtype=object))

    def head(self, history: tuple[str, ...]) -> bytes:
        """Write the header, padded. Blocks: the layer's may be long."""
        text: str = cutout_header(self.layer, self.cut, history).tostring()
        return text.encode("ascii")

    @property
    def padding(self) -> int:
        """Bytes that follow the pixels."""
        return -self.nbytes % _BLOCK


def plan_cutout(layer: Layer, level: int, box: Box, channels: tuple[int, int], settings: Settings) -> CutoutPlan:
    """Plan a cut-out from the source.

    Parameters
    ----------
    layer : Layer
        What it is cut from.
    level : int
        From 0.
    box : Box
        Rectangle at that level, in raster orientation.
    channels : (int, int)
        First channel and one past the last.
    settings : Settings
        What may be read.

    Raises
    ------
    InvalidRequest
        If the channels are no range of indices along each of the axes that they lie on.
    TooLarge
        If it would read more than ``visiomatic.export-read``, or a row of it more than ``visiomatic.read-limit``.
    """
    reader, below = layer.at(level)
    storage = Storage.of(reader)
    rows, leading = level_size(layer.height, level), layer.shape[:-2]
    windows = list(plane_windows(layer.shape, channels, range(1), range(1)))
    if len(windows) != 1:
        raise InvalidRequest(
            f"channels is {channels[0]}-{channels[1] - 1}, which is no box along axes of {leading} pixels; allowed: a "
            f"range within {leading[-1]} that follow one another, or whole multiples of them",
            "channels",
        )
    start = (*windows[0].start[:-2], rows - box.bottom, box.left)
    stop = (*windows[0].stop[:-2], rows - box.top, box.right)
    pixel = stored_type(layer.dtype, level)[1].itemsize
    plane = box.rows * box.columns * pixel
    bands: list[tuple[tuple[int, int], Box]] = []
    cost = 0
    most = max(1, BAND_BYTES // plane)
    first = channels[0]
    while first < channels[1]:
        last = min(first + most, channels[1])
        while last > first + 1 and storage.cost((first, last), below, box) > settings.read_limit:
            last = first + (last - first) // 2
        planes = (first, last)

        def read(band: Box, planes: tuple[int, int] = planes) -> int:
            return storage.cost(planes, below, band)

        cut = cut_bands(storage, below, box, pixel * (last - first), read, settings.read_limit)
        if len(cut) > 1 and last > first + 1:  # channels are cut apart before rows are
            most = 1
            continue
        bands += [(planes, band) for band in reversed(cut)]
        cost += sum(map(read, cut))
        check_read(cost, settings.export_read)
        first = last
    token = digest(f"cutout|{reader.token}|{level}|{box}|{channels}")
    return CutoutPlan(layer, Cut(start, stop, level), reader, below, tuple(bands), token)


def read_band(reader: Reader, below: int, is_level: bool, planes: tuple[int, int], box: Box) -> bytes:
    """Read a band as FITS has it: as a task, on a worker.

    Parameters
    ----------
    reader, below, planes, box
        As of `visiomatic_dask.pyramid.load_block`.
    is_level : bool
        Whether means are stored, float32, binned here or by the source; else values as they are.

    Returns
    -------
    bytes
        Big-endian, x fastest, then y upwards, then planes.
    """
    _, stored, zero = stored_type(reader.dtype, int(is_level))
    if is_level:
        out = np.empty((planes[1] - planes[0], box.rows, box.columns), np.float32)
        load_block(reader, planes, below, box, out)
        return out[:, ::-1].astype(stored).tobytes()
    height = reader.shape[-2]
    y, x = range(height - box.bottom, height - box.top), range(box.left, box.right)
    parts = []
    for window in plane_windows(reader.shape, planes, y, x):
        values = reader.read(window)
        if values.dtype.kind == "b":
            values = values.view(np.uint8)
        if zero:  # the first bit inverted is what is less by BZERO
            size = values.dtype.itemsize
            flipped = values.view(f"u{size}") ^ np.array(1 << (8 * size - 1), f"u{size}")
            values = flipped if size == 1 else flipped.view(f"i{size}")
        parts.append(values.astype(stored).tobytes())
    return b"".join(parts)


async def cutout_pieces(
    plan: CutoutPlan, head: bytes, bands: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Give the file, piece by piece: its header once the first band is there."""
    size = 0
    async with aclosing(bands) as results:
        async for data in results:
            if not size:
                yield head
            size += len(data)
            yield data
    assert size == plan.nbytes
    yield bytes(plan.padding)
