"""Drafts of mixes over HTTP: what comes first, the word that there is better, and one ETag of what stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from visiomatic_dask.engine import drafts

from .. import reference
from ..service import Service, serving
from .test_pyramids import events, exact, is_preview

pytestmark = pytest.mark.timeout(120)
CHANNELS, SIDE = 40, 256
CUTS = [(-3.0 - c / 10, 9.0 + c) for c in range(CHANNELS)]
WEIGHTS = [(round(c / 400, 4), round((CHANNELS - c) / 800, 4), 0.03) for c in range(CHANNELS)]


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(8)
    sky = rng.normal(2, 3, (CHANNELS, SIDE, SIDE)) + 20 * np.exp(-(np.linspace(-3, 3, SIDE) ** 2))[:, None]
    path = tmp_path_factory.mktemp("drafts") / "deep.fits"
    fits.writeto(path, sky.astype(">f4"))
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "AT_ONCE", 2**20)
    monkeypatch.setattr(drafts, "COARSE_FROM", 2**21)
    monkeypatch.setattr(drafts, "COARSE_READ", 2**20)


@pytest.fixture(params=["memory", "auto"])
def service(cube: Path, tmp_path: Path, small: None, request: pytest.FixtureRequest) -> Iterator[Service]:
    """With a store and without."""
    settings: dict[str, Any] = {"pyramid": "memory"} if request.param == "memory" else {"store": str(tmp_path)}
    with serving(cube, tile_threads=1, **settings) as running:
        yield running


def tile(high: float | None = None, channel: int = 7) -> str:
    cuts = [*CUTS]
    if high is not None:
        cuts[channel] = (cuts[channel][0], high)
    shown = [f"mix={c}:{','.join(map(str, one))}" for c, one in enumerate(WEIGHTS)]
    shown += [f"cuts={c}:{low!r},{high!r}" for c, (low, high) in enumerate(cuts)]
    return "/cubes/deep.fits/tiles/0/0/0.png?" + "&".join(shown)


def expected(cube: Path, cuts: list[tuple[float, float]]) -> np.ndarray:
    planes = [plane[::-1].astype(np.float32) for plane in fits.getdata(cube)]
    return reference.mix(planes, cuts, WEIGHTS)


def stock(cuts: list[tuple[float, float]]) -> str:
    shown = [f"MIX={c + 1}:{','.join(map(str, one))}" for c, one in enumerate(WEIGHTS)]
    shown += [f"MINMAX={c + 1}:{low!r},{high!r}" for c, (low, high) in enumerate(cuts)]
    return "/api?FIF=deep.fits&JTL=0,0&" + "&".join(shown)


def test_a_coarse_picture_then_the_exact_one_and_a_word_in_between(service: Service, cube: Path) -> None:
    async def main() -> None:
        async with aclosing(events(service, "cube=deep.fits")) as heard:
            async for event in heard:
                if event["type"] == "hello":
                    assert event["builds"]
                    draft = await asyncio.to_thread(service.ok, tile())
                    assert is_preview(draft)
                elif event["type"] == "exact":
                    assert (event["level"], event["planes"], event["box"]) == (0, [0, CHANNELS], [0, 0, SIDE, SIDE])
                    response = await asyncio.to_thread(service.ok, tile())
                    assert not is_preview(response)  # at once
                    reference.assert_close(response.body, expected(cube, CUTS), 1)
                    assert np.abs(reference.decoded(draft.body).astype(float) - expected(cube, CUTS)).mean() < 20
                    return

    asyncio.run(main())


def test_a_changed_cut_is_shown_at_once_and_stays_under_one_etag(service: Service, cube: Path) -> None:
    exact(service, tile())
    draft = service.ok(tile(12.5))
    assert is_preview(draft)
    cuts = [*CUTS]
    cuts[7] = (cuts[7][0], 12.5)
    reference.assert_close(draft.body, expected(cube, cuts), 1)  # nobody sees that it is one
    time.sleep(drafts.QUIET)
    first = exact(service, tile(12.5))
    reference.assert_close(first.body, expected(cube, cuts), 1)
    again = service.get(tile(12.5), headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    with serving(cube, tile_threads=1, pyramid="memory") as other:
        response = exact(other, tile(12.5))
        assert (response.headers["ETag"], response.body) == (first.headers["ETag"], first.body)


def test_the_stock_client_never_gets_a_draft(service: Service) -> None:
    response = service.ok(stock(CUTS))
    assert not is_preview(response)
    changed = [*CUTS]
    changed[3] = (-4.0, 30.0)
    response = service.ok(stock(changed))
    assert not is_preview(response)
    assert service.ok(stock(changed)).headers["ETag"] == response.headers["ETag"]


def test_nobody_has_to_listen(service: Service) -> None:
    for high in (12.0, 13.0, 14.0):
        service.ok(tile(high))
    assert not is_preview(exact(service, tile(14.0)))
