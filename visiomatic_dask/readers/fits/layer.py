"""Layers of arrays that a FITS header describes: image HDUs, and what other formats keep such a header of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from astropy.io import fits

from visiomatic_dask.cube import Layer, LayerLevel, LayerWCS, PlaneStatistics, Reader
from visiomatic_dask.readers.fits.axes import describe_axes, plane_order, text
from visiomatic_dask.readers.fits.cards import Cards
from visiomatic_dask.readers.fits.header import json_header
from visiomatic_dask.readers.fits.wcs_keywords import renumbered
from visiomatic_dask.readers.oriented_reader import oriented


def fits_layer(
    name: str,
    reader: Reader,
    header: fits.Header,
    notes: Sequence[str],
    *,
    cards: Cards | None = None,
    levels: Sequence[LayerLevel] = (),
    statistics: PlaneStatistics | None = None,
    tables: Callable[[], fits.HDUList | None] | None = None,
) -> Layer:
    """Describe an array with a FITS header as a layer, whose x and y are found by WCS.

    Parameters
    ----------
    name : str
        Of the layer.
    reader : Reader
        Gives the pixels, in the order of the header's axes: NAXISn … NAXIS1.
    header : astropy.io.fits.Header
        Its header; commentary is not needed.
    notes : sequence of str
        What is wrong with the file so far.
    cards : Cards, optional
        The header as text and as values, where those are known already.
    levels : sequence of LayerLevel
        Coarser versions, binned along NAXIS1 and NAXIS2.
    statistics : PlaneStatistics, optional
        Of the planes of NAXIS1 and NAXIS2.
    tables : callable, optional
        Gives the lookup tables that the WCS may need; see `visiomatic_dask.cube.LayerWCS.from_header`.

    Returns
    -------
    Layer
        Levels and statistics are left out, with a note, where the picture's axes are others than NAXIS1 and NAXIS2.
    """
    notes = list(notes)
    wcs = LayerWCS.from_header(header, tables=tables)
    order = plane_order(header, reader.shape, wcs)
    placed = oriented(reader, order)
    in_order = header
    if placed is not reader:
        in_order = renumbered(header, [len(order) - axis for axis in reversed(order)])
        wcs = LayerWCS.from_header(in_order, tables=tables)
        if levels or statistics:
            notes.append("mipmaps and statistics are not used: they are of other axes than the picture's x and y")
            levels, statistics = (), None
    return Layer(
        name=name,
        reader=placed,
        axes=describe_axes(in_order, placed.shape, wcs),
        unit=text(header, "BUNIT"),
        header=cards.values if cards is not None and placed is reader else json_header(in_order),
        header_text=header.tostring(sep="", endcard=True, padding=False) if cards is None else cards.text,
        wcs=wcs,
        warnings=tuple(notes),
        levels=tuple(levels),
        statistics=statistics,
    )
