"""Mosaics: the images of a multi-extension file as one layer, put together as their DETSEC say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.io import fits

from visiomatic_dask.cube import Layer, LayerPart, LayerWCS
from visiomatic_dask.readers.fits.detector_sections import Frame, Piece, Placed, assemble, piece_of
from visiomatic_dask.readers.fits.header import json_header
from visiomatic_dask.readers.fits.layer_roles import is_auxiliary
from visiomatic_dask.readers.fits.mosaic_reader import MosaicReader
from visiomatic_dask.readers.fits.wcs_keywords import is_wcs, moved_wcs
from visiomatic_dask.readers.oriented_reader import OrientedReader

NAME = "MOSAIC"
_MOST_PIXELS = 1000
"""Pixels of a frame for each that has an image: beyond that a section is wrong, not the detector empty."""
_DISAGREEMENT = 3.0
"""Pixels by which the WCS of a part may differ from that of the mosaic without a word."""
_MOST_NAMED = 3
_OF_PART = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|EXT(NAME|VER|LEVEL|TYPE)|INHERIT|CHECKSUM|DATASUM|"
    r"BSCALE|BZERO|BLANK|DATAM(IN|AX)|ZHECKSUM|ZDATASUM|[A-Z]+SEC[A-Z]?|CCDSUM|[LADC]T[MV]\d+(_\d+)?"
)


def with_mosaic(layers: Sequence[Layer], primary: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Put the mosaic of some layers before them, if two or more of them say where they lie on a detector.

    Masks, errors and weights are left out: they lie where the images do.

    Parameters
    ----------
    layers : sequence of Layer
        All of a file.
    primary : mapping
        Keywords of a primary HDU without an image, which hold for all.
    """
    named = [one for one in layers if "DETSEC" in one.header and not isinstance(one.reader, OrientedReader)]
    named = [one for one in named if not is_auxiliary(one)]
    if len(named) < 2:
        return tuple(layers)
    notes: list[str] = []
    parts, pieces = _pieces(named, notes)
    frame = _frame(parts, pieces, notes) if len(parts) >= 2 else None
    if frame is None:
        first, *others = layers
        return (replace(first, warnings=(*first.warnings, *notes, "there is no mosaic")), *others)
    taken = {layer.name for layer in layers}
    name = next(one for one in (NAME, *(f"{NAME}_{i}" for i in range(1, len(layers) + 1))) if one not in taken)
    return (_mosaic(name, parts, frame, primary, notes), *layers)


def _pieces(layers: Sequence[Layer], notes: list[str]) -> tuple[list[Layer], list[Piece]]:
    parts, pieces = [], []
    for layer in layers:
        if layer.shape[:-2] != layers[0].shape[:-2]:
            notes.append(f"{layer.name} is left out of the mosaic: its other axes are not those of {layers[0].name}")
            continue
        try:
            pieces.append(piece_of(layer.header, layer.width, layer.height))
        except ValueError as error:
            notes.append(f"{layer.name} is left out of the mosaic: {error}")
            continue
        parts.append(layer)
    return parts, pieces


def _frame(parts: Sequence[Layer], pieces: Sequence[Piece], notes: list[str]) -> Frame | None:
    try:
        frame = assemble(pieces)
    except ValueError as error:
        notes.append(f"the sections of the detector do not fit together: {error}")
        return None
    if frame.width * frame.height > _MOST_PIXELS * sum(x.size * y.size for x, y in frame.placed):
        notes.append(f"the sections of the detector are too far apart: {frame.width} × {frame.height} pixels")
        return None
    overlaps = frame.overlaps
    if overlaps:
        pairs = ", ".join(f"{parts[j].name} over {parts[i].name}" for i, j in overlaps[:_MOST_NAMED])
        more = f" and {len(overlaps) - _MOST_NAMED} more" if len(overlaps) > _MOST_NAMED else ""
        notes.append(f"sections overlap, and the later is shown: {pairs}{more}")
    return frame


