"""The canvas: one buffer a thread, whatever is drawn."""

from __future__ import annotations

import threading

import numpy as np

from visiomatic_dask.rendering import Canvas, Look, LookTables, render_mix, render_plane

PLANES = np.arange(3 * 8 * 9, dtype=np.float32).reshape(3, 8, 9)


def test_it_is_the_same_memory_again_once_it_is_large_enough() -> None:
    canvas = Canvas()
    large = canvas.blank((8, 9, 3))
    assert large.shape == (8, 9, 3)
    assert large.dtype == np.uint8
    assert large.flags.c_contiguous
    small = canvas.blank((2, 5, 1))
    assert small.flags.c_contiguous
    assert np.shares_memory(large, small)
    assert not np.shares_memory(large, canvas.blank((80, 90, 3)))


def test_threads_do_not_draw_on_each_other() -> None:
    canvas, others = Canvas(), []
    mine = canvas.blank((8, 9, 3))
    thread = threading.Thread(target=lambda: others.append(canvas.blank((8, 9, 3))))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, others[0])


def test_a_picture_is_the_same_on_a_used_canvas() -> None:
    canvas = Canvas()
    canvas.blank((20, 20, 3))[:] = 77
    tables = LookTables.of(Look(gamma=1.3))
    for colormap in ("grey", "jet"):
        with_map = LookTables.of(Look(gamma=1.3, colormap=colormap))
        drawn = render_plane(PLANES, 1, 2, 3, (6, 5), 0.0, 0.004, 0.1, with_map, canvas)
        np.testing.assert_array_equal(drawn, render_plane(PLANES, 1, 2, 3, (6, 5), 0.0, 0.004, 0.1, with_map))
    drawn = render_mix(PLANES, 2, 3, (6, 5), (0.004,) * 3, (0.1,) * 3, tables, canvas)
    np.testing.assert_array_equal(drawn, render_mix(PLANES, 2, 3, (6, 5), (0.004,) * 3, (0.1,) * 3, tables))
