"""Which formats there are, and which one a file is in: told from its content, not from its name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Protocol

from visiomatic_dask.cube import Cube
from visiomatic_dask.errors import CubeNotFound, UnreadableCube, UnsupportedFormat
from visiomatic_dask.readers.fits import FITSFormat

HEAD = 512


class Format(Protocol):
    """One file format."""

    name: str
    description: str

    def matches(self, head: bytes) -> bool:
        """Whether a file that starts with these bytes (at most `HEAD`) is of this format."""
        ...

    def open(self, path: Path, name: str) -> Cube:
        """Open the file as a cube that is called `name`, reading nothing of its pixels."""
        ...


FORMATS: tuple[Format, ...] = (FITSFormat(),)

# What is recognised in order to say why it is refused.
_REFUSED = (
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"BZh", "it is compressed with bzip2; unpack it first"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 and NetCDF 4 cannot be read yet"),
    (b"CDF", "NetCDF cannot be read yet"),
    (b"\x93NUMPY", "NumPy arrays cannot be read yet"),
)


def format_of(path: Path) -> Format | None:
    """Return the format of a file, or None when no reader here reads it; `OSError` when it cannot be read at all."""
    head = _head(path)
    return next((one for one in FORMATS if one.matches(head)), None)


def open_cube(path: str | os.PathLike[str], *, name: str | None = None) -> Cube:
    """Open a cube where it lies, from its headers alone: no pixel is read and nothing is written, whatever its size.

    Parameters
    ----------
    path : path-like
        The file.
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
    path = Path(path)
    name = name or path.name
    try:
        found = format_of(path)
        if found is not None:
            return found.open(path, name)
        head = _head(path)
    except FileNotFoundError as error:
        raise CubeNotFound(f"{name}: there is no such file") from error
    except OSError as error:
        raise UnreadableCube(f"{name} cannot be read: {error.strerror}") from error
    if not head:
        raise UnreadableCube(f"{name} is empty")
    readable = "; ".join(one.description for one in FORMATS)
    why = next((text for magic, text in _REFUSED if head.startswith(magic)), "its content is of no known format")
    raise UnsupportedFormat(f"{name}: {why}. What can be opened: {readable}")


def _head(path: Path) -> bytes:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(mode):  # to open a pipe would wait for whoever writes into it
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(HEAD)
