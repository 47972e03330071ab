"""Small shards, where tests want many of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from visiomatic_dask.pyramid.store import shards


@pytest.fixture(scope="module")
def small_shards() -> Iterator[None]:
    """Chunks of 32 pixels a side, of which a shard holds some six."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "CHUNK", 32)
        patch.setattr(shards, "SHARD_PIXELS", 6 * 32 * 32)
        yield
