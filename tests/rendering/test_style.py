"""Styles: frozen, checked, and with one text for equal ones."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Cut, Look, Mix, Mono, Style

NUMBERS = st.sampled_from([-1.0, -0.0, 0.0, 0, 1, 1.0, 1.5, 1e-300, 2**53])
CUTS = st.tuples(NUMBERS, NUMBERS).filter(lambda one: one[0] != one[1]).map(lambda one: Cut(*one))
WEIGHTS = st.tuples(NUMBERS, NUMBERS, NUMBERS)


@st.composite
def styles(draw: st.DrawFn) -> Style:
    look = Look(
        contrast=draw(st.sampled_from([0.0, -0.0, 1, 1.0, 2.5])),
        brightness=draw(st.sampled_from([0, 0.0, -0.0, -5, 5.0])),
        gamma=draw(st.sampled_from([1, 1.0, 2.2])),
        colormap=draw(st.sampled_from(["grey", "jet"])),
        invert=draw(st.booleans()),
        quality=draw(st.sampled_from([10, 90])),
        format=draw(st.sampled_from(["jpeg", "png"])),
    )
    if draw(st.booleans()):
        return Style(Mono(draw(st.integers(0, 2)), draw(CUTS)), look)
    channels = tuple(sorted(draw(st.sets(st.integers(0, 2), min_size=1))))
    return Style(Mix(channels, tuple(draw(CUTS) for _ in channels), tuple(draw(WEIGHTS) for _ in channels)), look)


@given(styles(), styles())
def test_texts_are_equal_exactly_when_styles_are(one: Style, other: Style) -> None:
    assert (one.text == other.text) == (one == other)


@given(styles())
def test_signs_of_zero_and_integers_do_not_tell_apart(one: Style) -> None:
    look = Look(
        contrast=float(one.look.contrast) + 0.0,
        brightness=float(one.look.brightness) + 0.0,
        gamma=float(one.look.gamma),
        **{name: getattr(one.look, name) for name in ("colormap", "invert", "quality", "format")},
    )
    assert look == one.look
    assert look.text == one.look.text
    assert pickle.loads(pickle.dumps(one)).text == one.text
    assert hash(pickle.loads(pickle.dumps(one))) == hash(one)


def test_every_field_of_a_look_is_in_its_text_and_fields() -> None:
    looks = [
        Look(),
        Look(contrast=2.0),
        Look(brightness=1.0),
        Look(gamma=1.0),
        Look(colormap="jet"),
        Look(invert=True),
        Look(quality=1),
        Look(format="png"),
        Look(stretch="sqrt"),
        Look(saturation=0.0),
        Look(hue=True),
        Look(bad="#000000"),
        Look(under="#000000"),
        Look(over="#000000"),
        Look(format="png", bad="transparent"),
        Look(format="png", opacity=0.5),
    ]
    for one, other in itertools.combinations(looks, 2):
        assert one.text != other.text
        assert one.fields != other.fields
    assert all(Look(*look.fields) == look for look in looks)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contrast", -0.1),
        ("contrast", 1000.1),
        ("contrast", math.nan),
        ("brightness", -100.1),
        ("brightness", 101),
        ("gamma", 0.19),
        ("gamma", 5.1),
        ("gamma", math.nan),
        ("quality", -1),
        ("quality", 101),
        ("saturation", -0.1),
        ("saturation", 5.1),
        ("opacity", 1.1),
        ("opacity", math.nan),
    ],
)
def test_out_of_range(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} is '{value}'; allowed: a number from") as caught:
        Look(**{name: value})  # type: ignore[arg-type]
    assert caught.value.parameter == name


@pytest.mark.parametrize("keys", [{"bad": "transparent"}, {"under": "transparent"}, {"opacity": 0.5}])
def test_jpeg_has_no_transparency(keys: dict[str, Any]) -> None:
    (name,) = keys
    with pytest.raises(InvalidRequest, match=f"{name} is .* in JPEG; PNG and WebP have transparency") as caught:
        Look(**keys)
    assert caught.value.parameter == name
    assert Look(**keys, format="webp").has_alpha


@pytest.mark.parametrize("colour", ["red", "#fff", "#FFFFFF", "#1234567"])
def test_colours_are_canonical(colour: str) -> None:
    with pytest.raises(InvalidRequest, match="#rrggbb"):
        Look(over=colour)


@pytest.mark.parametrize("cut", [(1, 1), (0.0, -0.0), (math.nan, 1), (0, math.nan), (0, math.inf), (-math.inf, 0)])
def test_cuts_are_two_finite_numbers_that_differ(cut: tuple[float, float]) -> None:
    with pytest.raises(InvalidRequest, match="two finite numbers that differ"):
        Cut(*cut)


def test_swapped_cuts_are_allowed() -> None:
    style = Style(Mono(0, Cut(10.0, 0.0)), Look(contrast=2.0, brightness=10.0))
    assert style.low == 10.0
    scale, offset = style.scale_offset
    assert scale == pytest.approx((-0.2,))
    assert offset == pytest.approx((0.2,))


def test_scale_and_offset_of_a_mix() -> None:
    mix = Mix((0, 3), (Cut(0, 1), Cut(5, 9)), ((1.0, 0.0, -1.0), (0.5, 0.25, 0.0)))
    style = Style(mix, Look(contrast=2.0, brightness=-10.0))
    assert mix.weight_sums == (1.5, 0.25, -1.0)
    assert style.low == 0
    assert style.scale_offset[0] == (2.0, 2.0, 2.0)
    assert style.scale_offset[1] == pytest.approx((-0.3, -0.05, 0.2))
