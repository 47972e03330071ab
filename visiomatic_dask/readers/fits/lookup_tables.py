"""Lookup tables of a WCS, which lie in HDUs of their own: distortions (CPDIS, D2IMDIS) and -TAB axes."""

from __future__ import annotations

from collections.abc import Sequence

from astropy.io import fits

from visiomatic_dask.cube import ByteSource
from visiomatic_dask.readers.fits.header import BLOCK, HDU
from visiomatic_dask.readers.place import opened

_LARGEST = 2**24
"""Bytes of tables that are read: those of the Hubble Space Telescope have some 20 kB."""


def lookup_tables(hdus: Sequence[HDU], source: ByteSource, header: fits.Header) -> fits.HDUList | None:
    """Read the HDUs that a WCS looks things up in.

    Parameters
    ----------
    hdus : sequence of HDU
        All of the file.
    source : ByteSource
        The file.
    header : astropy.io.fits.Header
        Header that has the WCS. Tables of distortions are called WCSDVARR and D2IMARR; those of -TAB axes as PSi_0
        says (FITS Paper III, section 6).

    Returns
    -------
    astropy.io.fits.HDUList or None
        None where there are none, or they are too large.
    """
    names = {"WCSDVARR", "D2IMARR"} | {str(header.get(f"PS{i}_0", "")).strip() for i in range(1, 10)} - {""}
    wanted = [hdu for hdu in hdus if str(hdu.header.get("EXTNAME", "")).strip() in names]
    if not wanted or sum(hdu.size for hdu in wanted) > _LARGEST:
        return None
    parts = [fits.PrimaryHDU().header.tostring().encode("ascii")]
    with opened(source) as file:
        for hdu in wanted:
            file.seek(hdu.offset)
            data = file.read(hdu.size)
            parts += [hdu.header.tostring().encode("ascii"), data, bytes(-len(data) % BLOCK)]
    return fits.HDUList.fromstring(b"".join(parts))
