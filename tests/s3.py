"""An S3 of our own (moto)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import fsspec
from moto.server import ThreadedMotoServer


@contextlib.contextmanager
def s3_bucket(name: str) -> Iterator[Any]:
    """A bucket, and the file system that talks to it as a user's configuration would have it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = fsspec.config.conf.get("s3")
    fsspec.config.conf["s3"] = {"endpoint_url": f"http://{host}:{port}", "key": "someone", "secret": "something"}
    fs = fsspec.filesystem("s3")
    fs.makedirs(name, exist_ok=True)  # one state for all servers of a process
    try:
        yield fs
    finally:
        fs.rm(name, recursive=True)
        fs.clear_instance_cache()
        server.stop()
        fsspec.config.conf.pop("s3")
        if before is not None:
            fsspec.config.conf["s3"] = before
