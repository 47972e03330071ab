"""What drafts have of the bricks that they stand for until those are there."""

from __future__ import annotations

from visiomatic_dask.cube import Reader
from visiomatic_dask.engine.collapse_brick import CollapseBrick
from visiomatic_dask.engine.mix_brick import MixBrick
from visiomatic_dask.pyramid import Box


class DraftRecipe:
    """A recipe of something like a full brick: of the same layer and rectangle, and of as many planes.

    Attributes
    ----------
    full : MixBrick or CollapseBrick
        What it stands for.
    """

    __slots__ = ()

    full: MixBrick | CollapseBrick

    is_deep = False
    assembly = None

    @property
    def reader(self) -> Reader:
        """The layer whose pixels it is made of."""
        return self.full.reader

    @property
    def box(self) -> Box:
        """Rectangle at its level."""
        return self.full.box

    @property
    def is_long(self) -> bool:
        """Whether it is more than every tile can carry along."""
        return self.full.is_long

    @property
    def nbytes(self) -> int:
        """Bytes of the brick."""
        return self.full.nbytes
