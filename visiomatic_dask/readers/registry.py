"""Which formats there are, and which one a file is in: told from its content, not from its name."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import cache as kept
from importlib import metadata

from visiomatic_dask.config import load_settings
from visiomatic_dask.cube import Cube, SourceFile
from visiomatic_dask.errors import CubeNotFound, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.fits.format import FITSFormat
from visiomatic_dask.readers.format import Format
from visiomatic_dask.readers.hdf5.format import HDF5Format
from visiomatic_dask.readers.netcdf.netcdf3 import NetCDFFormat
from visiomatic_dask.readers.packed.compression import Compression, compression_of, look_inside, peek
from visiomatic_dask.readers.packed.peeked_file import PeekedFile
from visiomatic_dask.readers.packed.unpack_cache import Progress, UnpackCache
from visiomatic_dask.readers.place import HEAD, Place, opened
from visiomatic_dask.readers.raw.envi import ENVIFormat
from visiomatic_dask.readers.raw.numpy_file import NumPyFormat
from visiomatic_dask.readers.refusals import why_inside_refused, why_refused
from visiomatic_dask.readers.zarr.format import ZarrFormat

logger = logging.getLogger(__name__)

ENTRY_POINTS = "visiomatic_dask.formats"
_OWN: tuple[Format, ...] = (
    FITSFormat(),
    HDF5Format(),
    NetCDFFormat(),
    ZarrFormat(),
    NumPyFormat(),
    ENVIFormat(),  # last: it is told by what lies beside a file
)


@kept
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
    """Return the format of what lies at a place, or is compressed there, or None when no reader here reads it."""
    if compression_of(place.head) is not None:
        try:
            place = look_inside(place)
        except UnreadableCube:
            return None
    return _matching(place)


def _matching(place: Place) -> Format | None:
    return next((one for one in formats() if one.matches(place)), None)


def open_cube(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    cache: UnpackCache | None = None,
    progress: Progress | None = None,
) -> Cube:
    """Open a cube where it lies, from its headers alone: no pixel is read, whatever its size.

    A file that is compressed with gzip or bzip2 is unpacked first, unless that has been done before.

    Parameters
    ----------
    path : path-like
        The file or folder; or a URL that fsspec knows, as https://… or s3://….
    name : str, optional
        What the cube is called in messages; by default the file's own name.
    cache : UnpackCache, optional
        Where compressed files are unpacked; by default where the settings say.
    progress : callable, optional
        While a compressed file is unpacked, called with the number of its bytes that are done and that of all of
        them. What it raises ends the unpacking.

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
    TooLarge
        If it is compressed, and holds more than may be unpacked.
    """
    name = name or os.fspath(path).rstrip("/").rpartition("/")[2]
    try:
        place = Place.look(path)
        compression = compression_of(place.head)
        if compression is not None:
            place = _inside(place, compression, name, cache or UnpackCache.of(load_settings()), progress)
        found = _matching(place)
        if found is not None:
            cube = found.open(place, name)
            return cube if place.source is None else replace(cube, source=place.source)
    except FileNotFoundError as error:
        raise CubeNotFound(f"{name}: there is no such file") from error
    except OSError as error:
        raise UnreadableCube(f"{name} cannot be read: {error.strerror or error}") from error
    if not (place.head or place.is_folder):
        raise UnreadableCube(f"{name} is empty")
    raise _unsupported(name, why_refused(place))


def _unsupported(name: str, why: str) -> UnsupportedFormat:
    readable = ", ".join(one.name for one in formats())
    return UnsupportedFormat(f"{name}: {why}. What can be opened: {readable} (info --formats says more)")


def to_be_unpacked(path: str | os.PathLike[str], cache: UnpackCache) -> SourceFile | None:
    """Return the file that would be unpacked if this were opened; None if none would."""
    try:
        place = Place.look(path)
        if compression_of(place.head) is None or format_of(place) is None:
            return None
        packed = SourceFile.of(place.path)
    except OSError:  # opening it tells
        return None
    return packed if cache.find(packed) is None else None


def peek_cube(path: str | os.PathLike[str], name: str, cache: UnpackCache) -> tuple[Cube, bool]:
    """Open a cube for the sake of its description: what is compressed as a whole is not unpacked for it.

    Parameters
    ----------
    path, name, cache
        As of `open_cube`.

    Returns
    -------
    (cube, is_whole)
        Of a compressed file that is not in the cache only the layers that its first 256 kB tell of; their pixels are
        not there.

    Raises
    ------
    CubeNotFound, UnsupportedFormat, UnreadableCube
        As of `open_cube`; `UnreadableCube` also where the beginning of a compressed file tells nothing.
    """
    packed = to_be_unpacked(path, cache)
    if packed is None:
        return open_cube(path, name=name, cache=cache), True
    place = Place.look(path)
    source = PeekedFile(packed, peek(place))
    inner = Place(f"{place.address}/unpacked", source.beginning[:HEAD], source=source)
    found = _matching(inner)
    if found is None:
        raise _unsupported(name, f"it is compressed, and {why_inside_refused(inner)}")
    try:
        return replace(found.open(inner, name), source=packed), False
    except OSError as error:  # a format that wants the file itself, which is not there
        raise UnreadableCube(f"{name} is compressed, and its beginning does not tell what it holds") from error


def _inside(place: Place, compression: Compression, name: str, cache: UnpackCache, progress: Progress | None) -> Place:
    """Return the place of what a compressed file holds, unpacked; not before that is known to be of some format."""
    packed = SourceFile.of(place.path)
    source = cache.find(packed)
    if source is None:
        inner = look_inside(place)
        if _matching(inner) is None:
            raise _unsupported(name, f"it is compressed with {compression.name}, and {why_inside_refused(inner)}")
        source = cache.unpack(packed, compression, name, progress)
    with opened(source) as file:
        return Place(source.content.path, file.read(HEAD), source=source)
