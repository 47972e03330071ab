"""How much metadata are read of a hierarchy: whoever made it may have put anything into its place."""

from __future__ import annotations

from visiomatic_dask.errors import UnreadableCube

MOST_BYTES = 16 * 2**20
"""Of one file: consolidated metadata of a thousand arrays take one or two MiB."""
MOST_IN_ALL = 64 * 2**20


class MetadataLimit:
    """Adds up what is read of a hierarchy.

    Parameters
    ----------
    name : str
        What messages call the hierarchy.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._read = 0

    def add(self, path: str, size: int) -> None:
        """Count a file before it is read; `UnreadableCube` if it is too large, or all are together."""
        if size > MOST_BYTES:
            raise UnreadableCube(
                f"{self._name} cannot be opened: its {path} has {size:,} bytes; allowed: up to {MOST_BYTES:,}"
            )
        self._read += size
        if self._read > MOST_IN_ALL:
            raise UnreadableCube(
                f"{self._name} cannot be opened: its metadata take more than the {MOST_IN_ALL:,} bytes that are allowed"
            )
