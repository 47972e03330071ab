"""HDF5 files: opened over a byte source, and what of them may be followed.

h5py is given the source as a file object, not a path. HDF5 shares everything it has cached of a file between all that
open the same inode, so that a file that was written to in place would be read with the metadata of its older version;
file objects share nothing, and every read of theirs makes sure that the version is the one that was opened. Nor do they
take locks, which network file systems may not have, and files at URLs open in the same way.

Only hard links are followed, and no data that lie in other files (external links, external storage, virtual datasets):
a file below a data root must not be able to name one that is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeGuard

import numpy as np

from visiomatic_dask.cube import ByteSource
from visiomatic_dask.errors import UnreadableCube, VisiomaticError
from visiomatic_dask.readers.place import opened

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEFLATE, SHUFFLE = 1, 2
_BUFFER = 8 * 1024
"""HDF5's own records are small and lie all over the file: more would be read in vain."""
# The registry of filters, https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md
_FILTER_NAMES = {
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32013: "zfp",
    32015: "zstd",
    32017: "sz",
    32023: "granular bitround",
    32024: "sz3",
    32026: "blosc2",
}


@contextlib.contextmanager
def reading(source: ByteSource) -> Iterator[None]:
    """Turn what h5py raises into `UnreadableCube`, or `CubeChanged` where the file is no longer what was opened."""
    try:
        yield
    except VisiomaticError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        source.check()
        text = " ".join(str(error).split()).strip("'\"")
        raise UnreadableCube(f"{source.name}: reading it failed: {text}") from error


def open_file(source: ByteSource) -> Any:
    """Open an HDF5 file for reading; to be called within `reading`, as everything that is done with it.

    Returns
    -------
    h5py.File
        Without a cache of chunks: ours keeps decoded ones. It is closed when nothing of it is in use any more.
    """
    import h5py  # not at the top: 0.1 s that those who open FITS files need not pay

    return h5py.File(opened(source, _BUFFER), "r", rdcc_nbytes=0)


def member(group: Any, name: str) -> Any | None:
    """Return what a group holds under a name or a path, by hard links alone; None where there is nothing."""
    import h5py

    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            return None
        group = group[part]
    return group


def is_dataset(found: Any) -> TypeGuard[Any]:
    """Whether it is a dataset."""
    import h5py

    return isinstance(found, h5py.Dataset)


def is_group(found: Any) -> TypeGuard[Any]:
    """Whether it is a group."""
    import h5py

    return isinstance(found, h5py.Group)


def datasets(file: Any) -> Iterator[Any]:
    """Walk through all datasets of a file, each once, in the order in which they were made where the file knows it."""
    waiting, seen = [file], {file["/"].id}
    while waiting:
        group = waiting.pop()
        for name in group:
            found = member(group, name)
            if found is None or found.id in seen:  # hard links can make circles
                continue
            seen.add(found.id)
            if is_dataset(found):
                yield found
            elif is_group(found):
                waiting.append(found)


def attributes(found: Any) -> dict[str, Any]:
    """Attributes as text, Python's numbers, or arrays of them; what is none of these (references) is left out."""
    values: dict[str, Any] = {}
    for name in found.attrs:
        try:
            value = found.attrs[name]
        except (OSError, TypeError, ValueError):  # of a type that h5py has no word for
            continue
        plain = _plain(value)
        if plain is not None:
            values[name] = plain
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.size == 1:
            return _plain(value.reshape(-1)[0])
        return value if value.dtype.kind in "iuf" and value.size else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0")
    if isinstance(value, str | np.bool_ | np.integer | np.floating):
        return value
    return None


def stored_dtype(dataset: Any) -> np.dtype[Any] | None:
    """Dtype of the numbers of a dataset, booleans and enumerations as what they are stored as; None of all others."""
    dtype = np.dtype(dataset.dtype.str)
    if dtype.kind == "b":
        return np.dtype("u1")
    return dtype if dtype.kind in "iuf" and dtype.itemsize <= 8 else None


def is_plain(dataset: Any) -> bool:
    """Whether the stored bytes of a number are those of NumPy's dtype, without unused bits or another format."""
    from h5py import h5t

    kind = dataset.id.get_type()
    if kind.get_class() == h5t.ENUM:
        kind = kind.get_super()
    native = h5t.py_create(np.dtype(dataset.dtype.str)) if dataset.dtype.kind != "b" else None
    return kind.get_size() == 1 if native is None else bool(kind == native)


def filters_of(dataset: Any) -> list[tuple[int, int, str]]:
    """List number, first parameter and name of the filters of a dataset, in the order in which they are applied."""
    plist = dataset.id.get_create_plist()
    found = []
    for position in range(plist.get_nfilters()):
        code, _, parameters, name = plist.get_filter(position)
        text = _FILTER_NAMES.get(code) or name.decode("ascii", "replace").split(";")[0].strip() or "unnamed"
        found.append((code, parameters[0] if parameters else 0, f"{text} (filter {code})"))
    return found


def why_no_pixels(dataset: Any) -> str | None:
    """Say why the pixels of a dataset cannot be read, to go on after its name; None where they can."""
    from h5py import h5z

    if stored_dtype(dataset) is None:
        return f"holds {dataset.dtype}, not real numbers of up to 64 bits"
    if dataset.is_virtual or dataset.external:
        return "has its data in other files, which are not followed"
    missing = [name for code, _, name in filters_of(dataset) if not h5z.filter_avail(code)]
    if missing:
        return f"is compressed with {', '.join(missing)}, which cannot be undone here; h5repack can, with its plugin"
    return None
