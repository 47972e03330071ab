"""What is recognised in order to say in a sentence why it is refused."""

from __future__ import annotations

from visiomatic_dask.readers.packed.compression import compression_of
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.raw.envi import data_file_of

_BY_HEAD = (
    (b"\x1f\x9d", "it is compressed with compress (.Z); unpack it first, or use gzip"),
    (b"\xfd7zXZ\x00", "it is compressed with xz; unpack it first, or use gzip"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with Zstandard; unpack it first, or use gzip"),
    (b"GILDAS", "it is a GILDAS file; write it as FITS first"),
    (b"PK\x03\x04", "it is a zip archive (as .npz files are); unpack it first. Zarr in a zip file is called .zarr.zip"),
)
_UNKNOWN = "its content is of no known format"


def why_refused(place: Place) -> str:
    """Say why no reader here reads what lies at a place."""
    if place.is_folder:
        return "it is a folder that holds no dataset of its own"
    if place.head.startswith(b"ENVI") and not place.is_remote:
        data = data_file_of(place.path)
        return (
            "it is an ENVI header without a file that it describes"
            if data is None
            else f"it is the header of {data.name}: open that"
        )
    return next((text for head, text in _BY_HEAD if place.head.startswith(head)), _UNKNOWN)


def why_inside_refused(inner: Place) -> str:
    """Say why no reader here reads what a compressed file holds."""
    again = compression_of(inner.head)
    if again is not None:
        return f"what is inside is compressed once more, with {again.name}; unpack it once"
    if not inner.head:
        return "there is nothing inside"
    why = why_refused(inner)
    return "what is inside is of no known format" if why == _UNKNOWN else f"of what is inside: {why}"
