"""Where pyramids are kept, by the settings and by where the workers are."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from visiomatic_dask.config import load_settings
from visiomatic_dask.engine.cluster import ClusterAddress
from visiomatic_dask.errors import InvalidSetting
from visiomatic_dask.server.stores import with_store

ELSEWHERE = ClusterAddress("tcp://127.0.0.1:1")


def test_workers_of_this_machine_have_a_store_of_their_own(tmp_path: Path) -> None:
    settings = with_store(load_settings(cache_folder=str(tmp_path / "cache")), None)
    assert settings.store == str(tmp_path / "cache" / "store")
    assert Path(settings.store).is_dir()
    assert with_store(settings, ELSEWHERE) == settings  # settled once and for all


def test_elsewhere_it_has_to_be_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        settings = with_store(load_settings(cache_folder=str(tmp_path)), ELSEWHERE)
    assert (settings.pyramid, settings.store) == ("memory", None)
    assert "give --store, or set visiomatic.store" in caplog.text
    assert not list(tmp_path.iterdir())
    caplog.clear()
    with caplog.at_level(logging.INFO):
        with_store(load_settings(pyramid="memory"), ELSEWHERE)
    assert not caplog.text


def test_a_folder_is_made_if_the_one_above_is_there(tmp_path: Path) -> None:
    settings = with_store(load_settings(store=str(tmp_path / "new")), ELSEWHERE)
    assert Path(str(settings.store)).is_dir()
    with pytest.raises(InvalidSetting, match="No such file"):
        with_store(load_settings(store=str(tmp_path / "no" / "such")), ELSEWHERE)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match="File exists"):
        with_store(load_settings(store=str(tmp_path / "file")), None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidSetting, match="cannot be written to"):
        with_store(load_settings(store=str(tmp_path)), None)


def test_without_a_cache_nothing_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file")
    with caplog.at_level(logging.WARNING):
        settings = with_store(load_settings(cache_folder=str(tmp_path / "cache")), None)
    assert (settings.pyramid, settings.store) == ("memory", None)
    assert "nothing that is made of zoomed-out views is kept" in caplog.text


def test_urls_are_taken_as_they_are() -> None:
    assert with_store(load_settings(store="s3://bucket/store"), ELSEWHERE).store == "s3://bucket/store"
