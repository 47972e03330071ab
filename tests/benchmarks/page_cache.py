"""The page cache of one file: what of it is in memory, and how to have it leave (Linux)."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = mmap.PAGESIZE
Pages = NDArray[np.bool_]
"""One flag for each page of a file."""


def resident(path: Path) -> Pages:
    """Tell which pages of a file are in the page cache, by mincore.

    Raises
    ------
    OSError
        If the kernel does not say.
    """
    length = path.stat().st_size
    pages = np.zeros(-(-length // PAGE), np.uint8)
    # A mapping alone reads nothing: only touching it would.
    mapped = np.memmap(path, np.uint8, "r")
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.mincore(
        ctypes.c_void_p(mapped.ctypes.data), ctypes.c_size_t(length), ctypes.c_void_p(pages.ctypes.data)
    )
    if failed:
        raise OSError(ctypes.get_errno(), f"mincore: {os.strerror(ctypes.get_errno())}", str(path))
    in_memory: Pages = (pages & 1).astype(np.bool_)
    return in_memory


def drop(path: Path) -> float:
    """Have a file leave the page cache, and return the share of it that stayed.

    Pages that have not been written to the disk yet, or that a process has mapped, stay.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return float(resident(path).mean())


def load(path: Path) -> None:
    """Bring a whole file into the page cache."""
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(8 << 20)
        while file.readinto(buffer):
            pass
