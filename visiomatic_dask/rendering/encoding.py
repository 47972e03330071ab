"""Encoding: pictures to JPEG, PNG and WebP."""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from visiomatic_dask.rendering.look import Look


def encode(picture: NDArray[np.uint8], look: Look) -> bytes:
    """Encode a picture.

    Parameters
    ----------
    picture : ndarray of uint8, (rows, columns, 1, 2, 3 or 4)
        Grey or RGB, with alpha or without it, row 0 at the top, contiguous. JPEG takes no alpha.
    look : Look
        Tells the format and, for JPEG and WebP, the quality.
    """
    grey = picture.shape[2] == 1
    if look.format == "jpeg":
        return bytes(
            simplejpeg.encode_jpeg(
                picture, quality=look.quality, colorspace="Gray" if grey else "RGB", colorsubsampling="444"
            )
        )
    buffer = io.BytesIO()
    image = Image.fromarray(_squeezed(picture))
    if look.format == "webp":
        # Method 0: as small as the default to within a few per cent, at less than half of its time.
        image.save(buffer, "webp", quality=look.quality, method=0)
    else:
        # Level 1: half as large again as the default, at a sixth of its time.
        image.save(buffer, "png", compress_level=1)
    return buffer.getvalue()


def _squeezed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out an alpha that is opaque everywhere, which most pictures have, and the axis of a single plane."""
    planes = picture.shape[2]
    if planes in (2, 4) and (picture[:, :, -1] == 255).all():
        planes -= 1
    return np.ascontiguousarray(picture[:, :, :planes] if planes > 1 else picture[:, :, 0])
