"""The tables of a look: what the kernels look up, made once and kept for the looks used last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.rendering.colormaps import colormap_table
from visiomatic_dask.rendering.hue import HueTable, hue_table
from visiomatic_dask.rendering.look import Look
from visiomatic_dask.rendering.palette import Marks, marks_of, palette_of
from visiomatic_dask.rendering.saturation import saturation_matrix
from visiomatic_dask.rendering.transfer import TransferTable, transfer_table

_MOST_LOOKS = 64


@dataclass(frozen=True, slots=True)
class LookTables:
    """The tables of one look.

    Attributes
    ----------
    transfer : TransferTable
        Of `visiomatic_dask.rendering.transfer.transfer_table`.
    colormap : ndarray of uint8, (256, 3), or None
        None for grey.
    palette : ndarray of uint8, (259, 1 … 4), or None
        Of `visiomatic_dask.rendering.palette.palette_of`; None where no pixel has a colour that stands for it.
    marks : Marks or None
        What is done in a mix to pixels without a value; None where nothing is.
    saturation : ndarray of float64, (3, 3), or None
        Of `visiomatic_dask.rendering.saturation.saturation_matrix`; None where it changes nothing.
    hue : HueTable or None
        None where the three colours are stretched apart.
    """

    transfer: TransferTable
    colormap: NDArray[np.uint8] | None
    palette: NDArray[np.uint8] | None = None
    marks: Marks | None = None
    saturation: NDArray[np.float64] | None = None
    hue: HueTable | None = None

    @classmethod
    def of(cls, look: Look) -> LookTables:
        """Compute the tables of a look."""
        transfer = transfer_table(look.gamma, invert=look.invert, stretch=look.stretch)
        colormap = colormap_table(look.colormap)
        return cls(
            transfer,
            colormap,
            None if look.is_plain else palette_of(look, colormap, transfer.values),
            None if look.is_plain else marks_of(look),
            None if look.saturation == 1 else saturation_matrix(look.saturation),
            hue_table(look.gamma, invert=look.invert, stretch=look.stretch) if look.hue else None,
        )


class TableCache:
    """The looks used last, with their tables; those that differ in contrast, brightness or quality alone share them."""

    def __init__(self) -> None:
        self._looks: OrderedDict[tuple[Any, ...], tuple[Look, LookTables]] = OrderedDict()
        self._lock = Lock()

    def get(self, fields: tuple[Any, ...]) -> tuple[Look, LookTables]:
        """Return the look that has these `visiomatic_dask.rendering.Look.fields`, and its tables."""
        with self._lock:
            known = self._looks.get(fields)
            if known is None:
                look = Look(*fields)
                key = _tables_key(look)
                tables = next((t for other, t in self._looks.values() if _tables_key(other) == key), None)
                known = self._looks[fields] = (look, tables or LookTables.of(look))
                if len(self._looks) > _MOST_LOOKS:
                    self._looks.popitem(last=False)
            else:
                self._looks.move_to_end(fields)
        return known


def _tables_key(look: Look) -> tuple[Any, ...]:
    return (
        *(look.gamma, look.invert, look.colormap, look.stretch, look.saturation, look.hue),
        *(look.bad, look.under, look.over, look.opacity),
    )
