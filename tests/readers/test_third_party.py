"""Formats of other packages: found by their entry point, used like our own, left out when they are broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULE = '''
import numpy as np
from visiomatic_dask.cube import Cube, SourceFile
from visiomatic_dask.readers.labelled import Dim, labelled_layer
from visiomatic_dask.readers.raw_reader import RawReader
from visiomatic_dask.readers.scaling import Scaling


class Greys:
    """Eight bytes of magic, two of size, then bytes."""

    name = "Greys"
    description = "square pictures of bytes"

    def matches(self, place):
        return place.head.startswith(b"GREYS---")

    def open(self, place, name):
        source, size = place.byte_source(), place.head[8]
        reader = RawReader(source, 9, (size, size), Scaling("u1"))
        return Cube(name, self.name, source, (labelled_layer("grey", reader, [Dim("y", size), Dim("x", size)]),))


class Incomplete:
    name = "Incomplete"


raises = 1 / 0 if __name__ == "broken_format" else None
'''

PROGRAM = """
import logging, sys
logging.basicConfig(format="%(message)s")
from visiomatic_dask.readers import formats
from visiomatic_dask.readers.xarray_backend import open_cube
print([one.name for one in formats()][-1])
print(open_cube(sys.argv[1]).values.tolist())
"""


def test_a_package_adds_a_format(tmp_path: Path) -> None:
    (tmp_path / "greys_format.py").write_text(MODULE)
    (tmp_path / "broken_format.py").write_text(MODULE)
    info = tmp_path / "greys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[visiomatic_dask.formats]\n"
        "broken = broken_format:Greys\n"
        "incomplete = greys_format:Incomplete\n"
        "greys = greys_format:Greys\n"
    )
    picture = tmp_path / "picture"
    picture.write_bytes(b"GREYS---" + bytes([2, 1, 2, 3, 4]))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(picture)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Greys", "[[1, 2], [3, 4]]"]
    assert "the format broken of broken_format:Greys cannot be loaded: ZeroDivisionError" in done.stderr
    assert "the format incomplete of" in done.stderr
    assert "is left out: it has no name, description, matches, open" in done.stderr
