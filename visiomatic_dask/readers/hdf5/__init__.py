"""HDF5: cubes in the IDIA schema; NetCDF 4, which is HDF5, is opened from here."""
