"""A cube large enough for a pan, and a renderer in the test's own loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask import __version__
from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.cluster import ClusterAddress
from visiomatic_dask.engine.renderer import Renderer, open_renderer


@pytest.fixture(scope="session")
def wide_cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 x 2048 x 8192: 32 bricks of whole rows."""
    path = tmp_path_factory.mktemp("wide") / "wide.fits"
    y, x = np.mgrid[:2048, :8192].astype(np.float32)
    planes = [np.sin(x / (50 + c)) * np.cos(y / 70) * 50 + 100 for c in range(4)]
    fits.writeto(path, np.asarray(planes, np.float32))
    return path


@asynccontextmanager
async def renderer_on(address: str, **settings: Any) -> AsyncIterator[Renderer]:
    """Give a renderer on a cluster that is there."""
    async with open_renderer(ClusterAddress(address), __version__, load_settings(**settings)) as renderer:
        yield renderer
