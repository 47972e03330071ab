"""Structure for a synthetic sky: gradient noise, clouds of it, and filaments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Coordinates = NDArray[np.floating[Any]]


class Noise:
    """Gradient noise: smooth random structure, about -0.7 to 0.7, one cell to the unit of its coordinates."""

    def __init__(self, rng: np.random.Generator, cells: int = 256) -> None:
        angle = rng.uniform(0, 2 * np.pi, cells * cells)
        self.cells = cells
        self.east, self.north = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

    def __call__(self, x: Coordinates, y: Coordinates) -> Plane:
        """Noise at the given coordinates."""
        left, low = np.floor(x), np.floor(y)
        fx, fy = x - left, y - low
        column, row = left.astype(np.int32) % self.cells, low.astype(np.int32) % self.cells
        columns = column, (column + 1) % self.cells
        rows = row * self.cells, (row + 1) % self.cells * self.cells
        corner = [[self.east[r + c] * (fx - i) + self.north[r + c] * (fy - j) for i, c in enumerate(columns)]
                  for j, r in enumerate(rows)]  # fmt: skip
        fx, fy = fx * fx * fx * (fx * (fx * 6 - 15) + 10), fy * fy * fy * (fy * (fy * 6 - 15) + 10)
        lower, upper = (pair[0] + fx * (pair[1] - pair[0]) for pair in corner)
        return np.asarray(lower + fy * (upper - lower), np.float32)

    def cloud(self, x: Coordinates, y: Coordinates, octaves: int) -> Plane:
        """Octaves of noise summed, each twice as fine and half as strong."""
        parts = (self(x * 2**k + 17 * k, y * 2**k + 31 * k) / 2**k for k in range(octaves))
        return np.asarray(sum(parts), np.float32)

    def filaments(self, x: Coordinates, y: Coordinates, octaves: int) -> Plane:
        """Thin bright ridges (0 to about 1): where noise changes sign, finer ones growing on the coarser."""
        total, weight = np.zeros(x.shape, np.float32), np.ones(x.shape, np.float32)
        for k in range(octaves):
            closeness = 1 - np.minimum(1, 1.6 * np.abs(self(x * 2**k + 7 * k, y * 2**k + 3 * k)))
            ridge = closeness**4
            total += ridge * weight * np.float32(0.72**k)
            weight = np.clip(ridge * 1.5, 0.08, 1).astype(np.float32)
        return total
