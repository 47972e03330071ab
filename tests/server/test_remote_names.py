"""Which URLs may be opened: what the operator allowed, under one spelling."""

from __future__ import annotations

import pytest

from visiomatic_dask.errors import InvalidSetting
from visiomatic_dask.server.remote_names import RemotePrefixes

PREFIXES = RemotePrefixes(["https://Sky.example.org/cubes/", "s3://bucket/", "https://other.example.org/one.fits"])


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("https://sky.example.org/cubes/a.fits", "https://sky.example.org/cubes/a.fits"),
        ("HTTPS://SKY.example.org/cubes/A.fits", "https://sky.example.org/cubes/A.fits"),
        ("https://sky.example.org/cubes/deep/a%20b.fits", "https://sky.example.org/cubes/deep/a%20b.fits"),
        ("s3://bucket/x.zarr", "s3://bucket/x.zarr"),
        ("https://other.example.org/one.fits", "https://other.example.org/one.fits"),
    ],
)
def test_allowed(name: str, url: str) -> None:
    assert PREFIXES.address(name) == url


@pytest.mark.parametrize(
    "name",
    [
        "https://sky.example.org/other/a.fits",
        "https://sky.example.org/cubes",
        "http://sky.example.org/cubes/a.fits",
        "https://sky.example.org:8443/cubes/a.fits",
        "https://sky.example.org.evil.org/cubes/a.fits",
        "https://sky.example.org@evil.org/cubes/a.fits",
        "https://user:word@sky.example.org/cubes/a.fits",
        "https://sky.example.org/cubes/../other/a.fits",
        "https://sky.example.org/cubes/%2e%2e/other/a.fits",
        "https://sky.example.org/cubes/%252e%252e/other/a.fits",
        "https://sky.example.org/cubes/..%2fother/a.fits",
        "https://sky.example.org/cubes/..\\other/a.fits",
        "https://sky.example.org/cubes/%5c../a.fits",
        "https://sky.example.org/cubes/a.fits?x=1",
        "https://sky.example.org/cubes/a.fits#x",
        "https://sky.example.org/cubes/a\n.fits",
        "https://sky.example.org/cubes/%00.fits",
        "https://[sky/cubes/a.fits",
        "https://sky.example.org/cubes/a.zip::file:///etc/hosts",
        "simplecache::https://sky.example.org/cubes/a.fits",
        "s3://other/x.zarr",
        "s3://bucket2/x.zarr",
        "https://other.example.org/one.fits.bak",
        "https://other.example.org/",
        "file:///etc/hosts",
        "a.fits",
        "",
    ],
)
def test_not_allowed(name: str) -> None:
    assert PREFIXES.address(name) is None


def test_without_prefixes_nothing_is() -> None:
    assert RemotePrefixes([]).address("https://sky.example.org/cubes/a.fits") is None
    assert PREFIXES.cubes == ("https://other.example.org/one.fits",)


@pytest.mark.parametrize(
    "prefix", ["sky.example.org/", "https:///x/", "https://a@b/", "https://b/../", "s3://b/?x", ""]
)
def test_prefixes_that_are_none(prefix: str) -> None:
    with pytest.raises(InvalidSetting, match=r"is no prefix of URLs; allowed: as https://example\.org/cubes/"):
        RemotePrefixes([prefix])
