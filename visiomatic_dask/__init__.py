"""A rendering service for datacubes too large to convert, copy or hold on one machine."""

from importlib.metadata import version

from visiomatic_dask.readers.xarray_backend import open_cube

__version__ = version("visiomatic-dask")
__all__ = ["__version__", "open_cube"]
