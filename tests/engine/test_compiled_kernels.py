"""No user waits for a compiler: whatever the look, its kernel is one that a worker has compiled at its start."""

from __future__ import annotations

import itertools

import numpy as np
from numba.core.registry import CPUDispatcher

from visiomatic_dask.engine.worker import compile_kernels
from visiomatic_dask.rendering import (
    Canvas,
    Look,
    TableCache,
    hue,
    palette,
    render_mix,
    render_plane,
    saturation,
    transfer,
)


def kernels() -> dict[str, CPUDispatcher]:
    return {
        f"{module.__name__}.{name}": value
        for module in (hue, palette, saturation, transfer)
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher) and name.startswith(("transfer_", "mark_"))  # the rest they call
    }


def compiled() -> dict[str, list[object]]:
    return {name: list(kernel.signatures) for name, kernel in kernels().items()}


def test_every_look_finds_its_kernels_compiled() -> None:
    compile_kernels()
    before = compiled()
    assert len(before) == 7
    assert all(before.values())
    tables, canvas, brick = TableCache(), Canvas(), np.zeros((3, 9, 9), np.float32)
    choices = itertools.product(
        ("linear", "log:1000.0", "histogram:0.0,0.5,1.0"),
        (1.0, 2.0),
        (False, True),
        ("", "transparent", "#010203"),
        (0.5, 1),
    )
    for stretch, saturated, keeps_hue, bad, opacity in choices:
        for colormap in ("grey", "jet"):
            look = Look(1.0, 0.0, 2.2, colormap, True, 90, "png", stretch, saturated, keeps_hue, bad, "", bad, opacity)
            known, found = tables.get(look.fields)
            assert known == look
            render_plane(brick, 1, 2, 3, (4, 5), 0.5, 2.0, 0.25, found, canvas)
            render_mix(brick, 2, 3, (4, 5), (1.0,) * 3, (0.0, 0.5, 1.0), found, canvas)
    assert compiled() == before
