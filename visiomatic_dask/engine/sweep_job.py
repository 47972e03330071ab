"""A sweep through channels: what it shows, and its tasks, one a frame and one that encodes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from distributed import Client, Future

from visiomatic_dask.cube import Layer, Reader
from visiomatic_dask.engine.digests import digest
from visiomatic_dask.engine.tasks import render_band
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import LookTables, Style, encode
from visiomatic_dask.rendering.animation import AnimationFormat, encode_animation

JobState = Literal["running", "done", "failed"]
_PRIORITY = -10
"""Below whatever somebody looks at."""
_FRAME_QUALITY = 95
"""Of the JPEG that frames of MP4 are until they are encoded."""


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """An animation.

    Attributes
    ----------
    layer, level, box
        As of `visiomatic_dask.engine.requests.RegionRequest`.
    styles : tuple of Style
        One a frame.
    rate : float
        Frames a second.
    format : {"mp4", "webp"}
        What file it is made.
    """

    layer: Layer
    level: int
    box: Box
    styles: tuple[Style, ...]
    rate: float
    format: AnimationFormat


@dataclass(eq=False)
class SweepJob:
    """A sweep under way, or done.

    Attributes
    ----------
    request : SweepRequest
        What it shows.
    viewer : str
        Who asked for it.
    frames : list of Future
        Of its frames, until the file is there.
    result : Future
        Of the file.
    state : str
        How far it is.
    message : str
        What went wrong.
    nbytes : int
        Of the file, once it is there.
    """

    request: SweepRequest
    viewer: str
    frames: list[Future]
    result: Future
    state: JobState = "running"
    message: str = ""
    nbytes: int = 0

    @property
    def done(self) -> int:
        """Frames that are there."""
        return sum(one.status == "finished" for one in self.frames) if self.frames else len(self.request.styles)

    def release(self) -> None:
        """Let go of everything; what has not run by then does not."""
        self.result.release()
        self.release_frames()

    def release_frames(self) -> None:
        """Let go of the frames."""
        for one in self.frames:
            one.release()
        self.frames = []


def result_key(identity: str) -> str:
    """Key of the task that makes the file of a job."""
    return f"sweep-encode-{identity}"


def submit_sweep(
    client: Client, identity: str, request: SweepRequest, viewer: str, reader: Reader, below: int
) -> SweepJob:
    """Submit the tasks of a sweep; pixels are read from `reader`, binned `below` times."""
    keys = [
        f"sweep-frame-{digest(f'{reader.token}|{below}|{request.box}|{request.format}|{style.text}')}"
        for style in request.styles
    ]
    frames = client.map(
        make_frame, request.styles, key=keys, reader=reader, level=below, box=request.box,
        lossless=request.format == "webp", priority=_PRIORITY, pure=True, batch_size=None,
    )  # fmt: skip
    result = client.submit(
        encode_animation, frames, request.rate, request.format, request.styles[0].look.quality,
        key=result_key(identity), priority=_PRIORITY,
    )  # fmt: skip
    return SweepJob(request, viewer, frames, result)


def make_frame(style: Style, reader: Reader, level: int, box: Box, *, lossless: bool) -> bytes:
    """Make a frame: as a task, on a worker."""
    picture = render_band(reader, level, box, style, LookTables.of(style.look))
    look = replace(style.look, format="png") if lossless else replace(style.look, quality=_FRAME_QUALITY)
    return encode(picture, look)
