"""Readers: one module a format, a registry that tells them by content, and cubes as xarray objects."""

from visiomatic_dask.readers.registry import FORMATS, format_of, open_cube

__all__ = ["FORMATS", "format_of", "open_cube"]
