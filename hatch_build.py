"""The build hook: a wheel carries the web client, so ``pip install .`` needs no second step."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).resolve().parent


class ClientBuildHook(BuildHookInterface):
    """Builds the client before files are collected.

    ``VISIOMATIC_SKIP_CLIENT=1`` leaves it out: the Makefile builds it by itself, and only when its sources have
    changed.
    """

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node.js from a wheel where the machine has none."""
        client = _client_build()
        return [] if self._skipped or client.has_node() else [client.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        """Build the client."""
        if not self._skipped:
            _client_build().build()

    @property
    def _skipped(self) -> bool:
        return os.environ.get("VISIOMATIC_SKIP_CLIENT") == "1"


def _client_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("client_build", _ROOT / "client" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
