"""Windows: what they take, what they refuse, and that they index as numpy does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.strategies import windows
from visiomatic_dask.cube import Window, plane_window
from visiomatic_dask.errors import InvalidRequest

SHAPES = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)


@given(SHAPES.flatmap(lambda shape: st.tuples(st.just(shape), windows(shape))))
def test_window_is_its_slices(case: tuple[tuple[int, ...], Window]) -> None:
    shape, window = case
    array = np.arange(np.prod(shape)).reshape(shape)
    taken = array[window.slices]
    assert taken.shape == window.shape
    assert taken.size == window.size
    np.testing.assert_array_equal(taken, array[np.ix_(*map(list, window.ranges))])
    window.check_within(shape)
    assert hash(window) == hash(Window(window.start, window.stop, window.step))


@given(st.lists(st.tuples(st.slices(7), st.just(7)), min_size=2, max_size=3))
def test_from_slices_is_numpys_indexing(case: list[tuple[slice, int]]) -> None:
    slices, shape = [one for one, _ in case], [size for _, size in case]
    if any((one.step or 1) < 0 for one in slices):
        with pytest.raises(InvalidRequest):
            Window.from_slices(slices, shape)
        return
    array = np.arange(np.prod(shape)).reshape(shape)
    window = Window.from_slices(slices, shape)
    window.check_within(shape)
    np.testing.assert_array_equal(array[window.slices], array[tuple(slices)])


def test_whole() -> None:
    assert Window.whole((3, 4)) == Window((0, 0), (3, 4), (1, 1))


@pytest.mark.parametrize(
    ("start", "stop", "step"),
    [((-1, 0), (1, 1), ()), ((2, 0), (1, 1), ()), ((0, 0), (1, 1), (1, 0)), ((0, 0), (1, 1), (1, -1))],
)
def test_axis_out_of_order(start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match="0 <= start <= stop, step >= 1"):
        Window(start, stop, step)


@pytest.mark.parametrize(("start", "stop", "step"), [((0,), (1, 1), ()), ((0, 0), (1, 1), (1,))])
def test_lengths_differ(start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match="as many starts as stops and steps"):
        Window(start, stop, step)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5), (2, 4), (3, 3)])
def test_not_within(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"\[0:3:1, 0:4:1\] does not lie within") as caught:
        Window((0, 0), (3, 4)).check_within(shape)
    assert caught.value.parameter == "window"


@given(SHAPES, st.data())
def test_plane_window_counts_naxis3_fastest(shape: tuple[int, ...], data: st.DataObject) -> None:
    """Plane numbers run over all axes before y and x in C order: a plane is a row of the reshaped array."""
    array = np.arange(np.prod(shape)).reshape(shape)
    flat = array.reshape(-1, *shape[-2:])
    plane = data.draw(st.integers(0, len(flat) - 1))
    y = range(data.draw(st.integers(0, shape[-2] - 1)), shape[-2], data.draw(st.integers(1, 3)))
    x = range(data.draw(st.integers(0, shape[-1] - 1)), shape[-1])
    window = plane_window(shape, plane, y, x)
    window.check_within(shape)
    np.testing.assert_array_equal(
        array[window.slices].reshape(len(y), len(x)), flat[plane][y.start :: y.step, x.start :]
    )
