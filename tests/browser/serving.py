"""A server for the browser tests: a process of its own, on a free loopback port."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import started, visiomatic


@contextmanager
def serving(*arguments: object, log: Path) -> Iterator[str]:
    """Run ``visiomatic_dask serve`` on a free port, and give its URL."""
    with started(visiomatic("serve", *arguments, "--port", 0, "--no-browser"), log) as server:
        server.wait_for("Ctrl-C")
        url = re.search(r"http://[\d.]+:\d+/", server.text)
        assert url is not None, server.text
        yield url[0]


def write_sky(path: Path, *options: object) -> Path:
    """Write a small demonstration cube by the command line."""
    subprocess.run(visiomatic("demo", path, *options), check=True, capture_output=True, timeout=120)
    return path
