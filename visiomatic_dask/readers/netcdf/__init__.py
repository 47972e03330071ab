"""NetCDF: files of version 3, and variables of either version as layers."""
