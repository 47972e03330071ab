"""Which formats there are, and which one a file is in: told from its content, not from its name."""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib import metadata

from visiomatic_dask.cube import Cube
from visiomatic_dask.errors import CubeNotFound, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.envi import ENVIFormat
from visiomatic_dask.readers.fits import FITSFormat
from visiomatic_dask.readers.format import Format
from visiomatic_dask.readers.numpy_file import NumPyFormat
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.refusals import why_refused

logger = logging.getLogger(__name__)

ENTRY_POINTS = "visiomatic_dask.formats"
_OWN: tuple[Format, ...] = (FITSFormat(), NumPyFormat(), ENVIFormat())
"""ENVI comes last: it is told by what lies beside a file."""


@cache
def formats() -> tuple[Format, ...]:
    """Return all formats: our own, then those that other packages add. The first that matches opens a file."""
    return (*_OWN, *(one for point in metadata.entry_points(group=ENTRY_POINTS) if (one := _loaded(point)) is not None))


def _loaded(point: metadata.EntryPoint) -> Format | None:
    """Load what another package adds; one that cannot be loaded is left out, with a warning."""
    try:
        found = point.load()
        found = found() if isinstance(found, type) else found
    except Exception as error:  # noqa: BLE001 - the code is somebody else's: whatever it raises
        logger.warning("the format %s of %s cannot be loaded: %r", point.name, point.value, error)
        return None
    if not isinstance(found, Format):
        logger.warning("the format %s of %s is left out: it has no name, description, matches, open", point.name, found)
        return None
    return found


def format_of(place: Place) -> Format | None:
    """Return the format of what lies at a place, or None when no reader here reads it."""
    return next((one for one in formats() if one.matches(place)), None)


def open_cube(path: str | os.PathLike[str], *, name: str | None = None) -> Cube:
    """Open a cube where it lies, from its headers alone: no pixel is read, whatever its size.

    Parameters
    ----------
    path : path-like
        The file or folder; or a URL that fsspec knows, as https://… or s3://….
    name : str, optional
        What the cube is called in messages; by default the file's own name.

    Returns
    -------
    Cube

    Raises
    ------
    CubeNotFound
        If there is no such file.
    UnsupportedFormat
        If no reader here reads what it is; the message says what it is, where that can be told.
    UnreadableCube
        If it cannot be read.
    """
    name = name or os.fspath(path).rstrip("/").rpartition("/")[2]
    try:
        place = Place.look(path)
        found = format_of(place)
        if found is not None:
            return found.open(place, name)
    except FileNotFoundError as error:
        raise CubeNotFound(f"{name}: there is no such file") from error
    except OSError as error:
        raise UnreadableCube(f"{name} cannot be read: {error.strerror or error}") from error
    if not (place.head or place.is_folder):
        raise UnreadableCube(f"{name} is empty")
    readable = "; ".join(one.description for one in formats())
    raise UnsupportedFormat(f"{name}: {why_refused(place)}. What can be opened: {readable}")
