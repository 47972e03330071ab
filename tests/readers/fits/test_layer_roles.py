"""Which layer is shown first, and which are masks and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.readers.fits.fits_files import empty_primary, image
from visiomatic_dask.readers import open_cube
from visiomatic_dask.readers.fits.layer_roles import is_auxiliary


def extension(name: str, *shape: int, **cards: Any) -> bytes:
    return image(np.zeros(shape), 16, {"EXTNAME": name} | cards if name else cards, extension=True)


ORDERS: dict[str, tuple[list[bytes], list[str]]] = {
    "as in the file": (
        [empty_primary(), extension("DATA", 3, 4, 5), extension("STAT", 3, 4, 5), extension("DQ", 3, 4, 5)],
        ["DATA", "STAT", "DQ"],
    ),
    "errors first": (
        [empty_primary(), extension("ERR", 4, 5), extension("DQ,1", 4, 5), extension("SCI", 4, 5)],
        ["SCI", "ERR", "DQ,1"],
    ),
    "a thumbnail in the primary": (
        [image(np.zeros((2, 2)), 16, {}), extension("SCI", 40, 50)],
        ["SCI", "PRIMARY"],
    ),
    "a primary as large": ([image(np.zeros((40, 50)), 16, {}), extension("SCI", 40, 50)], ["PRIMARY", "SCI"]),
    "nothing but errors": ([empty_primary(), extension("ERR1", 4, 5), extension("ERR2", 4, 5)], ["ERR1", "ERR2"]),
    "no names": ([empty_primary(), extension("", 4, 5), extension("", 40, 50)], ["1", "2"]),
    "EXTTYPE": (
        [empty_primary(), extension("", 4, 5, EXTTYPE="MASK"), extension("", 4, 5, EXTTYPE="IMAGE")],
        ["2", "1"],
    ),
}


@pytest.mark.parametrize(("parts", "names"), ORDERS.values(), ids=ORDERS.keys())
def test_order_of_layers(tmp_path: Path, parts: list[bytes], names: list[str]) -> None:
    path = tmp_path / "layers.fits"
    path.write_bytes(b"".join(parts))
    assert [layer.name for layer in open_cube(path).layers] == names


def test_real_layers(real_files: Path) -> None:
    image_, mask, variance = open_cube(real_files / "afw" / "HSC-0908120-056-small.fits").layers
    assert [is_auxiliary(one) for one in (image_, mask, variance)] == [False, True, True]
    assert image_.name == "1"
    segments = open_cube(real_files / "mpdaf" / "origin-00026.fits").layers
    assert [is_auxiliary(one) for one in segments if one.name.startswith("IMA_MUSE_WHITE")] == [False, True]
    assert open_cube(real_files / "mpdaf" / "IMAGE-HDFS-1.34.fits").layer().name == "DATA"
