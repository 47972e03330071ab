"""What is recognised in order to say in a sentence why it is refused."""

from __future__ import annotations

from visiomatic_dask.readers.envi import data_file_of
from visiomatic_dask.readers.place import Place

_BY_HEAD = (
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"BZh", "it is compressed with bzip2; unpack it first"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 and NetCDF 4 cannot be read yet"),
    (b"CDF", "NetCDF cannot be read yet"),
    (b"PK\x03\x04", "it is a zip archive (as .npz files are); unpack it first"),
)


def why_refused(place: Place) -> str:
    """Say why no reader here reads what lies at a place."""
    if place.is_folder:
        return "it is a folder that holds no dataset of its own"
    if place.head.startswith(b"ENVI") and not place.is_remote:
        data = data_file_of(place.path)
        return "it is an ENVI header without a file that it describes" if data is None else f"it describes {data.name}"
    return next((text for head, text in _BY_HEAD if place.head.startswith(head)), "its content is of no known format")
