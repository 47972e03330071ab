"""Which layers are in need of a pyramid."""

from __future__ import annotations

import dataclasses

import pytest

from visiomatic_dask.cube import Layer, LayerLevel
from visiomatic_dask.pyramid.store.need import needs_pyramid

from ..engine.made_up import MadeUp, layer_of

MIB = 2**20


def with_levels(side: int, *levels: int) -> Layer:
    layer = layer_of(MadeUp((2, side, side)))
    own = [LayerLevel(level, MadeUp((2, -(-side >> level), -(-side >> level)))) for level in levels]
    return dataclasses.replace(layer, levels=tuple(own))


@pytest.mark.parametrize(
    ("side", "levels", "needs"),
    [
        (256, (), False),
        (257, (), True),  # small, but nobody else has its levels
        (20_000, (), True),
        (20_000, (1, 2, 3, 4, 5, 6, 7), False),
        (20_000, (3, 6), False),  # a tile of level 2, made from level 0, and of level 5, from 3: 4 MiB each
        (20_000, (5,), True),  # a tile of level 4 is made from level 0: 64 MiB
        (20_000, (1,), True),  # nor is level 7 from level 1
        (2_000, (1,), False),
    ],
)
def test_where_the_source_has_levels_of_its_own(side: int, levels: tuple[int, ...], needs: bool) -> None:
    assert needs_pyramid(with_levels(side, *levels), 256, 32 * MIB) is needs


def test_what_may_be_read_for_a_tile_decides() -> None:
    layer = with_levels(20_000, 3, 6)
    assert not needs_pyramid(layer, 256, 4 * MIB)
    assert needs_pyramid(layer, 256, 4 * MIB - 1)
