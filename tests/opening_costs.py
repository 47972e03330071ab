"""What opening files costs, in a process of its own: ``python -m tests.opening_costs file …``, a line of JSON each.

Each file is opened for the first time in the process, after one other of every format has loaded what has to be
imported. ``read`` counts the bytes of all read calls (``rchar`` of /proc/self/io), whatever library makes them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from pathlib import Path

from visiomatic_dask.errors import VisiomaticError
from visiomatic_dask.readers import Place, format_of, open_cube


def bytes_read() -> int:
    """Bytes that this process has read so far; 0 on systems that do not count them."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        return 0
    return int(text.split("rchar:")[1].split()[0])


def main(files: list[str]) -> None:
    warnings.simplefilter("ignore")
    warmed: set[str] = set()
    for file in files:
        found = format_of(Place.look(file))
        if found is not None and found.name not in warmed:
            warmed.add(found.name)
            _open(os.path.realpath(file))
    overhead = bytes_read() - bytes_read()
    for file in files:
        # What is kept of opened files would make the ones that warmed up look better than they are.
        gc.collect()
        before, began = bytes_read(), time.perf_counter()
        name = _open(file)
        took = time.perf_counter() - began
        read = bytes_read() - before + overhead
        print(json.dumps({"file": file, "format": name, "seconds": took, "read": read}))


def _open(file: str) -> str | None:
    try:
        return open_cube(file).format
    except VisiomaticError:
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
