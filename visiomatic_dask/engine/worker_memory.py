"""What a worker has in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributed import Worker


def in_memory(worker: Worker) -> Mapping[Any, Any]:
    """Results that a worker holds in memory, by key: without those on its disk.

    Unspilling one would cost more than reading the source again.
    """
    data: Any = worker.data
    found: Mapping[Any, Any] = getattr(data, "fast", data)  # one without a memory limit spills nothing
    return found