def _mosaic(name: str, parts: Sequence[Layer], frame: Frame, primary: Mapping[str, Any], notes: list[str]) -> Layer:
    reader = MosaicReader.of([part.reader for part in parts], frame)
    first = next((i for i, part in enumerate(parts) if part.wcs.celestial is not None), None)
    header = _header(name, parts, frame, primary, first, notes)
    wcs = LayerWCS.from_header(header)
    if first is not None:  # to read the WCS of sixty images takes longer than to open them
        wcs = wcs.checked(lambda read: _disagreement(parts, frame, first, read))
    *others, y, x = parts[0].axes
    return Layer(
        name=name,
        reader=reader,
        axes=(*others, replace(y, size=frame.height), replace(x, size=frame.width)),
        unit=parts[0].unit,
        header=json_header(header),
        header_text=header.tostring(sep="", endcard=True, padding=False),
        wcs=wcs,
        warnings=tuple(notes),
        parts=tuple(_part(part, x, y) for part, (x, y) in zip(parts, frame.placed, strict=True)),
    )


def _part(layer: Layer, x: Placed, y: Placed) -> LayerPart:
    data = tuple((one.source + 1, one.source + one.source_size, 1) for one in (x, y))
    frame = tuple(
        (one.stop, one.start + 1, -one.repeat) if one.flipped else (one.start + 1, one.stop, one.repeat)
        for one in (x, y)
    )
    return LayerPart(layer.name, x.start, y.start, x.size, y.size, (data[0], data[1]), (frame[0], frame[1]))


def _header(
    name: str, parts: Sequence[Layer], frame: Frame, primary: Mapping[str, Any], first: int | None, notes: list[str]
) -> fits.Header:
    """Write what holds for all parts, and the WCS of one of them, moved into the frame."""
    header = fits.Header([("NAXIS", len(parts[0].shape))])
    for number, size in enumerate(reversed((*parts[0].shape[:-2], frame.height, frame.width)), 1):
        header[f"NAXIS{number}"] = size
    header["EXTNAME"] = name
    shared = set.intersection(*({*part.header.items()} for part in parts))
    common = {**primary, **{key: value for key, value in parts[0].header.items() if (key, value) in shared}}
    known = {key: value for key, value in common.items() if not (is_wcs(key) or _OF_PART.fullmatch(key))}
    if first is not None:
        x, y = frame.placed[first]
        found, complaints = moved_wcs(parts[first].header, x.to_frame(), y.to_frame())
        known |= found
        notes += complaints
    for key, value in known.items():
        header[key if len(key) <= 8 else f"HIERARCH {key}"] = value
    return header


def _disagreement(parts: Sequence[Layer], frame: Frame, first: int, wcs: LayerWCS) -> list[str]:
    """Say by how many pixels the WCS of the parts differ from that of the mosaic, at their centres, if by many."""
    centres, skies, names = [], [], []
    if wcs.celestial is None:
        return []
    for part, (x, y) in zip(parts, frame.placed, strict=True):
        if part is parts[first] or part.wcs.celestial is None or part.wcs.frame != wcs.frame:
            continue
        centre = (x.source + (x.source_size + 1) / 2, y.source + (y.source_size + 1) / 2)
        sky = part.wcs.sky(*centre)
        if sky is not None:
            (sx, tx), (sy, ty) = x.to_frame(), y.to_frame()
            centres.append((sx * centre[0] + tx, sy * centre[1] + ty))
            skies.append((sky.lon, sky.lat) if wcs.celestial.wcs.lng == 0 else (sky.lat, sky.lon))
            names.append(part.name)
    if not skies:
        return []
    away = np.hypot(*(wcs.celestial.wcs_world2pix(skies, 1) - np.asarray(centres)).T)
    away = np.where(np.isfinite(away), away, np.inf)
    if away.max() <= _DISAGREEMENT:
        return []
    worst = int(away.argmax())
    return [
        f"world coordinates are those of {parts[first].name}: those of {names[worst]} differ from them by "
        f"{away[worst]:.0f} pixels"
    ]
