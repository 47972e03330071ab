"""Count what a command of ours reads of one file: ``python -m tests.benchmarks.counted FILE RESULT argument …``.

The command runs in this process, and what its read calls return of the file is written as JSON at its end. Workers in
processes of their own are not seen.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visiomatic_dask.cli import main as visiomatic


def main(file: str, result: str, *arguments: str) -> None:
    wanted = os.stat(file)  # noqa: PTH116
    original, lock, found = os.preadv, threading.Lock(), {"bytes": 0, "calls": 0}

    def counted(descriptor: int, buffers: Sequence[Any], offset: int) -> int:
        count = original(descriptor, buffers, offset)
        if os.path.samestat(os.fstat(descriptor), wanted):
            with lock:
                found["bytes"] += count
                found["calls"] += 1
        return count

    os.preadv = counted  # type: ignore[assignment]
    try:
        visiomatic(arguments, standalone_mode=False)
    finally:
        Path(result).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
