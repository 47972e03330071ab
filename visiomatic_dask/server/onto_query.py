"""Queries to pixel grids: on which cube's grid another is shown."""

from __future__ import annotations

from visiomatic_dask.cube import Layer
from visiomatic_dask.engine.reprojected_brick import ORDERS, Order
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.catalog import Catalog

ONTO_KEYS = ("onto", "onto_layer", "order")


async def asked_onto(arguments: Arguments, catalog: Catalog) -> tuple[Layer, Order] | None:
    """Find the layer on whose grid a tile is wanted, and how to interpolate; None for the cube's own grid."""
    name = arguments.text("onto")
    if name is None:
        for key in ("onto_layer", "order"):
            if key in arguments:
                raise InvalidRequest(
                    f"{key} says nothing by itself; allowed: beside onto, the cube whose grid is used", key
                )
        return None
    opened = await catalog.get(name, "onto")
    asked = arguments.text("onto_layer")
    names = [layer.name for layer in opened.cube.layers]
    if asked is not None and asked not in names:
        raise InvalidRequest.value("onto_layer", asked, ", ".join(names))
    return opened.cube.layer(asked), _order(arguments.text("order") or "bilinear")


def _order(given: str) -> Order:
    for order in ORDERS:
        if given == order:
            return order
    raise InvalidRequest.value("order", given, ", ".join(ORDERS))
