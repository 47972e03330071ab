"""Files of a pyramid: made all at once or not at all, and read and replaced one by one, locally and at URLs."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from visiomatic_dask.errors import PyramidGone, UnwritableStore
from visiomatic_dask.pyramid.store.folder import StoreFolder
from visiomatic_dask.pyramid.store.local_folder import sync_folder

ROOT = "zarr.json"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(address: str) -> bool:
    """Whether an address is a URL that fsspec is to open."""
    return _URL.match(address) is not None


def file_system(address: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the path that it has there."""
    from fsspec.core import url_to_fs

    fs, path = url_to_fs(address)
    return fs, str(path).rstrip("/")


def name_of(address: str) -> str:
    """Last part of the address of a pyramid, which is all that messages say of it."""
    return address.rpartition("/")[2]


def address_in(store: str, name: str) -> str:
    """Return the address of something in a store."""
    return f"{store.rstrip('/')}/{name}"


def readable_name(layer_name: str, cube_name: str) -> str:
    """Begin the name of what is kept of a layer: shortened, and without what is special in paths."""
    name = f"{cube_name.rpartition('/')[2][-60:]}-{layer_name[-30:]}"
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "cube"


def read_root(address: str) -> bytes:
    """Read the document of a root group.

    Raises
    ------
    PyramidGone
        If there is none.
    StoreError
        If it cannot be read.
    """
    content = StoreFolder.of(address).read(ROOT)
    if content is None:
        raise PyramidGone(f"{name_of(address)} is not in the store")
    return content


def write_file(address: str, path: str, content: bytes) -> None:
    """Write a file of a pyramid durably, so that others see what was there before, or all of it.

    Parameters
    ----------
    address : str
        Path or URL of the pyramid.
    path : str
        Below it; the folder above ``c`` is that of an array, and has to be there.
    content : bytes
        What to write.

    Raises
    ------
    PyramidGone
        If the pyramid is no longer there.
    UnwritableStore
        If nothing can be written.
    """
    with writing(address):
        if is_url(address):
            check_url(address)
        else:
            make_chunk_folders(address, path)
    StoreFolder.of(address).write(path, content)


@contextlib.contextmanager
def writing(address: str) -> Iterator[None]:
    """Turn the errors of writing to a pyramid into ours: that a folder is not there means that it is gone."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PyramidGone(f"{name_of(address)} is not in the store any more") from error
    except OSError as error:
        raise UnwritableStore(f"{name_of(address)} cannot be written to: {_reason(error)}") from error


def check_url(address: str) -> tuple[Any, str]:
    """Return file system and path of a pyramid at a URL; `FileNotFoundError` if it is not there any more."""
    fs, root = file_system(address)
    fs.invalidate_cache(root)
    if not fs.exists(f"{root}/{ROOT}"):
        raise FileNotFoundError(root)
    return fs, root


def make_chunk_folders(address: str, path: str) -> None:
    """Make the folders that a chunk lies in, but not that of its array: it went with the pyramid."""
    array, _, chunk = path.rpartition("/c/")
    folder = Path(address, array)
    for part in ("c", *chunk.split("/")[:-1]):
        folder /= part
        folder.mkdir(exist_ok=True)


def write_tree(address: str, files: Mapping[str, bytes]) -> None:
    """Write the files of a new pyramid, so that it is there with all of them or not at all.

    Where somebody else was faster, theirs stay.

    Parameters
    ----------
    address : str
        Path or URL of the root group.
    files : mapping
        Contents by path below it; the root's own document comes last.

    Raises
    ------
    UnwritableStore
        If nothing can be written.
    """
    try:
        if is_url(address):
            _write_objects(address, files)
        else:
            _write_folder(Path(address), files)
    except OSError as error:
        raise UnwritableStore(f"{name_of(address)} cannot be created: {_reason(error)}") from error


def _write_objects(address: str, files: Mapping[str, bytes]) -> None:
    fs, root = file_system(address)
    inner = {f"{root}/{path}": content for path, content in files.items() if path != ROOT}
    fs.pipe(inner)
    with contextlib.suppress(FileExistsError):
        fs.pipe_file(f"{root}/{ROOT}", files[ROOT], mode="create")


def _write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        for path, content in files.items():
            file = draft / path
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, content)
        try:
            draft.rename(target)
        except OSError:  # a folder cannot be given the name of one that holds something
            if not (target / ROOT).exists():
                raise
        sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
