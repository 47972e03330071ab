"""The plan of reads: every byte once, nothing larger than allowed, nothing far apart in one."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.readers.remote.coalesce import Request, coalesce

DATA = bytes(i % 251 for i in range(5000))


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 900)), max_size=20),
    st.integers(0, 300),
    st.integers(1, 2000),
)
def test_carried_out_it_gives_the_ranges(ranges: list[tuple[int, int]], gap: int, most: int) -> None:
    offsets, sizes = [one[0] for one in ranges], [one[1] for one in ranges]
    requests = coalesce(offsets, sizes, gap, most)
    out = bytearray(sum(sizes))
    written = bytearray(sum(sizes))
    for request in requests:
        assert 0 < request.stop - request.start <= most
        answer = DATA[request.start : request.stop]
        for begin, size, position in request.pieces:
            out[position : position + size] = answer[begin : begin + size]
            for i in range(position, position + size):
                written[i] += 1
    assert bytes(out) == b"".join(DATA[offset : offset + size] for offset, size in ranges)
    assert all(one == 1 for one in written)
    for before, after in pairwise(requests):
        assert before.start <= after.start


def test_close_ones_are_one_and_far_ones_are_not() -> None:
    assert coalesce([0, 110, 500], [100, 50, 10], gap=10, most=1000) == [
        Request(0, 160, ((0, 100, 0), (110, 50, 100))),
        Request(500, 510, ((0, 10, 150),)),
    ]
    assert coalesce([0, 111], [100, 50], gap=10, most=1000)[0] == Request(0, 100, ((0, 100, 0),))


def test_a_large_range_is_read_in_parts() -> None:
    assert [(one.start, one.stop) for one in coalesce([100], [250], gap=10, most=100)] == [
        (100, 200),
        (200, 300),
        (300, 350),
    ]


def test_nothing_is_nothing() -> None:
    assert coalesce([], [], 10, 100) == []
    assert coalesce([5], [0], 10, 100) == []
