"""Colours of a URL: one text each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Look
from visiomatic_dask.rendering.colours import canonical_colour


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("red", "#ff0000"),
        ("RebeccaPurple", "#663399"),
        ("#0aF", "#00aaff"),
        ("#0102FE", "#0102fe"),
        ("Transparent", "transparent"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    assert canonical_colour("bad", text) == canonical
    assert Look(bad=canonical, format="png").bad == canonical


@pytest.mark.parametrize("text", ["", "reddish", "#12", "#1234", "#12345678", "rgb(1,2,3)", "hsl(0,100%,50%)", "#٣٣٣"])
def test_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"under is .*; allowed: #rrggbb, #rgb, a name of CSS") as caught:
        canonical_colour("under", text)
    assert caught.value.parameter == "under"


@given(st.text(max_size=30))
def test_whatever_is_given(text: str) -> None:
    try:
        found = canonical_colour("over", text)
    except InvalidRequest:
        return
    assert canonical_colour("over", found) == found
