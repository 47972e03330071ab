"""Settings, by dask.config's conventions.

They come from YAML files, ``DASK_VISIOMATIC__…`` variables, and what the command line overrides.

Nothing is registered with Dask when this module is imported: `load_settings` merges the packaged defaults with what
the user's configuration says, checks every value, and returns a frozen object that is passed on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, cast

import dask.config
import yaml
from dask.utils import parse_bytes, parse_timedelta

from visiomatic_dask.errors import InvalidSetting

TileRoute = Literal["auto", "direct", "scheduler"]
PyramidMode = Literal["on-demand", "ahead", "memory"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked; ``visiomatic-schema.yaml`` says what each one means.

    Sizes are in bytes, times in seconds.

    Attributes
    ----------
    brick_cache : float
        At most 0.5: a fraction of a worker's memory limit; above 1: bytes.
    cache_folder : str
        An absolute path.
    store : str or None
        An absolute path, or a URL.
    presets : str
        An absolute path.
    """

    tile_size: int
    brick_size: int
    brick_cache: float
    chunk_cache: int
    read_limit: int
    mix_read: int
    sample_limit: int
    sample_channels: int
    tile_cache: int
    tile_route: TileRoute
    tile_threads: int | None
    deadline: float
    silence: float
    avoid: float
    queue_limit: int
    region_tiles: int
    export_pixels: int
    export_read: int
    measure_limit: int
    prefetch: int
    open_cubes: int
    cache_folder: str
    unpack_limit: int
    cache_limit: int
    pyramid: PyramidMode
    store: str | None
    store_limit: int
    store_mantissa: int
    exact_read: int
    preview_read: int
    presets: str
    cors_origins: tuple[str, ...]
    remote_prefixes: tuple[str, ...]
    gamma: float
    quality: int


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the defaults, Dask's configuration and `overrides`, in rising precedence.

    Parameters
    ----------
    **overrides
        Settings by name, with ``_`` for ``-``; values as they would stand in YAML.

    Raises
    ------
    InvalidSetting
        If a name is unknown or a value cannot be used; the message says what is allowed.
    """
    values = _defaults()
    given = dask.config.get("visiomatic", {}) or {}
    if not isinstance(given, Mapping):
        raise InvalidSetting(f"visiomatic is {given!r}; allowed: a mapping of settings", "visiomatic")
    for name, value in [*given.items(), *overrides.items()]:
        key = str(name).replace("_", "-")
        if key not in values:
            allowed = ", ".join(sorted(values))
            raise InvalidSetting(f"visiomatic.{key} is not a setting; there are: {allowed}", key)
        values[key] = value
    return Settings(**{key.replace("-", "_"): _check(key, value) for key, value in values.items()})


def _defaults() -> dict[str, Any]:
    text = resources.files("visiomatic_dask").joinpath("visiomatic.yaml").read_text("utf-8")
    return cast("dict[str, Any]", yaml.safe_load(text)["visiomatic"])


def _check(key: str, value: Any) -> Any:
    """Turn one raw value into its checked form."""
    try:
        return _CHECKS[key](value)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"visiomatic.{key} is {value!r}; allowed: {error}", key) from error


def _bytes(value: Any) -> int:
    try:
        size = int(parse_bytes(value)) if value != "" else 0  # Dask takes a unit without a number for one of it
    except (TypeError, ValueError, AttributeError, OverflowError):
        size = 0
    if isinstance(value, bool) or size <= 0:
        raise ValueError('a positive size as "512 MB" or a number of bytes')
    return size


def _bytes_or_none(value: Any) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else _bytes(value)


def _fraction_or_bytes(value: Any) -> float:
    if isinstance(value, str):
        return float(_bytes(value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value <= 0.5 or 2**20 <= value < math.inf):
        raise ValueError('a fraction up to 0.5 of a worker\'s memory limit, or a size of at least 1 MiB as "2 GB"')
    return float(value)


def _seconds(value: Any) -> float:
    try:
        seconds = float(parse_timedelta(value))
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        seconds = 0.0
    if isinstance(value, bool) or not 0 < seconds < math.inf:
        raise ValueError('a positive time as "10 s" or a number of seconds')
    return seconds


def _integer(low: int, high: int = 2**62) -> Any:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"an integer from {low}" + (f" to {high}" if high < 2**62 else ""))
        return value

    return check


def _tile_size(value: Any) -> int:
    if not isinstance(value, int) or value not in (32, 64, 128, 256, 512, 1024):
        raise ValueError("32, 64, 128, 256, 512 or 1024")
    return value


def _route(value: Any) -> TileRoute:
    if value not in ("auto", "direct", "scheduler"):
        raise ValueError("auto, direct or scheduler")
    return cast("TileRoute", value)


def _pyramid(value: Any) -> PyramidMode:
    if value not in ("on-demand", "ahead", "memory"):
        raise ValueError("on-demand, ahead or memory")
    return cast("PyramidMode", value)


def _store(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and "://" in value):
        return value
    path = os.path.expanduser(value) if isinstance(value, str) else ""  # noqa: PTH111 - a text, not a path yet
    if not path.startswith("/") or "\0" in path:
        raise ValueError("the absolute path of a folder, a URL, or null")
    return path


def _gamma(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.2 <= value <= 5:
        raise ValueError("a number from 0.2 to 5")
    return float(value)


def _folder(value: Any) -> str:
    return _folder_or(value, "XDG_CACHE_HOME", "~/.cache", "visiomatic_dask")


def _presets(value: Any) -> str:
    return _folder_or(value, "XDG_CONFIG_HOME", "~/.config", "visiomatic_dask/presets")


def _folder_or(value: Any, variable: str, home: str, below: str) -> str:
    """Check a folder; null stands for one below a base folder of the XDG specification."""
    if value is None:
        # The specification has relative paths ignored
        base = os.environ.get(variable, "")
        value = os.path.join(base if base.startswith("/") else home, below)  # noqa: PTH118
    path = os.path.expanduser(value) if isinstance(value, str) else ""  # noqa: PTH111 - a text, not a path yet
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"the absolute path of a folder, or null for one below {home}")
    return path


def _origins(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(origin, str) and (origin == "*" or origin.startswith(("http://", "https://"))) for origin in value
    ):
        raise ValueError('a list of origins as https://example.org, or "*"')
    return tuple(origin.rstrip("/") for origin in value)


def _prefixes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and "://" in one for one in value):
        raise ValueError("a list of URLs as https://example.org/cubes/ or s3://bucket/")
    return tuple(value)


_CHECKS = {
    "tile-size": _tile_size,
    "brick-size": _bytes,
    "brick-cache": _fraction_or_bytes,
    "chunk-cache": _bytes_or_none,
    "read-limit": _bytes,
    "mix-read": _bytes,
    "sample-limit": _bytes,
    "sample-channels": _integer(1),
    "tile-cache": _bytes,
    "tile-route": _route,
    "tile-threads": lambda value: None if value is None else _integer(1)(value),
    "deadline": _seconds,
    "silence": _seconds,
    "avoid": _seconds,
    "queue-limit": _integer(1),
    "region-tiles": _integer(1),
    "export-pixels": _integer(1),
    "export-read": _bytes,
    "measure-limit": _integer(1),
    "prefetch": _bytes_or_none,
    "open-cubes": _integer(1),
    "cache-folder": _folder,
    "unpack-limit": _bytes,
    "cache-limit": _bytes,
    "pyramid": _pyramid,
    "store": _store,
    "store-limit": _bytes,
    "store-mantissa": _integer(7, 23),
    "exact-read": _bytes,
    "preview-read": _bytes,
    "presets": _presets,
    "cors-origins": _origins,
    "remote-prefixes": _prefixes,
    "gamma": _gamma,
    "quality": _integer(0, 100),
}
