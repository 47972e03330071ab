"""Statistics of the shards of a plane, as long as some are missing: small enough to be kept in the ledger.

Moments are kept for each shard, since sums of floats depend on their order; histograms only as their sum, since counts
do not. So a plane of a hundred shards takes kilobytes, and what is merged at last is the same to the last bit, in
whatever order the shards came.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.pyramid.store.statistics import RegionStatistics, merged

_MOMENTS = np.dtype(
    [
        ("part", "<i8"),
        ("pixels", "<i8"),
        ("finite", "<i8"),
        ("minimum", "<f8"),
        ("maximum", "<f8"),
        ("mean", "<f8"),
        ("squares", "<f8"),
    ]
)


@dataclass(frozen=True)
class PlaneParts:
    """What is known of the parts of one plane, at one level.

    Attributes
    ----------
    moments : array
        One row a part, in the order in which they came: which, and its moments.
    histogram : array of int64
        Of all of them.
    """

    moments: NDArray[np.void]
    histogram: NDArray[np.int64]

    @classmethod
    def none(cls, bins: int) -> PlaneParts:
        """Return those of a plane that nothing is known of."""
        return cls(np.empty(0, _MOMENTS), np.zeros(bins, np.int64))

    @classmethod
    def decode(cls, text: str) -> PlaneParts:
        """Read what `encode` has written; `ValueError` if it is something else."""
        try:
            data = zlib.decompress(base64.b64decode(text, validate=True))
        except zlib.error as error:
            raise ValueError("statistics of parts are damaged") from error
        count = int.from_bytes(data[:8], "little")
        end = 8 + count * _MOMENTS.itemsize
        return cls(np.frombuffer(data[8:end], _MOMENTS), np.frombuffer(data[end:], "<i8").astype(np.int64))

    def encode(self) -> str:
        """Write it as text: most bins are empty, and compressed."""
        data = len(self.moments).to_bytes(8, "little") + self.moments.tobytes() + self.histogram.astype("<i8").tobytes()
        return base64.b64encode(zlib.compress(data, 1)).decode()

    def __len__(self) -> int:
        return len(self.moments)

    def having(self, part: int, statistics: RegionStatistics) -> PlaneParts:
        """Add a part, unless it is there: a part that is built again has the same statistics."""
        if part in self.moments["part"]:
            return self
        one = statistics
        row = (part, one.pixels, one.finite, one.minimum, one.maximum, one.mean, one.squares)
        moments = np.concatenate([self.moments, np.array([row], _MOMENTS)])
        return PlaneParts(moments, self.histogram + np.array(one.histogram, np.int64))

    def merged(self, level: int, plane: int) -> RegionStatistics:
        """Put the parts together, in the order of their numbers."""
        rows = np.sort(self.moments, order="part").tolist()
        whole = merged(
            RegionStatistics(level, plane, pixels, finite, minimum, maximum, mean, squares, histogram=())
            for _, pixels, finite, minimum, maximum, mean, squares in rows
        )
        return replace(whole, histogram=tuple(self.histogram.tolist()))
