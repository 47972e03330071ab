"""Animations: frames, already compressed one by one, to MP4 (H.264) or WebP."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visiomatic_dask.errors import Unavailable

AnimationFormat = Literal["mp4", "webp"]
ANIMATION_TYPES: dict[AnimationFormat, str] = {"mp4": "video/mp4", "webp": "image/webp"}
_LEAST = 16
"""Pixels along a side of a macroblock of H.264."""
_QUALITY = "18"
"""Constant rate factor of x264 at which what is lost is hardly seen."""


def encode_animation(frames: Sequence[bytes], rate: float, animation_format: AnimationFormat, quality: int) -> bytes:
    """Encode frames, which are decoded one at a time.

    Parameters
    ----------
    frames : sequence of bytes
        JPEG, PNG or WebP, all of one size.
    rate : float
        Frames a second.
    animation_format : {"mp4", "webp"}
        MP4 as browsers play it: yuv420p, sides made even by black, what players need first at the beginning.
    quality : int
        Of WebP, 0 to 100.

    Raises
    ------
    Unavailable
        If MP4 is wanted and PyAV is not installed (extra ``video``), or has no H.264.
    """
    return _webp(frames, rate, quality) if animation_format == "webp" else _mp4(frames, rate)


def _webp(frames: Sequence[bytes], rate: float, quality: int) -> bytes:
    first, *others = (Image.open(io.BytesIO(frame)) for frame in frames)
    out = io.BytesIO()
    duration = max(1, round(1000 / rate))
    first.save(
        out, "webp", save_all=True, append_images=others, duration=duration, loop=0, quality=quality, method=0,
        minimize_size=False,
    )  # fmt: skip
    return out.getvalue()


def _mp4(frames: Sequence[bytes], rate: float) -> bytes:
    try:
        import av
    except ImportError as error:
        raise Unavailable("MP4 needs PyAV on the workers: install the extra `video`, or ask for WebP", 3600) from error
    if "libx264" not in av.codecs_available:
        raise Unavailable("PyAV has no H.264 here: ask for WebP", 3600)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.mp4"  # its index is put first in the end, so that it has to be read again
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            stream.pix_fmt, stream.options = "yuv420p", {"crf": _QUALITY, "preset": "veryfast"}
            for index, data in enumerate(frames):
                picture = _padded(data)
                if index == 0:
                    stream.height, stream.width = picture.shape[:2]
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path.read_bytes()


def _padded(data: bytes) -> NDArray[np.uint8]:
    """Decode a frame to RGB with even sides."""
    with Image.open(io.BytesIO(data)) as image:
        picture = np.asarray(image.convert("RGB"))
    high, wide = (max(_LEAST, size + size % 2) - size for size in picture.shape[:2])
    return np.ascontiguousarray(np.pad(picture, ((0, high), (0, wide), (0, 0))))
