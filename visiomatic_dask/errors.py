"""The exception tree. Each error knows its HTTP status and says what was wrong and what is allowed.

::

    VisiomaticError                     500
    ├── InvalidRequest                  400   a parameter that cannot be used
    ├── CubeNotFound                    404   no such name below the data roots
    ├── JobNotFound                     404   no such job, or none any more
    ├── UnreadableCube                  404   the file is there, but cannot be opened as a cube
    │   └── UnsupportedFormat           404   … because nothing here reads what it is
    ├── CubeChanged                     409   the file was replaced while it was being served
    │   └── NotUnpacked                 503   … or what was unpacked of it has left the cache; worth another try
    ├── TooLarge                        413   the answer would read or hold more than a limit allows
    ├── Unavailable                     503   no worker could answer in time; worth another try
    │   └── BeingUnpacked               503   … as the file is being unpacked
    ├── ClusterError                    503   a cluster that cannot be used as it is
    ├── StoreError                      503   a store of pyramids that cannot be used as it is
    │   ├── UnwritableStore             503   … because nothing can be written there
    │   └── PyramidGone                 503   … because what was in it has been evicted; worth another try
    └── InvalidSetting                  500   a configuration value that cannot be used

Messages never carry a path of the server: files are called by the name they were asked for.
"""

from __future__ import annotations


class VisiomaticError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    message : str
        One sentence for people.
    parameter : str, optional
        The request parameter or setting that the error is about.
    """

    status = 500

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message, parameter)
        self.message = message
        self.parameter = parameter

    def __str__(self) -> str:
        return self.message


class InvalidRequest(VisiomaticError):
    """A request parameter has a value that cannot be used."""

    status = 400

    @classmethod
    def value(cls, parameter: str, value: object, allowed: str) -> InvalidRequest:
        """Say which parameter, what it was, and what is allowed.

        Parameters
        ----------
        parameter : str
            Name of the parameter, as the request spelt it.
        value : object
            What it was given; shortened when it is long.
        allowed : str
            What it may be.
        """
        text = str(value)
        shown = text if len(text) <= 80 else text[:77] + "…"
        return cls(f"{parameter} is {shown!r}; allowed: {allowed}", parameter)


class CubeNotFound(VisiomaticError):
    """No cube of that name lies below the data roots."""

    status = 404


class JobNotFound(VisiomaticError):
    """There is no such job, or none any more."""

    status = 404


class UnreadableCube(VisiomaticError):
    """A file is there, but cannot be opened as a cube."""

    status = 404


class UnsupportedFormat(UnreadableCube):
    """A file is of a kind that no reader here reads."""


class CubeChanged(VisiomaticError):
    """The file behind a cube was replaced, changed or removed after it was opened."""

    status = 409


class NotUnpacked(CubeChanged):
    """What was unpacked of a compressed file has left the cache; opening the cube again brings it back, unchanged."""

    status = 503
    retry_after = 1


class TooLarge(VisiomaticError):
    """An answer would read or hold more than a limit allows; nothing was read."""

    status = 413


class Unavailable(VisiomaticError):
    """No worker could answer within the deadline.

    Parameters
    ----------
    message : str
        One sentence for people.
    retry_after : int
        Seconds after which another try makes sense.
    """

    status = 503

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.args = (message, retry_after)
        self.retry_after = retry_after


class BeingUnpacked(Unavailable):
    """A cube cannot be had before its file is unpacked.

    Parameters
    ----------
    message : str
        One sentence for people.
    progress : float
        How much of it is done, 0 to 1.
    """

    def __init__(self, message: str, progress: float = 0.0) -> None:
        super().__init__(message)
        self.args = (message, progress)
        self.progress = progress


class ClusterError(VisiomaticError):
    """A Dask cluster cannot be reached, or cannot be used as it is."""

    status = 503


class StoreError(VisiomaticError):
    """The store of pyramids, or one of them, cannot be used as it is."""

    status = 503


class UnwritableStore(StoreError):
    """Nothing can be written to the store: no permission, no room, or no such folder."""


class PyramidGone(StoreError):
    """A pyramid is no longer in the store, since others needed the room; it can be built anew."""

    retry_after = 1


class InvalidSetting(VisiomaticError):
    """A configuration value cannot be used."""
