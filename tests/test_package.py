"""The surface of the package: what is exported is there, and what it costs to import."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest

import visiomatic_dask
from visiomatic_dask.cube import Reader
from visiomatic_dask.readers.raw_reader import RawReader

PACKAGES = [
    "visiomatic_dask",
    *(f"visiomatic_dask.{m.name}" for m in pkgutil.iter_modules(visiomatic_dask.__path__) if m.ispkg),
]
PURE = ["cube", "readers", "pyramid", "rendering", "analysis"]


@pytest.mark.parametrize("name", PACKAGES)
def test_exported_names_are_there(name: str) -> None:
    package = importlib.import_module(name)
    exported = getattr(package, "__all__", [])
    assert len(set(exported)) == len(exported)
    assert all(getattr(package, one) is not None for one in exported)
    assert package.__doc__


@pytest.mark.parametrize("name", PURE)
def test_layers_say_what_they_export(name: str) -> None:
    package = importlib.import_module(f"visiomatic_dask.{name}")
    public = {
        key
        for key, one in vars(package).items()
        if not key.startswith("_") and getattr(one, "__module__", "").startswith("visiomatic_dask")
    }
    assert public <= set(package.__all__)


def test_version_is_the_distributions() -> None:
    assert visiomatic_dask.__version__ == version("visiomatic-dask")


def test_surface() -> None:
    assert visiomatic_dask.__all__ == ["__version__", "open_cube"]


def test_entry_points_exist() -> None:
    for group, name in [
        ("xarray.backends", "visiomatic"),
        ("dask_cli", "visiomatic"),
        ("console_scripts", "visiomatic-dask"),
    ]:
        (point,) = [one for one in entry_points(group=group) if one.name == name]
        assert point.load() is not None


def test_readers_are_readers() -> None:
    names = {name for name in vars(Reader) if not name.startswith("_")}
    assert names >= {"shape", "dtype", "fingerprint", "token", "source_itemsize", "chunks", "read"}
    annotated = set(getattr(RawReader, "__annotations__", {}))
    assert all(hasattr(RawReader, name) or name in annotated for name in names)


def test_pure_layers_import_neither_distributed_nor_tornado() -> None:
    """A notebook that opens a cube starts no event loop and loads no scheduler."""
    code = "; ".join(
        [
            "import sys",
            *(f"import visiomatic_dask.{name}" for name in PURE),
            "print([m for m in ('distributed', 'tornado') if m in sys.modules])",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
