"""Settings: every one is described, checked, and can be set in every way that Dask has."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import subprocess
import sys
from importlib import resources
from typing import Any

import dask.config
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from visiomatic_dask.config import Settings, load_settings
from visiomatic_dask.errors import InvalidSetting


def packaged(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(resources.files("visiomatic_dask").joinpath(name).read_text("utf-8"))
    return content


DEFAULTS: dict[str, Any] = packaged("visiomatic.yaml")["visiomatic"]
SCHEMA: dict[str, Any] = packaged("visiomatic-schema.yaml")["properties"]["visiomatic"]["properties"]


def test_settings_defaults_and_schema_name_the_same() -> None:
    fields = [field.name.replace("_", "-") for field in dataclasses.fields(Settings)]
    assert list(DEFAULTS) == list(SCHEMA) == fields


def test_every_setting_is_described() -> None:
    for name, one in SCHEMA.items():
        assert re.match(r"[A-Z]", one["description"]), name
        assert len(one["description"].split()) >= 4, name
        assert "type" in one or "enum" in one, name


def test_defaults_are_of_the_types_in_the_schema() -> None:
    types = {"string": str, "integer": int, "number": (int, float), "null": type(None), "array": list}
    for name, one in SCHEMA.items():
        if "enum" in one:
            assert DEFAULTS[name] in one["enum"]
        else:
            allowed = one["type"] if isinstance(one["type"], list) else [one["type"]]
            assert any(isinstance(DEFAULTS[name], types[kind]) for kind in allowed), name  # type: ignore[arg-type]


def test_defaults() -> None:
    settings = load_settings()
    assert settings.tile_size == 256
    assert settings.brick_size == 8 * 2**20
    assert settings.read_limit == 512 * 10**6
    assert settings.deadline == 20.0
    assert settings.silence == 1.0
    assert settings.brick_cache == 0.4
    assert settings.tile_threads is None
    assert settings.cors_origins == ()
    assert (settings.unpack_limit, settings.cache_limit) == (4 * 10**9, 20 * 10**9)
    assert hash(settings) == hash(load_settings())
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.gamma = 1.0  # type: ignore[misc]


def test_precedence_and_spelling() -> None:
    with dask.config.set({"visiomatic.read-limit": "1 GB", "visiomatic.tile_cache": 1000}):
        assert load_settings().read_limit == 10**9
        assert load_settings().tile_cache == 1000
        assert load_settings(read_limit=5).read_limit == 5
    assert load_settings().read_limit == 512 * 10**6


@pytest.mark.parametrize(
    ("base", "expected"), [("/var/cache", "/var/cache"), ("", "~/.cache"), ("relative", "~/.cache"), (None, "~/.cache")]
)
def test_cache_lies_where_xdg_has_it(monkeypatch: pytest.MonkeyPatch, base: str | None, expected: str) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if base is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", base)
    found = load_settings(cache_folder=None).cache_folder
    assert found == os.path.expanduser(f"{expected}/visiomatic_dask")  # noqa: PTH111


@pytest.mark.parametrize(("base", "expected"), [("/etc/me", "/etc/me"), ("relative", "~/.config"), (None, "~/.config")])
def test_presets_lie_where_xdg_has_configuration(
    monkeypatch: pytest.MonkeyPatch, base: str | None, expected: str
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if base is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", base)
    assert load_settings(presets=None).presets == os.path.expanduser(f"{expected}/visiomatic_dask/presets")  # noqa: PTH111


def test_import_registers_nothing_with_dask() -> None:
    code = "import dask.config, visiomatic_dask.config; assert 'visiomatic' not in dask.config.config"
    outside = {name: value for name, value in os.environ.items() if not name.startswith("DASK_VISIOMATIC__")}
    subprocess.run([sys.executable, "-c", code], env=outside, check=True, timeout=60)


def test_environment_variables() -> None:
    code = (
        "from visiomatic_dask.config import load_settings as s; x = s(); print(x.read_limit, x.gamma, x.cors_origins)"
    )
    given = {
        "DASK_VISIOMATIC__READ_LIMIT": "1 GB",
        "DASK_VISIOMATIC__GAMMA": "1.5",
        "DASK_VISIOMATIC__CORS_ORIGINS": '["https://a.org/"]',
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | given, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "1000000000 1.5 ('https://a.org',)"


ALLOWED: dict[str, list[tuple[Any, Any]]] = {
    "tile-size": [(32, 32), (1024, 1024)],
    "brick-size": [("4 MiB", 4 * 2**20), (1, 1), ("1e6", 10**6)],
    "brick-cache": [(0.5, 0.5), (1e-9, 1e-9), (2**20, 2.0**20), ("2 GB", 2e9)],
    "chunk-cache": [("1 GiB", 2**30), (0, 0), (5, 5)],
    "tile-route": [("direct", "direct"), ("scheduler", "scheduler")],
    "tile-threads": [(None, None), (3, 3)],
    "deadline": [("100 ms", 0.1), (5, 5.0), ("2 minutes", 120.0)],
    "sample-channels": [(1, 1)],
    "presets": [("/etc/presets", "/etc/presets"), ("~/x", os.path.expanduser("~/x"))],  # noqa: PTH111
    "cache-folder": [("/scratch/cache", "/scratch/cache"), ("~/x", os.path.expanduser("~/x"))],  # noqa: PTH111
    "unpack-limit": [("264 MB", 264 * 10**6), (1, 1)],
    "cache-limit": [("1 TB", 10**12)],
    "pyramid": [("ahead", "ahead"), ("memory", "memory")],
    "store": [(None, None), ("/scratch/store", "/scratch/store"), ("s3://b/store", "s3://b/store")],
    "store-limit": [("2 TB", 2 * 10**12)],
    "store-mantissa": [(7, 7), (23, 23)],
    "exact-read": [("64 MiB", 2**26)],
    "preview-read": [("8 MB", 8 * 10**6)],
    "remote-prefixes": [([], ()), (["s3://b/", "https://a.org/x"], ("s3://b/", "https://a.org/x"))],
    "cors-origins": [([], ()), (["*"], ("*",)), (["http://a.org/", "https://b:80"], ("http://a.org", "https://b:80"))],
    "gamma": [(1, 1.0), (0.2, 0.2), (5, 5.0)],
    "quality": [(0, 0), (100, 100)],
}


@pytest.mark.parametrize(("name", "value", "expected"), [(k, *one) for k, many in ALLOWED.items() for one in many])
def test_allowed(name: str, value: Any, expected: Any) -> None:
    key = name.replace("-", "_")
    found = getattr(load_settings(**{key: value}), key)
    assert found == expected
    assert type(found) is type(expected)


REFUSED: dict[str, list[Any]] = {
    "tile-size": [0, 100, 2048, 256.0, "256", None, [256]],
    "brick-size": [0, -1, "0", "big", "", None, True, [1], math.inf, math.nan],
    "brick-cache": [0, 0.51, 1000, -0.4, "many", None, True, [0.4], math.inf, math.nan],
    "chunk-cache": [-1, "big", None, False, [1], math.inf],
    "tile-route": ["Direct", "", None, 1, []],
    "tile-threads": [0, -1, "3", 1.5, True],
    "deadline": [0, -1, "", "0 s", "soon", None, True, [1], math.inf, math.nan],
    "queue-limit": [0, 1.0, "9", None, True, 2**63],
    "presets": ["", "relative/folder", "/a\0b", 1, True, ["/a"]],
    "cache-folder": ["", "relative/folder", "./here", "/a\0b", 1, True, ["/a"]],
    "unpack-limit": [0, -1, "much", None, True],
    "cache-limit": [0, "0 GB", None, math.nan],
    "pyramid": ["never", None, True],
    "store": ["", "relative/folder", "/a\0b", 1, True],
    "store-limit": [0, None],
    "store-mantissa": [6, 24, 12.0, None, True],
    "exact-read": [0, "much"],
    "preview-read": [-1, None],
    "remote-prefixes": ["s3://b/", [1], ["b/c"], None],
    "cors-origins": ["*", "https://a.org", ["a.org"], [1], None, 3, {"https://a.org": 1}],
    "gamma": [0.19, 5.1, "2.2", None, True, math.nan],
    "quality": [-1, 101, 90.0, None],
}


@pytest.mark.parametrize(("name", "value"), [(name, one) for name, many in REFUSED.items() for one in many])
def test_refused_with_what_is_allowed(name: str, value: Any) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings(**{name.replace("-", "_"): value})
    message = str(caught.value)
    assert message.startswith(f"visiomatic.{name} is {value!r}; allowed: ")
    assert caught.value.parameter == name
    assert "not supported between" not in message
    assert "object is not" not in message


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=2)
)


@given(st.sampled_from(list(DEFAULTS)), ANYTHING)
def test_any_value_is_taken_or_refused(name: str, value: Any) -> None:
    """Nothing but a setting in range, or the one error that says what is allowed."""
    key = name.replace("-", "_")
    try:
        found = getattr(load_settings(**{key: value}), key)
    except InvalidSetting as error:
        assert "allowed: " in str(error)  # noqa: PT017 - either outcome is right, each with its own check
    else:
        assert found is None or isinstance(found, str | tuple) or 0 <= found < math.inf


def test_unknown_settings() -> None:
    with pytest.raises(InvalidSetting, match=r"visiomatic.tile-sise is not a setting; there are: avoid, brick-cache"):
        load_settings(tile_sise=256)
    with dask.config.set({"visiomatic": [1]}), pytest.raises(InvalidSetting, match="allowed: a mapping of settings"):
        load_settings()
    with dask.config.set({"visiomatic": None}):
        assert load_settings().tile_size == 256
