"""Mix recipes: what colours channels have, told by channel, spectral range, response curve or method.

A recipe is parsed from a URL's text or from JSON, and resolved against the channels of a layer. No pixels are read.
"""

from visiomatic_dask.rendering.recipes.coordinates import ChannelCoordinates
from visiomatic_dask.rendering.recipes.elements import MOST_ELEMENTS, Recipe
from visiomatic_dask.rendering.recipes.grammar import parse_recipe, recipe_text
from visiomatic_dask.rendering.recipes.json_form import recipe_from_json, recipe_json
from visiomatic_dask.rendering.recipes.principal import PrincipalComponents, component_mix
from visiomatic_dask.rendering.recipes.resolve import Collapsed, Components, Resolved, Weighted, resolve

__all__ = [
    "MOST_ELEMENTS",
    "ChannelCoordinates",
    "Collapsed",
    "Components",
    "PrincipalComponents",
    "Recipe",
    "Resolved",
    "Weighted",
    "component_mix",
    "parse_recipe",
    "recipe_from_json",
    "recipe_json",
    "recipe_text",
    "resolve",
]
