"""Tasks on samples of spectra, by a real cluster: the same as on the whole cube, within bounds for huge ones."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.engine.spectra_tasks import collapsed_cut, principal_components
from visiomatic_dask.rendering import CollapseMethod, sample_cut
from visiomatic_dask.rendering.recipes import PrincipalComponents

from .made_up import MadeUp, layer_of
from .test_routes import on_cluster, renderer_of

FAR = 10**12


@pytest.mark.parametrize("method", ["max", "min", "mean", "sum"])
def test_cuts_of_channels_made_one(method: CollapseMethod) -> None:
    cube = np.random.default_rng(2).normal(5, 2, (7, 30, 40)).astype(np.float32)
    cube[2, :10] = np.nan
    cube[1:5, 3, 3] = np.inf
    cube[:, 20, 20] = np.nan
    part = np.where(np.isfinite(cube[1:5]), cube[1:5], np.nan).astype(np.float64)
    part = part.reshape(4, -1)[:, np.isfinite(part).any(axis=0).ravel()]
    plane = {"max": np.nanmax, "min": np.nanmin, "mean": np.nanmean, "sum": np.nansum}[method](part, axis=0)  # type: ignore[operator]
    found = collapsed_cut(FakeReader(cube), 1, 5, method, FAR, FAR)
    expected = sample_cut(plane.astype(np.float32), "mad")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-5)


def test_components_of_a_sample_are_nearly_those_of_the_cube() -> None:
    rng = np.random.default_rng(4)
    spectra = np.stack([np.exp(-((np.arange(60) - c) ** 2) / 50) for c in (10, 30, 50)])
    amounts = rng.exponential(1, (100, 120, 3)) * [6, 3, 1.5]
    cube = np.moveaxis(amounts @ spectra + 0.01 * rng.standard_normal((100, 120, 60)), 2, 0).astype(np.float32)
    whole = PrincipalComponents.of(cube.reshape(60, -1).T)
    reader = FakeReader(cube)
    sampled = principal_components(reader, range(60), cube.nbytes // 10, FAR)
    assert reader.bytes_read <= cube.nbytes // 10
    overlap = np.linalg.svd(sampled.components @ whole.components.T, compute_uv=False)
    assert overlap.min() > 0.999  # the same subspace
    assert np.abs(sampled.components @ whole.components.T).diagonal().min() > 0.98


def test_thousands_of_channels_in_bounded_memory() -> None:
    reader = MadeUp((4000, 1000, 1000))
    tracemalloc.start()
    try:
        found = principal_components(reader, range(4000), 32_000_000, FAR)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.components.shape == (3, 4000)
    assert peak < 250e6


def test_the_measurer_runs_them_as_tasks() -> None:
    layer = layer_of(MadeUp((40, 100, 100)))

    async def use(client: Any, _: Any) -> None:
        async with renderer_of(client) as renderer:
            found = await renderer.measure.principal_components(layer, tuple(range(40)))
            expected = principal_components(layer.reader, range(40), 32_000_000, FAR)
            np.testing.assert_allclose(found.mean, expected.mean)
            np.testing.assert_allclose(found.components[0], expected.components[0], atol=1e-9)
            cut = await renderer.measure.collapsed_cut(layer, 3, 6, "max")
            assert cut.low >= 300

    on_cluster(use)
