"""Readers without files: pixels that are computed, wherever they are pickled to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Axis, Layer, LayerWCS, Window
from visiomatic_dask.engine.bricks import Brick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.pyramid import Box


@dataclass(frozen=True)
class MadeUp:
    """Pixel (c, y, x) is ``100 c + (7 y + 3 x) mod 89``, in the order of the file.

    Attributes
    ----------
    shape : tuple of int
        Channels, rows, columns.
    fingerprint : str
        As of a file.
    delay : float
        Seconds that reading takes.
    error : Exception or None
        What reading raises.
    """

    shape: tuple[int, ...] = (3, 700, 900)
    fingerprint: str = "0123456789abcdef"
    delay: float = 0.0
    error: Exception | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def token(self) -> str:
        return f"made-up:{self.fingerprint}:{self.shape}"

    @property
    def source_itemsize(self) -> int:
        return 4

    @property
    def chunks(self) -> tuple[int, ...]:
        return (1,) * len(self.shape)

    def read(self, window: Window) -> NDArray[np.float32]:
        time.sleep(self.delay)
        if self.error is not None:
            raise self.error
        window.check_within(self.shape)
        c, y, x = np.ix_(*(np.array(one) for one in window.ranges))
        return np.asarray(100 * c + (7 * y + 3 * x) % 89, np.float32)


def plane_of(reader: MadeUp, channel: int) -> NDArray[np.float32]:
    """One channel, whole."""
    return reader.read(Window((channel, 0, 0), (channel + 1, *reader.shape[1:])))[0]


def layer_of(reader: MadeUp) -> Layer:
    """A layer of made-up pixels."""
    names = ("channel", "y", "x")
    axes = tuple(Axis(name, "other", "", "", size, None) for name, size in zip(names, reader.shape, strict=True))
    return Layer("PRIMARY", reader, axes, "", {}, "", LayerWCS(None, None))


def brick_of(number: int, rows: int = 16) -> Brick:
    """A brick that differs from others by its number."""
    return Brick(PlaneBrick(MadeUp((500, 64, 64)), 0, (number, number + 1), Box(0, 0, rows, 16)))
