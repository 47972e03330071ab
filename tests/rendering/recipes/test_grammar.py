"""Recipes as text and as JSON: both say the same, whatever is in them, and what is wrong is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering.recipes import MOST_ELEMENTS, parse_recipe, recipe_from_json, recipe_json, recipe_text
from visiomatic_dask.rendering.recipes.colours import parse_colour
from visiomatic_dask.rendering.recipes.elements import (
    BandElement,
    ChannelElement,
    CIEElement,
    CollapseElement,
    ComponentsElement,
    RangeElement,
    Recipe,
    Span,
    TableElement,
)

from .strategies import NUMBERS, RECIPES

RED, GREEN = (1.0, 0.0, 0.0), (0.0, (128 / 255) ** 2.2, 0.0)


@given(RECIPES)
def test_text_and_json_come_back_as_the_same_recipe(recipe: Recipe) -> None:
    texts = recipe_text(recipe)
    assert parse_recipe(texts) == recipe
    assert not any("+" in text for text in texts)  # which a URL would make a space
    as_json = json.dumps(recipe_json(recipe), allow_nan=False)
    assert parse_recipe([as_json]) == recipe
    assert recipe_from_json(json.loads(as_json)) == recipe
    assert recipe_text(parse_recipe(texts)) == texts


@given(NUMBERS, NUMBERS, st.sampled_from(["..", "-", " - ", " .. ", "–"]), st.sampled_from(["{!r}", "{:g}", "{:.3e}"]))
def test_ranges_of_any_two_numbers(start: float, stop: float, dash: str, form: str) -> None:
    first, last = form.format(start), form.format(stop)
    (element,) = parse_recipe([f"range:{first}{dash}{last}km/s:red"]).elements
    assert element == RangeElement(Span(float(first), float(last), "km/s"), (RED,))


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("range:656-660nm:red", RangeElement(Span(656, 660, "nm"), (RED,))),
        ("range:-20--5km/s:red", RangeElement(Span(-20, -5, "km/s"), (RED,))),
        ("range:-20-5km/s:red", RangeElement(Span(-20, 5, "km/s"), (RED,))),
        ("range:-20..-5 km/s:red", RangeElement(Span(-20, -5, "km/s"), (RED,))),
        ("range:5--20m.s-1:red", RangeElement(Span(5, -20, "m.s-1"), (RED,))),
        ("range:1e-3-2e-3eV:red", RangeElement(Span(1e-3, 2e-3, "eV"), (RED,))),
        ("range:1-5eV:red", RangeElement(Span(1, 5, "eV"), (RED,))),
        ("range:1-5e3eV:red", RangeElement(Span(1, 5000, "eV"), (RED,))),
        ("range:.5...75um:red", RangeElement(Span(0.5, 0.75, "um"), (RED,))),
        ("range:10-20 1/cm:red", RangeElement(Span(10, 20, "1/cm"), (RED,))),
        ("range:10-20cm-1:red", RangeElement(Span(10, 20, "cm-1"), (RED,))),
        ("range:10-20:#f00..1,0,0..green", RangeElement(Span(10, 20), (RED, RED, GREEN))),
        ("range:*:#FF0000", RangeElement(None, (RED,))),
        ("tophat:656.3,4 nm:red", BandElement("tophat", 656.3, 4, "nm", RED)),
        ("gauss:-5,2e1km/s:red", BandElement("gauss", -5, 20, "km/s", RED)),
        ("table:400nm=0,450nm=1,500nm=0:green", TableElement(((400, 0), (450, 1), (500, 0)), "nm", GREEN)),
        ("cie", CIEElement()),
        ("pca", ComponentsElement(None)),
        ("pca:3-9", ComponentsElement(Span(3, 9))),
        ("max:*", CollapseElement("max", None)),
        ("mean:1.4-1.5GHz", CollapseElement("mean", Span(1.4, 1.5, "GHz"))),
        ("3:red", ChannelElement(3, RED)),
        ("3:1,-0.5,1e2", ChannelElement(3, (1, -0.5, 100))),
    ],
)
def test_elements(text: str, element: object) -> None:
    assert parse_recipe([text]).elements == (element,)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "c:r,g,b"),
        ("range", "range:A-B"),
        ("range:10-20", "range:A-B"),
        ("range:10:red", "A..B"),
        ("range:1-2-3:red", "A..B"),
        ("range:1e-5:red", "A..B"),
        ("range:10-20:", "a ramp"),
        ("range:10-20:red....blue", "a ramp"),
        ("range:10-20:reddish", "CSS colour name"),
        ("range:10-20:#ff00", "#rrggbb"),
        ("range:10-20:hsl(0,100%,50%)", "CSS colour name"),
        ("range:10-20:1,2,nan", "numbers"),
        ("range:10-20:1,2,1e99", "numbers"),
        ("range:1.5-20:red", "channel numbers"),
        ("range:-1-20:red", "channel numbers"),
        ("range:1e999-20nm:red", "coordinates"),
        ("range:10-20n(m):red", "A..B"),
        ("tophat:5nm:red", "centre,width"),
        ("gauss:5,0nm:red", "width above 0"),
        ("gauss:5,-1nm:red", "width above 0"),
        ("table:400nm=0,450um=1:red", "one unit"),
        ("table:400nm=0,450nm=0:red", "rising"),
        ("table:450nm=0,400nm=1:red", "rising"),
        ("table:400nm=0,450nm=-1:red", "responses from 0"),
        ("table:400nm:red", "table:"),
        ("cie:red", "cie"),
        ("median:1-2", "max, min"),
        ("max", "A..B"),
        ("0:1,2", "c:r,g,b"),
        ("0:1,2,nan", "finite"),
        ("9" * 12 + ":red", "c:r,g,b"),
        ("range:*:" + "..".join(["red"] * (MOST_ELEMENTS + 1)), "a ramp"),
        ("x" * 100_000, "c:r,g,b"),
        ("[", "JSON"),
        ("[" * 60_000, "JSON"),
        ("[" * 100_000, "JSON of at most 65,536 characters"),
        ("[NaN]", "JSON"),
        ("[1]", "list of objects"),
        ('[{"range": [1, 2]}]', "colour or a ramp"),
        ('[{"range": [1, 2], "colour": "red", "ramp": ["red"]}]', "colour or a ramp"),
        ('[{"range": [1, 2], "hue": "red"}]', "range, unit"),
        ('[{"range": [1, 2], "cie": true}]', "one of channel"),
        ('[{"range": [1, 1e999], "unit": "nm", "colour": "red"}]', "finite"),
        ('[{"range": [1, 1' + "0" * 400 + '], "unit": "nm", "colour": "red"}]', "finite"),
        ('[{"range": [1, true], "unit": "nm", "colour": "red"}]', "finite"),
        ('[{"range": [1, 2], "unit": "n m", "colour": "red"}]', "unit"),
        ('[{"range": [1, 2], "unit": 5, "colour": "red"}]', "unit"),
        ('[{"channel": 1.5, "colour": "red"}]', "integer"),
        ('[{"channel": true, "colour": "red"}]', "integer"),
        ('[{"channel": -1, "colour": "red"}]', "integer"),
        ('[{"channel": 1}]', "CSS colour name"),
        ('[{"cie": 1}]', "true"),
        ('[{"table": 5, "colour": "red"}]', "rising"),
        ('[{"table": [5], "colour": "red"}]', "two numbers"),
        ('[{"range": "*", "ramp": []}]', "a ramp"),
        ('[{"range": "*", "ramp": "red"}]', "list of colours"),
    ],
)
def test_what_is_no_recipe(text: str, allowed: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_recipe([text])
    assert caught.value.parameter == "mix"
    assert allowed in caught.value.message
    assert len(caught.value.message) < 800


@given(st.text(max_size=40) | st.from_regex(r"(range|gauss|table|pca|max):[-0-9.e:,=a-z]{0,30}", fullmatch=True))
def test_any_text_is_a_recipe_or_refused(text: str) -> None:
    try:
        recipe = parse_recipe([text])
    except InvalidRequest as error:
        assert error.parameter == "mix"  # noqa: PT017 - either is right
    else:
        assert parse_recipe(recipe_text(recipe)) == recipe


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["*", "nm", "red"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["range", "unit", "colour", "ramp", "channel", "table", "pca", "max", "cie", "gauss"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_recipe_or_refused(value: object) -> None:
    try:
        recipe = recipe_from_json(value)
    except InvalidRequest as error:
        assert error.parameter == "mix"  # noqa: PT017 - either is right
    else:
        assert recipe_from_json(recipe_json(recipe)) == recipe


def test_what_goes_together() -> None:
    two = parse_recipe(["0:1,2,3", "range:*:red", "0:4,5,6"])
    assert two.elements == (RangeElement(None, (RED,)), ChannelElement(0, (4, 5, 6)))  # the last of a channel counts
    assert parse_recipe(['[{"cie": true}]', "1:red", '{"channel": 2, "colour": "red"}']).elements == (
        CIEElement(),
        ChannelElement(1, RED),
        ChannelElement(2, RED),
    )
    for texts in (["pca", "0:red"], ["max:0-3", "min:0-3"], ["cie", "pca"]):
        with pytest.raises(InvalidRequest, match="exclude"):
            parse_recipe(texts)
    for many in ([], ["cie"] * (MOST_ELEMENTS + 1), ["[]"]):
        with pytest.raises(InvalidRequest, match="1 to 256"):
            parse_recipe(many)
    assert len(parse_recipe([f"{c}:red" for c in range(4000)]).elements) == 4000


def test_a_swatch_is_undone_to_linear_light() -> None:
    assert parse_colour("#1e90ff") == pytest.approx([(part / 255) ** 2.2 for part in (0x1E, 0x90, 0xFF)])
    assert parse_colour(" DodgerBlue ") == parse_colour("#1e90ff")
    assert parse_colour("#18f") == parse_colour("#1188ff")
    assert parse_colour("0.5, .25 ,-1e-1") == (0.5, 0.25, -0.1)
