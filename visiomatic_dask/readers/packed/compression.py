"""Compressed files: gzip and bzip2, told by their content, and unpacked piece by piece."""

from __future__ import annotations

import bz2
import os
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from visiomatic_dask.cube import SourceFile
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers.place import HEAD, Place

PIECE = 2**20
"""Compressed bytes that are read at a time: the interpreter's lock is let go of for milliseconds, not microseconds."""
PEEK = 256 * 1024
_GROWTH = 4
"""Largest piece of output, in pieces of input: a piece of a thousand times its size comes out in parts."""


class _Member(Protocol):
    """One run of compressed data; a file may hold several, one after the other."""

    @property
    def is_complete(self) -> bool: ...

    @property
    def wants_more(self) -> bool:
        """Whether it has used up all that it was given."""
        ...

    @property
    def rest(self) -> bytes:
        """What it was given beyond its end."""
        ...

    def unpack(self, data: bytes, most: int) -> bytes: ...


class _GzipMember:
    """RFC 1952, with its checksum and its length modulo 2^32, which zlib compares."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def is_complete(self) -> bool:
        return self._stream.eof

    @property
    def wants_more(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def unpack(self, data: bytes, most: int) -> bytes:
        return self._stream.decompress(data or self._stream.unconsumed_tail, most)


class _Bzip2Member:
    """bzip2, with the checksums of its blocks and of all of them."""

    def __init__(self) -> None:
        self._stream = bz2.BZ2Decompressor()

    @property
    def is_complete(self) -> bool:
        return self._stream.eof

    @property
    def wants_more(self) -> bool:
        return self._stream.needs_input

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def unpack(self, data: bytes, most: int) -> bytes:
        return self._stream.decompress(data, most)


@dataclass(frozen=True, slots=True)
class Compression:
    """A way of compressing that is understood here.

    Attributes
    ----------
    name : str
        gzip or bzip2.
    start : re.Pattern
        What every member starts with; at most 10 bytes.
    member : callable
        Makes what unpacks one member.
    """

    name: str
    start: re.Pattern[bytes]
    member: Callable[[], _Member]


_LONGEST_START = 10
_COMPRESSIONS = (
    Compression("gzip", re.compile(rb"\x1f\x8b\x08"), _GzipMember),
    # A level, and the digits of pi or of its square root: the first block, or the end of nothing
    Compression("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), _Bzip2Member),
)


def compression_of(head: bytes) -> Compression | None:
    """Return how a file that starts like this is compressed, or None if it is not, or in another way."""
    return next((one for one in _COMPRESSIONS if one.start.match(head)), None)


def unpacked(read: Callable[[int], bytes], compression: Compression, name: str, piece: int = PIECE) -> Iterator[bytes]:
    """Unpack, piece by piece: all members, whatever zeros lie between and after them.

    Parameters
    ----------
    read : callable
        Gives at most so many of the next compressed bytes; none at the end.
    compression : Compression
        How they are compressed.
    name : str
        What messages call the file.
    piece : int
        Compressed bytes to ask for at a time.

    Yields
    ------
    bytes
        Never empty, and at most four times as long as `piece`.

    Raises
    ------
    UnreadableCube
        If the data are damaged, end too early, or are followed by something else.
    """
    data = read(piece)
    while data:
        member = compression.member()
        while not member.is_complete:
            is_at_end = False
            if member.wants_more and not data:
                data = read(piece)
                is_at_end = not data
            try:
                found = member.unpack(data, _GROWTH * piece)
            except (zlib.error, OSError) as error:  # bz2 has no error of its own
                raise UnreadableCube(f"{name} is damaged: {compression.name} finds an error in its data") from error
            data = b""
            if found:
                yield found
            elif is_at_end and not member.is_complete:
                raise UnreadableCube(f"{name} is truncated: its {compression.name} data end too early")
        data = _next_member(member.rest, read, piece)
        if data and not compression.start.match(data):
            raise UnreadableCube(f"{name} is damaged: what follows its {compression.name} data is something else")


def _next_member(data: bytes, read: Callable[[int], bytes], piece: int) -> bytes:
    """Skip the zeros that tapes and archives pad with; return enough of what follows to tell what it is."""
    data = data.lstrip(b"\0")
    while len(data) < _LONGEST_START:
        more = read(piece)
        if not more:
            break
        data = (data + more).lstrip(b"\0")
    return data


def peek(place: Place, most: int = PEEK) -> bytes:
    """Return the first bytes of a file as they are when it is unpacked, without unpacking the rest.

    Enough to tell format and shape from a first header. Of bzip2, nothing less than a block can be unpacked, which
    is up to 900 kB.

    Parameters
    ----------
    place : Place
        A file, compressed or not.
    most : int
        How many bytes.

    Raises
    ------
    UnreadableCube
        If not a byte can be unpacked.
    OSError
        If it cannot be read.
    """
    with place.path.open("rb", buffering=0) as file:
        compression = compression_of(place.head)
        if compression is None:
            return file.read(most)
        found = bytearray()
        try:
            for piece in unpacked(file.read, compression, place.name, piece=min(PEEK, 32 * 1024)):
                found += piece
                if len(found) >= most:
                    break
        except UnreadableCube:  # what is before the damage can be looked at
            if not found:
                raise
        return bytes(found[:most])


def look_inside(place: Place) -> Place:
    """Look at what a compressed file holds, as far as its format is told by: nothing lies beside it."""
    return Place(f"{place.address}/unpacked", peek(place, HEAD))


def unpack_file(
    packed: SourceFile, compression: Compression, name: str, progress: Callable[[int], None]
) -> Generator[bytes, None, None]:
    """Unpack a file, piece by piece, and tell how much of it has been read: see `unpacked`.

    Raises
    ------
    CubeChanged, UnreadableCube
        If it is not the version that was looked at; if it cannot be read, or its data are no good.
    """
    descriptor = packed.open()
    position = 0

    def read(most: int) -> bytes:
        nonlocal position
        try:
            data = os.read(descriptor, most)
        except OSError as error:
            raise UnreadableCube(f"{name}: reading it failed: {error.strerror}") from error
        position += len(data)
        return data

    try:
        for piece in unpacked(read, compression, name):
            progress(position)
            yield piece
    finally:
        os.close(descriptor)
