"""Coarse bricks of mixes and collapsed ranges: some of the channels, and some of their rows, for a first picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.draft_recipe import DraftRecipe
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.placement import Placement
from visiomatic_dask.engine.plane_brick import share_of
from visiomatic_dask.pyramid import (
    Box,
    Storage,
    channel_groups,
    channel_strips,
    interpolate_rows,
    load_some_rows,
    native_pixels,
    some_rows,
)
from visiomatic_dask.rendering import (
    Mix,
    MixSums,
    absolute_weights,
    channel_terms,
    collapse_channel,
    empty_collapse,
    finish_collapse,
    finish_mix,
)

_MOST_CHANNELS = 64
"""Channels, or groups of those that share chunks: each costs a call of the reader, however little it reads."""
_LEAST_READ = 4096
"""Bytes that a short row costs: a page."""


@dataclass(frozen=True, slots=True)
class CoarseBrick(DraftRecipe):
    """Something like a mix or a collapsed range, of a part of its source.

    Of a mix, channels are taken evenly along the weights of each colour, and each stands for those that are nearest to
    it. Rows between those that are read are interpolated; where the source is stored in chunks, it is some chunks.

    Attributes
    ----------
    full : MixBrick or CollapseBrick
        What it is like.
    read : int
        Bytes to read, but for a row or a chunk of a channel.
    """

    full: MixBrick | CollapseBrick
    read: int

    prefix = "mix-partial"

    @property
    def text(self) -> str:
        """Canonical text."""
        return f"{self.full.text}|coarse {self.read}"

    @property
    def placement(self) -> Placement:
        """What the preferred worker is chosen by."""
        return self.full.placement

    @property
    def read_cost(self) -> int:
        """Bytes read of the source."""
        return self.read

    def part(self, box: Box, plane: int) -> CoarseBrick:
        """Recipe of a rectangle."""
        return replace(self, full=self.full.part(box, plane), read=share_of(self.read, box, self.box) or 1)

    def load(self) -> NDArray[np.float32]:
        """Make the brick."""
        storage = Storage.of(self.reader)
        if not storage.is_chunked:
            channels, rows = self._thinned(storage)
            made = self._made_of(channels, self._some_rows(channels, rows), len(rows))
            return self._spread(made, rows)
        channels = self._in_some_chunks(storage)
        ((_, planes),) = channel_strips(self.reader, channels, self.full.level, self.box, self.read)
        return self._made_of(
            channels, ((channel, native_pixels(pixels)) for channel, pixels, _ in planes), self.box.rows
        )

    def _channels(self) -> list[int]:
        """Channels that count, ascending."""
        if isinstance(self.full, CollapseBrick):
            return list(range(*self.full.channels))
        mix = self.full.mix
        return np.asarray(mix.channels)[mix.weights.any(axis=1)].tolist() or [mix.channels[0]]

    def _thinned(self, storage: Storage) -> tuple[list[int], range]:
        """Choose channels and source rows: about as great a part of the ones as of the others."""
        source = storage.source_box(self.full.level, self.box)
        width = max(source.columns * storage.itemsize, _LEAST_READ)
        count = len(self._channels())
        whole = count * self.box.rows * width
        most = max(1, min(_MOST_CHANNELS, round(count * math.sqrt(min(1.0, self.read / whole)))))
        channels = self._chosen(most)
        return channels, some_rows(storage, self.full.level, self.box, self.read // (len(channels) * width))

    def _chosen(self, most: int) -> list[int]:
        """Choose about so many channels."""
        channels = self._channels()
        if len(channels) <= most:
            return channels
        if isinstance(self.full, CollapseBrick):
            return [channels[(2 * i + 1) * len(channels) // (2 * most)] for i in range(most)]
        mix = self.full.mix
        all_channels, chosen = np.asarray(mix.channels), set()
        colours = [np.abs(column) for column in mix.weights.T if column.any()]
        for weights in colours:
            count = max(1, most // len(colours))
            along = np.cumsum(weights)
            at = (np.arange(count) + 0.5) / count * along[-1]
            chosen.update(all_channels[np.searchsorted(along, at)].tolist())
        return sorted(chosen)

    def _in_some_chunks(self, storage: Storage) -> list[int]:
        """Choose groups of channels that share chunks, and take all channels in them."""
        most = max(1, min(_MOST_CHANNELS, self.read // storage.block_nbytes))
        groups = channel_groups(storage, self.full.level, self._channels(), self.box.rows, self.box.columns)
        if len(groups) > most:
            wanted = set(self._chosen(most))
            groups = [group for group in groups if wanted.intersection(group)]
        return sorted(channel for group in groups for channel in group)

    def _some_rows(self, channels: list[int], rows: range) -> Iterator[tuple[int, NDArray[np.float32]]]:
        pixels = np.empty((len(rows), self.box.columns), np.float32)
        for channel in channels:
            load_some_rows(self.reader, channel, self.full.level, self.box, rows, pixels)
            yield channel, pixels

    def _made_of(
        self, channels: list[int], planes: Iterator[tuple[int, NDArray[np.float32]]], rows: int
    ) -> NDArray[np.float32]:
        """Mix or collapse what has been read; rows are as many as a plane has."""
        shape = rows, self.box.columns
        if isinstance(self.full, CollapseBrick):
            method = self.full.method
            partial = empty_collapse(shape, method)
            for _, plane in planes:
                collapse_channel(plane, method, partial)
            if method == "sum":  # of all that those stand for
                first, last = self.full.channels
                partial[0] *= (last - first) / len(channels)
            return finish_collapse([partial], method)[np.newaxis]
        mix = standing_for(self.full.mix, channels)
        terms, by_weight = channel_terms(mix), mix.nan == "renormalise"
        sums, out = MixSums(*shape, by_weight), np.empty((6 if by_weight else 3, *shape), np.float32)
        for channel, plane in planes:
            sums.add(plane, *terms[channel], bottom_up=False)
        sums.write(out)
        finish_mix(out, absolute_weights(mix) if by_weight else None)
        return out

    def _spread(self, made: NDArray[np.float32], rows: range) -> NDArray[np.float32]:
        """Put rows where they belong, and others between them."""
        out = np.empty((len(made), self.box.rows, self.box.columns), np.float32)
        there = (np.asarray(rows) >> self.full.level) - self.box.top
        out[:, there] = made
        if len(there) < self.box.rows:
            for plane in out:
                interpolate_rows(plane, there)
        return out


def standing_for(mix: Mix, channels: list[int]) -> Mix:
    """Make a mix of some of its channels, each with the weights of all that are nearest to it.

    Parameters
    ----------
    mix : Mix
        All channels.
    channels : list of int
        Those to keep, ascending.
    """
    kept, every = np.asarray(channels), np.asarray(mix.channels)
    nearest = np.searchsorted((kept[1:] + kept[:-1]) / 2, every)
    weights = np.zeros((len(kept), 3))
    np.add.at(weights, nearest, mix.weights)
    return Mix(channels, mix.cuts[np.searchsorted(every, kept)], weights, mix.nan)
