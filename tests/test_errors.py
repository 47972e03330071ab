"""Errors: their statuses, and that they travel between processes whole."""

from __future__ import annotations

import pickle

import pytest

from visiomatic_dask import errors
from visiomatic_dask.errors import BeingUnpacked, InvalidRequest, Unavailable, VisiomaticError

STATUSES = {
    "VisiomaticError": 500,
    "InvalidRequest": 400,
    "CubeNotFound": 404,
    "JobNotFound": 404,
    "UnreadableCube": 404,
    "UnsupportedFormat": 404,
    "CubeChanged": 409,
    "NotUnpacked": 503,
    "TooLarge": 413,
    "Unavailable": 503,
    "BeingUnpacked": 503,
    "ClusterError": 503,
    "StoreError": 503,
    "UnwritableStore": 503,
    "PyramidGone": 503,
    "InvalidSetting": 500,
}


def kinds() -> dict[str, type[VisiomaticError]]:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    return {one.__name__: one for one in found if issubclass(one, VisiomaticError)}


def test_every_error_has_its_status() -> None:
    assert {name: one.status for name, one in kinds().items()} == STATUSES


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    text = errors.__doc__ or ""
    for name, status in STATUSES.items():
        (line,) = [
            line for line in text.splitlines() if f" {name} " in f" {line.strip('│├└─ ')} " and str(status) in line
        ]
        assert line.split(name)[1].split()[0] == str(status)


@pytest.mark.parametrize("name", STATUSES)
def test_pickled_whole(name: str) -> None:
    error = kinds()[name]("what is wrong")
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error)
    assert str(other) == other.message == "what is wrong"
    assert other.parameter is None
    assert other.status == STATUSES[name]


def test_pickled_with_its_parameter() -> None:
    other = pickle.loads(pickle.dumps(InvalidRequest("m", "gamma")))
    assert (other.message, other.parameter) == ("m", "gamma")
    unavailable = pickle.loads(pickle.dumps(Unavailable("busy", retry_after=7)))
    assert (str(unavailable), unavailable.retry_after) == ("busy", 7)
    unpacked = pickle.loads(pickle.dumps(BeingUnpacked("34 % done", 0.34)))
    assert (str(unpacked), unpacked.progress, unpacked.retry_after) == ("34 % done", 0.34, 1)


def test_value_says_what_it_was_and_what_is_allowed() -> None:
    error = InvalidRequest.value("gamma", 9, "0.2 to 5")
    assert str(error) == "gamma is '9'; allowed: 0.2 to 5"
    assert error.parameter == "gamma"


def test_value_shortens_what_is_long() -> None:
    assert str(InvalidRequest.value("p", "x" * 80, "y")) == f"p is '{'x' * 80}'; allowed: y"
    assert str(InvalidRequest.value("p", "x" * 81, "y")) == f"p is '{'x' * 77}…'; allowed: y"
