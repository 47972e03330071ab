"""Arrays that lie uncompressed in a file: NumPy, ENVI."""
