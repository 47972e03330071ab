"""What all tests share: how hypothesis runs, and where the real files are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dask.config
import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run: a test that fails in CI fails at home. HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile(
    "visiomatic",
    derandomize=True,
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("visiomatic"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "visiomatic"))


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what is unpacked, also by processes that tests start: never the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch, dask.config.set({"visiomatic.cache-folder": str(folder)}):
        patch.setenv("DASK_VISIOMATIC__CACHE_FOLDER", str(folder))
        yield folder


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Folder of the shared real files; whoever needs it is skipped where it is absent."""
    default = Path(__file__).parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("VISIOMATIC_TEST_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no real files at {folder}; VISIOMATIC_TEST_DATA says where they are")
    return folder
