"""Unpacking piece by piece: all members, bounded pieces, and damage that is named."""

from __future__ import annotations

import bz2
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.readers.packed.packed_files import PACKINGS, plain
from visiomatic_dask.errors import UnreadableCube
from visiomatic_dask.readers import Place, format_of
from visiomatic_dask.readers.packed.compression import compression_of, peek, unpacked

DATA = np.random.default_rng(3).normal(0, 3, 50_000).astype(np.int8).tobytes()


def all_of(packed: bytes, piece: int = 4096) -> bytes:
    compression = compression_of(packed)
    assert compression is not None
    pieces = list(unpacked(io.BytesIO(packed).read, compression, "a.gz", piece))
    assert all(0 < len(one) <= 4 * piece for one in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("piece", [1, 7, 4096, 2**20])
def test_unpacked_whole(packing: str, piece: int) -> None:
    assert all_of(PACKINGS[packing](DATA), piece) == DATA


@given(parts=st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 40)), min_size=1), piece=st.integers(1, 64))
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_any_members_and_padding(compress: object, parts: list[tuple[bytes, int]], piece: int) -> None:
    assert callable(compress)
    packed = b"".join(compress(data) + bytes(zeros) for data, zeros in parts)
    assert all_of(packed, piece) == b"".join(data for data, _ in parts)


def test_pieces_are_bounded_however_much_a_piece_holds() -> None:
    """A kilobyte of gzip holds a megabyte: it comes out in parts."""
    for compress in (gzip.compress, bz2.compress):
        assert all_of(compress(bytes(2**22)), 4096) == bytes(2**22)


@pytest.mark.parametrize("packing", PACKINGS)
def test_truncated_at_every_length(packing: str) -> None:
    """Every shorter file is refused, unless what is left is whole members."""
    packed = PACKINGS[packing](DATA[:300])
    whole = 0
    for length in range(10, len(packed)):
        try:
            found = all_of(packed[:length])
        except UnreadableCube as error:
            assert str(error).startswith("a.gz is ")  # noqa: PT017 - either outcome is right
        else:
            assert DATA.startswith(found)
            whole += 1
    # Padding, and the ends of members before the last
    assert whole == {"gzip": 0, "gzip, several members": 1000 + 700 + 1 + 1, "bzip2": 0}.get(packing, 1)


@pytest.mark.parametrize("packing", PACKINGS)
def test_damaged_at_every_byte(packing: str) -> None:
    """No damage gives other data without a word."""
    packed = PACKINGS[packing](DATA[:300])
    for position in range(10, len(packed)):
        damaged = bytearray(packed)
        damaged[position] ^= 0x55
        try:
            found = all_of(bytes(damaged))
        except UnreadableCube as error:
            assert str(error).startswith("a.gz is ")  # noqa: PT017 - either outcome is right
        else:
            assert found == DATA[:300]  # a time or a name in a header, which nothing checks


def test_what_follows_must_be_of_the_same_kind() -> None:
    for packed in (gzip.compress(DATA) + b"something else", gzip.compress(DATA) + bz2.compress(DATA)):
        with pytest.raises(UnreadableCube, match="what follows its gzip data is something else"):
            all_of(packed)


@pytest.mark.parametrize("packing", [None, *PACKINGS])
def test_peek(tmp_path: Path, packing: str | None) -> None:
    content = plain(300, 300)
    path = tmp_path / "some.name"
    path.write_bytes(content if packing is None else PACKINGS[packing](content))
    place = Place.look(path)
    assert peek(place) == content[: 256 * 1024]
    assert peek(place, 80) == content[:80]
    assert peek(place, 10**7) == content
    found = format_of(place)
    assert found is not None
    assert found.name == "FITS"


def test_peek_reads_the_beginning_only(tmp_path: Path) -> None:
    """Whatever comes later is neither read nor unpacked, or it would be found to be no gzip."""
    path = tmp_path / "a.fits.gz"
    content = plain(600, 600)
    path.write_bytes(gzip.compress(content)[:400_000] + b"\xff" * 10**6)
    assert peek(Place.look(path)) == content[: 256 * 1024]
    path.write_bytes(gzip.compress(content)[:100_000])
    assert content.startswith(peek(Place.look(path)))
    assert len(peek(Place.look(path))) > 50_000
    path.write_bytes(gzip.compress(content)[:5] + b"\xff" * 100)
    with pytest.raises(UnreadableCube, match=r"a\.fits\.gz is damaged"):
        peek(Place.look(path))
    assert format_of(Place.look(path)) is None
