"""What a test sees: screenshots as arrays, the state of the page, and a reference render by astropy and NumPy alone."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

Pixels = NDArray[np.float64]


def wait_until_ready(page: Page) -> None:
    """Wait until every tile on the screen is what it should be, and nothing is asked or moving."""
    page.wait_for_function("() => window.visiomatic?.ready === true", timeout=30_000)


def view(page: Page) -> dict[str, Any]:
    """State of the viewer."""
    state: dict[str, Any] = page.evaluate("() => window.visiomatic.view()")
    return state


def screenshot(page: Page, clip: Mapping[str, float]) -> Pixels:
    """Grey levels of a part of the page, (rows, columns)."""
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")  # type: ignore[arg-type]
    return np.asarray(picture, np.float64).mean(axis=2)


def square(page: Page, x: int, y: int, size: int) -> Pixels:
    """Screenshot of a square of level-0 pixels whose corner is raster (x, y); the map has to show level 0 pixel for
    pixel."""
    corner = page.evaluate("([x, y]) => window.visiomatic.containerPoint(x, y)", [x, y])
    return screenshot(page, {"x": round(corner["x"]), "y": round(corner["y"]), "width": size, "height": size})


def reference(path: Path, channel: int, low: float, high: float, contrast: float, gamma: float) -> Pixels:
    """Grey levels of a whole plane in raster orientation, by the formula of docs/web-api.md."""
    with fits.open(path) as hdus:
        plane = np.asarray(hdus[0].data[channel], np.float64)[::-1]
    v = np.where(np.isfinite(plane), (plane - low) / (high - low), 0.0) * contrast
    return 255 * np.clip(v, 0, 1) ** (1 / gamma)
