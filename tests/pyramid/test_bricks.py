"""Bricks tile every level, hold whole tiles, and keep to their limits, whatever the shape of the plane."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.pyramid import Box, BrickGrid, BrickLimits, TileGrid, mix_bricks, plane_bricks
from visiomatic_dask.pyramid.views import LEAST_READ

MIB = 2**20
LIMITS = st.builds(
    BrickLimits,
    st.sampled_from([32, 64, 256, 1024]),
    st.integers(1, 64 * MIB),
    st.one_of(st.integers(1, 8 * MIB), st.integers(8 * MIB, 2**40)),
    st.integers(1, 256 * MIB),
    st.one_of(st.none(), st.integers(1, 2**32)),
    st.integers(1, 2**37),
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
        assert one.channels * one.read(mix.box(Box(0, 0, 1, 1))) <= one.limits.mix_read


@given(levels())
def test_bricks_of_mixes_stay_wide_until_they_are_one_tile_high(one: Level) -> None:
    _, mix = one.grids
    box, most = mix.box(Box(0, 0, 1, 1)), max(1024, one.limits.tile_size)
    if mix.preview_read is not None:
        return
    assert max(mix.rows, mix.columns) <= most
    if mix.columns < most and mix.columns < mix.width:
        assert mix.rows == one.limits.tile_size
    if mix.rows > one.limits.tile_size:
        assert one.channels * one.read(box) <= 384 * MIB


def in_view(grid: BrickGrid, tile: int, top: int, left: int) -> set[Box]:
    """Bricks of the tiles that a view of 1920 x 1200 pixels touches."""
    down = range(top // tile * tile, min(top + 1200, grid.height), tile)
    across = range(left // tile * tile, min(left + 1920, grid.width), tile)
    return {grid.box(Box(y, x, min(y + tile, grid.height), min(x + tile, grid.width))) for y in down for x in across}


@given(levels(), st.data())
def test_previews_only_where_a_tile_or_a_view_reads_too_much(one: Level, data: st.DataObject) -> None:
    tile, limits = one.tiles.box(one.level, 0, 0), one.limits
    for grid, channels, is_mix in zip(one.grids, (1, one.channels), (False, True), strict=True):
        top, left = (data.draw(st.integers(0, max(0, size - 1))) for size in (grid.height, grid.width))
        view = in_view(grid, limits.tile_size, top, left)
        if grid.preview_read is None:
            if one.level or not is_mix:
                assert one.read(tile) <= limits.read_limit
            if one.level and is_mix:
                assert channels * sum(map(one.read, view)) <= limits.mix_read
            if one.level and limits.exact_read is not None:
                assert sum(map(one.read, view)) <= limits.exact_read
        elif one.level == 0 and is_mix:
            assert channels * one.read(tile) > limits.mix_read
        elif one.level == 0 or (limits.exact_read is None and not is_mix):
            assert one.read(tile) > limits.read_limit


@given(levels(), st.data())
def test_previews_of_a_view_keep_to_their_limit_together(one: Level, data: st.DataObject) -> None:
    """Wherever it lies; many channels need more than one."""
    for grid, channels in zip(one.grids, (1, one.channels), strict=True):
        if grid.preview_read is not None:
            top, left = (data.draw(st.integers(0, max(0, size - 1))) for size in (grid.height, grid.width))
            view = in_view(grid, one.limits.tile_size, top, left)
            most = min(max(one.limits.preview_read, (channels << 20) * (channels > 1)), one.limits.read_limit)
            assert len(view) * grid.preview_read <= max(most, len(view))


def test_views_of_a_terabyte_read_little() -> None:
    """Of 100 planes of 50,000² float32: at every level, wherever it lies, at most 64 MB, in at most 4,096 reads."""
    limits = BrickLimits(256, 8 * MIB, 512 * 10**6, 56 * 10**6, 80 * 10**6)
    for level in range(9):
        grid = plane_bricks(50_000, 50_000, 4, level, limits)
        one = Level(TileGrid(50_000, 50_000, 256), 4, level, limits, 1)
        assert (grid.preview_read is None) == (level == 0)
        for step in range(0, 4096, 97):
            view = in_view(grid, 256, min(step, grid.height - 1), min(step, grid.width - 1))
            if grid.preview_read is None:
                assert sum(map(one.read, view)) <= 64e6
                assert sum(brick.rows for brick in view) <= 4096
            else:
                assert len(view) * grid.preview_read <= 56e6
                assert sum(grid.preview_read // LEAST_READ for _ in view) <= 4096


def test_previews_are_wide() -> None:
    """Whole rows where little is read in vain, else a few tiles; never less than what a read costs anyway."""
    limits = BrickLimits(256, 8 * MIB, 512 * 10**6, 56 * 10**6, 80 * 10**6)
    widths = [plane_bricks(50_000, 50_000, 4, level, limits).columns for level in range(1, 9)]
    assert widths == [2048, 2048, 1024, 3328, 1792, 1024, 512, 256]


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
    """Bricks are whole rows up to 8,192 wide, more of them the narrower they are; of small planes many.

    Of wider planes they are narrower, for the sake of what views touch.
    """
    limits = BrickLimits(256, 8 * MIB, 512 * 10**6, 56 * 10**6)
    wide = plane_bricks(20_000, 20_000, 4, 0, limits)
    assert (wide.rows, wide.columns, wide.planes, wide.preview_read) == (256, 4096, 1, None)
    whole = plane_bricks(8192, 20_000, 4, 0, limits)
    assert (whole.rows, whole.columns) == (256, 8192)
    narrow = plane_bricks(1000, 20_000, 4, 0, limits)
    assert (narrow.rows, narrow.columns) == (2048, 1024)
    small = plane_bricks(20, 10, 4, 0, limits)
    assert (small.rows, small.columns, small.planes) == (256, 256, 64)
    odd = plane_bricks(300, 300, 4, 0, limits)
    assert (odd.box(Box(0, 0, 1, 1)), odd.planes) == (Box(0, 0, 300, 300), 2 * MIB // 90_000)
    far_out = plane_bricks(100_000, 100_000, 4, 9, limits)
    assert far_out.preview_read == 56 * 10**6
    mixes = [mix_bricks(20_000, 20_000, 4, 0, channels, limits) for channels in (3, 150, 300, 4000, 16_000)]
    assert [(mix.rows, mix.columns) for mix in mixes] == [(1024, 1024), (512, 1024), *[(256, 1024)] * 3]
    assert all(mix.preview_read is None for mix in mixes)
