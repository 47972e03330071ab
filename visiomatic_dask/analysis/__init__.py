"""Analysis: measurements of pixels, as pure functions of a reader."""

from visiomatic_dask.analysis.pixels import bresenham, line_profile, pixel_values

__all__ = ["bresenham", "line_profile", "pixel_values"]
