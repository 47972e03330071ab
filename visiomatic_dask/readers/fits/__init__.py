"""FITS: images, cubes, mosaics of several extensions, tile-compressed images."""
