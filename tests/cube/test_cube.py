"""Cubes and layers: shapes, channels and their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.contracts.fake_reader import FakeReader
from visiomatic_dask.cube import Axis, Cube, LayerWCS, SourceFile
from visiomatic_dask.cube.cube import Layer
from visiomatic_dask.errors import InvalidRequest

Y, X = Axis("y", "y", "", "", 4), Axis("x", "x", "", "", 5)
FREQUENCY = Axis("frequency", "spectral", "FREQ", "Hz", 3, (1e9, 2e9, 3e9))
STOKES = Axis("stokes", "stokes", "STOKES", "", 2, (1.0, 2.0))
ONE_STOKES = Axis("stokes", "stokes", "STOKES", "", 1, (1.0,))
ONE_FREQUENCY = Axis("frequency", "spectral", "FREQ", "Hz", 1, (1.42e9,))


def layer(*axes: Axis, name: str = "DATA", header: dict[str, Any] | None = None) -> Layer:
    reader = FakeReader(np.zeros([axis.size for axis in (*axes, Y, X)], np.int16))
    return Layer(name, reader, (*axes, Y, X), "", header or {}, "", LayerWCS(None, None))


def test_shape_and_channels() -> None:
    one = layer(STOKES, FREQUENCY)
    assert (one.shape, one.width, one.height, one.channels) == ((2, 3, 4, 5), 5, 4, 6)
    assert one.dtype == np.int16
    assert layer().channels == 1
    assert isinstance(hash(one), int)


def test_channel_labels_follow_the_order_of_planes() -> None:
    one = layer(STOKES, FREQUENCY)
    assert [one.channel_label(i) for i in range(6)] == [
        "1 GHz, I",
        "2 GHz, I",
        "3 GHz, I",
        "1 GHz, Q",
        "2 GHz, Q",
        "3 GHz, Q",
    ]


def test_degenerate_axes_are_left_out_of_labels() -> None:
    assert layer(ONE_STOKES, FREQUENCY).channel_label(2) == "3 GHz"
    assert layer(ONE_STOKES, ONE_FREQUENCY).channel_label(0) == "1.42 GHz"
    assert layer(ONE_STOKES).channel_label(0) == "DATA"


def test_label_of_an_image() -> None:
    assert layer().channel_label(0) == "DATA"
    assert layer(header={"FILTER": "g"}).channel_label(0) == "g"


def test_spectral_axis() -> None:
    assert layer(STOKES, FREQUENCY).has_spectral_axis
    assert not layer(STOKES, ONE_FREQUENCY).has_spectral_axis
    assert not layer().has_spectral_axis


def test_layer_by_name() -> None:
    cube = Cube("m", "FITS", SourceFile("/nowhere", 0, 0), (layer(name="DATA"), layer(name="STAT")))
    assert cube.layer() is cube.layers[0]
    assert cube.layer("STAT") is cube.layers[1]
    with pytest.raises(InvalidRequest, match="layer is 'DQ'; allowed: DATA, STAT") as caught:
        cube.layer("DQ")
    assert caught.value.parameter == "layer"
