"""A reader of an array in memory that keeps what it was asked for: the fake that loaders and measurements get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.cube import Window


@dataclass(frozen=True, eq=False)
class FakeReader:
    """Pixels of `array`, in the order of a file; every window that is read is appended to `windows`."""

    array: NDArray[Any]
    windows: list[Window] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def fingerprint(self) -> str:
        return "0123456789abcdef"

    @property
    def token(self) -> str:
        return "fake"

    @property
    def source_itemsize(self) -> int:
        return self.array.itemsize

    @property
    def chunks(self) -> tuple[int, ...]:
        return (1,) * self.array.ndim

    @property
    def bytes_read(self) -> int:
        return sum(window.size for window in self.windows) * self.array.itemsize

    def read(self, window: Window) -> NDArray[Any]:
        window.check_within(self.shape)
        self.windows.append(window)
        return self.array[window.slices].copy()
