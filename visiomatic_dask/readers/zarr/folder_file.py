"""Files of a folder that somebody else filled: links out of it, pipes and devices are not opened."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from visiomatic_dask.errors import UnreadableCube


def open_inside(folder: str, path: str) -> BinaryIO:
    """Open a file that lies below a folder.

    Parameters
    ----------
    folder : str
        Absolute path without symbolic links.
    path : str
        Of the file, relative to it.

    Returns
    -------
    BinaryIO
        The file.

    Raises
    ------
    UnreadableCube
        If a link leads out of the folder, or there is something else than a file: to open a pipe would wait for
        whoever writes into it.
    OSError
        If there is nothing, or a folder, or it cannot be opened.
    """
    check_inside(folder, path)
    file = open(f"{folder}/{path}", "rb", opener=_without_waiting)  # noqa: SIM115 - it is returned
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise UnreadableCube(f"{os.path.basename(folder)} cannot be read: {path} is not a regular file")  # noqa: PTH119


def check_inside(folder: str, path: str) -> None:
    """Raise `UnreadableCube` where links on the way to what lies at a path lead out of a folder.

    Where there is no link at all, as nearly always, a look at every part below the folder says so: a third of what it
    takes to resolve the whole path.
    """
    if _has_links(folder, path) and not os.path.realpath(f"{folder}/{path}").startswith(f"{folder}/"):
        raise UnreadableCube(
            f"{os.path.basename(folder)}: {path} is a link to something outside, and such links are not followed"  # noqa: PTH119
        )


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _has_links(folder: str, path: str) -> bool:
    where = folder
    for part in path.split("/"):
        where = f"{where}/{part}"
        try:
            if part == ".." or stat.S_ISLNK(os.lstat(where).st_mode):
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False
    return False
