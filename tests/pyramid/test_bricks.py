"""Bricks tile every level, hold whole tiles, and keep to their limits, whatever the shape of the plane."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.pyramid import Box, BrickGrid, BrickLimits, TileGrid, mix_bricks, plane_bricks

MIB = 2**20
LIMITS = st.builds(
    BrickLimits,
    st.sampled_from([32, 64, 256, 1024]),
    st.integers(1, 64 * MIB),
    st.one_of(st.integers(1, 8 * MIB), st.integers(8 * MIB, 2**40)),
)
SIDES = st.one_of(st.integers(1, 3000), st.integers(1, 300_000))


@dataclass(frozen=True)
class Level:
    """A level of a plane, and how it is cut."""

    tiles: TileGrid
    itemsize: int
    level: int
    limits: BrickLimits
    channels: int

    @property
    def grids(self) -> list[BrickGrid]:
        size = (self.tiles.width, self.tiles.height, self.itemsize, self.level)
        return [plane_bricks(*size, self.limits), mix_bricks(*size, self.channels, self.limits)]

    def read(self, box: Box) -> int:
        """Bytes of the source behind a rectangle of the level."""
        rows = min(box.bottom << self.level, self.tiles.height) - (box.top << self.level)
        columns = min(box.right << self.level, self.tiles.width) - (box.left << self.level)
        return rows * columns * self.itemsize


@st.composite
def levels(draw: st.DrawFn) -> Level:
    limits = draw(LIMITS)
    tiles = TileGrid(draw(SIDES), draw(SIDES), limits.tile_size)
    level = draw(st.integers(0, tiles.levels - 1))
    return Level(tiles, draw(st.sampled_from([1, 2, 4, 8])), level, limits, draw(st.sampled_from([1, 3, 300, 4000])))


@st.composite
def some_tiles(draw: st.DrawFn, one: Level) -> Box:
    columns, rows = one.tiles.count(one.level)
    edge_or_any = [st.one_of(st.just(0), st.just(count - 1), st.integers(0, count - 1)) for count in (rows, columns)]
    return one.tiles.box(one.level, draw(edge_or_any[0]), draw(edge_or_any[1]))


@given(levels().flatmap(lambda one: st.tuples(st.just(one), some_tiles(one))))
def test_a_tile_lies_in_exactly_one_brick(case: tuple[Level, Box]) -> None:
    one, tile = case
    for grid in one.grids:
        brick = grid.box(tile)
        assert brick.top <= tile.top < tile.bottom <= brick.bottom
        assert brick.left <= tile.left < tile.right <= brick.right
        inner = tile.within(brick)
        assert (inner.rows, inner.columns) == (tile.rows, tile.columns)
        # Every other tile of that brick names the same brick: bricks do not overlap.
        last = Box(
            (brick.bottom - 1) // one.limits.tile_size * one.limits.tile_size,
            (brick.right - 1) // one.limits.tile_size * one.limits.tile_size,
            brick.bottom,
            brick.right,
        )
        assert grid.box(last) == brick


@given(levels())
def test_bricks_tile_the_level(one: Level) -> None:
    width, height = one.tiles.size(one.level)
    for grid in one.grids:
        assert (grid.width, grid.height) == (width, height)
        assert grid.rows % one.limits.tile_size == 0
        assert grid.columns % one.limits.tile_size == 0
        assert grid.rows > 0
        assert grid.columns > 0
        # One shape: their corners are a lattice from 0, so along each axis sizes add up to the level's.
        tops, lefts = range(0, height, grid.rows), range(0, width, grid.columns)
        boxes = [grid.box(Box(top, 0, top + 1, 1)) for top in tops[:50]]
        assert [box.top for box in boxes] == list(tops[:50])
        assert sum(box.rows for box in boxes) == min(height, 50 * grid.rows)
        across = [grid.box(Box(0, left, 1, left + 1)) for left in lefts[:50]]
        assert sum(box.columns for box in across) == min(width, 50 * grid.columns)


@given(levels())
def test_bricks_keep_to_brick_size(one: Level) -> None:
    """In float32; a single tile is allowed whatever its size."""
    grid, _ = one.grids
    box = grid.box(Box(0, 0, 1, 1))
    most = max(one.limits.brick_size, 4 * one.limits.tile_size**2)
    assert 4 * grid.planes * box.rows * box.columns <= most
    assert 1 <= grid.planes <= 64
    if grid.planes > 1:
        assert (box.rows, box.columns) == (grid.height, grid.width)


@given(levels())
def test_exact_bricks_of_binned_levels_keep_to_read_limit(one: Level) -> None:
    plane, mix = one.grids
    box = plane.box(Box(0, 0, 1, 1))
    if one.level and plane.preview_read is None:
        assert plane.planes * one.read(box) <= one.limits.read_limit
    if mix.preview_read is None:
        assert one.channels * one.read(mix.box(Box(0, 0, 1, 1))) <= one.limits.read_limit


@given(levels())
def test_previews_only_where_a_tile_reads_too_much(one: Level) -> None:
    tile = one.tiles.box(one.level, 0, 0)
    for grid, channels in zip(one.grids, (1, one.channels), strict=True):
        if grid.preview_read is None:
            assert channels * one.read(tile) <= one.limits.read_limit
        else:
            assert channels * one.read(tile) > one.limits.read_limit
            assert grid.preview_read <= min(one.limits.read_limit, 128 * MIB)


@given(st.integers(1, 100), st.integers(1, 5000), st.data())
def test_plane_ranges_tile_the_planes(planes: int, count: int, data: st.DataObject) -> None:
    grid = BrickGrid(10, 10, planes, 32, 32)
    plane = data.draw(st.integers(0, count - 1))
    first, last = grid.plane_range(plane, count)
    assert 0 <= first <= plane < last <= count
    assert first % planes == 0
    assert last - first == planes or last == count
    assert grid.plane_range(first, count) == grid.plane_range(last - 1, count) == (first, last)


def test_shapes_of_the_defaults() -> None:
    """Bricks are whole rows up to 8,192 wide, more of them the narrower they are; of small planes many."""
    limits = BrickLimits(256, 8 * MIB, 512 * 10**6)
    wide = plane_bricks(20_000, 20_000, 4, 0, limits)
    assert (wide.rows, wide.columns, wide.planes, wide.preview_read) == (256, 8192, 1, None)
    narrow = plane_bricks(1000, 20_000, 4, 0, limits)
    assert (narrow.rows, narrow.columns) == (2048, 1024)
    small = plane_bricks(20, 10, 4, 0, limits)
    assert (small.rows, small.columns, small.planes) == (256, 256, 64)
    odd = plane_bricks(300, 300, 4, 0, limits)
    assert (odd.box(Box(0, 0, 1, 1)), odd.planes) == (Box(0, 0, 300, 300), 2 * MIB // 90_000)
    far_out = plane_bricks(100_000, 100_000, 4, 9, limits)
    assert far_out.preview_read == 128 * MIB
    assert mix_bricks(20_000, 20_000, 4, 0, 3, limits).columns == 1024
    assert mix_bricks(20_000, 20_000, 4, 0, 300, limits).columns == 256
