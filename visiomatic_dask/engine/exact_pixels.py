"""Exact pixels, for what cannot be made from a subsample: contours, and what is shown on another layer's grid."""

from __future__ import annotations

from visiomatic_dask.engine.planner import NO_SUBSAMPLE, Planner
from visiomatic_dask.engine.plans import RegionPlan
from visiomatic_dask.engine.pyramids import Pyramids
from visiomatic_dask.engine.requests import RegionRequest
from visiomatic_dask.errors import TooLarge, Unavailable

BUILT_SOON = 5
"""Seconds after which to ask again for what is being built."""


class ExactPixels:
    """Finds what exact pixels are read from.

    Parameters
    ----------
    planner : Planner
        Knows what there is.
    pyramids : Pyramids or None
        The store, where there is one.
    """

    def __init__(self, planner: Planner, pyramids: Pyramids | None) -> None:
        self._planner = planner
        self._pyramids = pyramids

    async def plan(self, region: RegionRequest, parameter: str) -> RegionPlan:
        """Plan a rectangle from the source, else from the store.

        Parameters
        ----------
        region : RegionRequest
            Which; how it looks does not matter.
        parameter : str
            What a request that asks for too much has to change.

        Raises
        ------
        TooLarge
            If it would take reading more than ``visiomatic.read-limit``, and will not be in the store.
        Unavailable
            If it is not in the store yet: from now on it is being built.
        """
        pyramids, layer, level = self._pyramids, region.layer, region.level
        if pyramids is not None and level:
            await pyramids.looked_up(layer)
        plan = self._planner.plan_exact_region(region)
        if plan is not None:
            if pyramids is not None and plan.is_stored:
                pyramids.used(layer)
            return plan
        if pyramids is not None and level in self._planner.ways.stored_levels(layer):
            pyramids.want(layer, self._planner.needs_of(region))
            raise Unavailable("the exact pixels of this tile are being built; try again soon", BUILT_SOON)
        raise TooLarge(NO_SUBSAMPLE, parameter)

    def gone(self, region: RegionRequest) -> None:
        """Note that what was planned is in the store no longer."""
        if self._pyramids is not None:
            self._pyramids.gone(region.layer, self._planner.needs_of(region))
