"""Readers: one module a format, a registry that tells them by content, and cubes as xarray objects."""

from visiomatic_dask.readers.format import Format
from visiomatic_dask.readers.packed.unpack_cache import UnpackCache
from visiomatic_dask.readers.place import Place
from visiomatic_dask.readers.registry import format_of, formats, open_cube, peek_cube, to_be_unpacked

__all__ = ["Format", "Place", "UnpackCache", "format_of", "formats", "open_cube", "peek_cube", "to_be_unpacked"]
