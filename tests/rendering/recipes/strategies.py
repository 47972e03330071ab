"""Recipes of every kind, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from visiomatic_dask.rendering.content import COLLAPSE_METHODS
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

NUMBERS = st.floats(-1e12, 1e12)
SHARES = st.floats(-1e9, 1e9)
COLOURS = st.tuples(SHARES, SHARES, SHARES)
UNITS = st.sampled_from(["nm", "Angstrom", "um", "µm", "km/s", "m.s-1", "GHz", "eV", "keV", "1/cm", "cm-1", "cm^-1"])
WIDTHS = st.floats(1e-12, 1e12)
CHANNELS = st.integers(0, 10**9)
SPANS = st.one_of(
    st.none(), st.builds(Span, NUMBERS, NUMBERS, UNITS), st.builds(Span, CHANNELS.map(float), CHANNELS.map(float))
)
POINTS = st.dictionaries(NUMBERS, st.floats(0.001, 1e6), min_size=2, max_size=6).map(lambda d: tuple(sorted(d.items())))
SUMMANDS = st.one_of(
    st.builds(ChannelElement, CHANNELS.filter(lambda c: c < 10**9), COLOURS),
    st.builds(RangeElement, SPANS, st.lists(COLOURS, min_size=1, max_size=4).map(tuple)),
    st.builds(BandElement, st.sampled_from(["tophat", "gauss"]), NUMBERS, WIDTHS, UNITS | st.just(""), COLOURS),
    st.builds(TableElement, POINTS, UNITS | st.just(""), COLOURS),
    st.builds(CIEElement),
)
ALONE = st.one_of(
    st.builds(ComponentsElement, SPANS), st.builds(CollapseElement, st.sampled_from(COLLAPSE_METHODS), SPANS)
)
RECIPES = st.one_of(st.lists(SUMMANDS, min_size=1, max_size=5).map(Recipe), ALONE.map(lambda one: Recipe([one])))
