"""Which brick shows what."""

from __future__ import annotations

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.bricks import BrickRecipe
from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.engine.plane_brick import PlaneBrick
from visiomatic_dask.pyramid import Box
from visiomatic_dask.rendering import Collapse, Content, Mix


def brick_of(
    content: Content, reader: Reader, level: int, box: Box, preview_read: int | None = None, stripe: int = 0
) -> BrickRecipe:
    """Make the recipe of a brick of nothing but what is shown.

    Parameters
    ----------
    content : Content
        What is shown.
    reader, level, box, preview_read, stripe
        As of `PlaneBrick`.
    """
    match content:
        case Mix():
            return MixBrick(reader, level, box, content, preview_read, stripe)
        case Collapse(first, last, method):
            return CollapseBrick(reader, level, box, (first, last), method, preview_read, stripe)
        case _:
            planes = (content.channel, content.channel + 1)
            return PlaneBrick(reader, level, planes, box, preview_read, stripe)
