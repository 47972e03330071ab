"""Zarr 2 and 3: folders, zip files and URLs; arrays, groups, pyramids."""
