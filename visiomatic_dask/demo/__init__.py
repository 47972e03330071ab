"""A synthetic datacube to try the server with: ``python -m visiomatic_dask demo sky.fits``."""

from visiomatic_dask.demo.write import write_demo

__all__ = ["write_demo"]
