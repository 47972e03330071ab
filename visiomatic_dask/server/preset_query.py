"""Presets in queries: what a preset fills in, and whether it can be used on a cube."""

from __future__ import annotations

from visiomatic_dask.config import Settings
from visiomatic_dask.cube import Layer
from visiomatic_dask.errors import InvalidRequest
from visiomatic_dask.rendering import Content
from visiomatic_dask.server.arguments import Arguments
from visiomatic_dask.server.content_query import CONTENT_KEYS, ask_resource, preliminary_content
from visiomatic_dask.server.look_query import LOOK_KEYS, resource_look
from visiomatic_dask.server.presets import REPEATABLE, Keys

PRESET_KEYS = (*CONTENT_KEYS, *LOOK_KEYS)
"""What may be in a preset."""
_WHAT_IS_SHOWN = ("channel", "mix")


def missing_keys(arguments: Arguments, preset: Keys) -> Keys:
    """Return what a preset adds to a query.

    A key of the query wins over the same of the preset. One that says what is shown (`channel`, `mix`) wins over all
    that the preset says of that: its cuts are of other channels.
    """
    replaced = CONTENT_KEYS if any(key in arguments for key in _WHAT_IS_SHOWN) else ()
    return {key: values for key, values in preset.items() if key not in arguments and key not in replaced}


def parse_keys(texts: tuple[str, ...]) -> Keys:
    """Read ``KEY=VALUE`` texts; `InvalidRequest` if one is none, or a key is given twice that stands for one value."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key not in PRESET_KEYS:
            raise InvalidRequest.value("KEY=VALUE", text, f"a value of one of {', '.join(PRESET_KEYS)}, as gamma=1.5")
        if key in found and key not in REPEATABLE:
            raise InvalidRequest.value("KEY=VALUE", text, f"one value of {key}; only {', '.join(REPEATABLE)} repeat")
        found.setdefault(key, []).append(value)
    if not found:
        raise InvalidRequest("KEY=VALUE is missing; allowed: one or more, as gamma=1.5", "KEY=VALUE")
    return {key: tuple(values) for key, values in found.items()}


async def _without_pixels(_: Content) -> tuple[float, ...]:
    """Stand in for a histogram, which takes pixels: an even one."""
    return 0.0, 1.0


async def check_preset(keys: Keys, layer: Layer, settings: Settings) -> None:
    """Make sure that a preset can be used on a layer, as far as that can be told without reading pixels.

    Raises
    ------
    InvalidRequest
        If a key has a value that cannot be used.
    """
    arguments = Arguments(keys)
    arguments.check_names(PRESET_KEYS)
    content = preliminary_content(ask_resource(arguments, layer))
    await resource_look(arguments, content, settings, "png", _without_pixels)
