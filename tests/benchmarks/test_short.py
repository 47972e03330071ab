"""The benchmark itself works: a short run on our server alone, and the report of a made-up result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from . import report

ROOT = Path(__file__).parents[2]


@pytest.mark.cluster
@pytest.mark.timeout(180)
def test_short_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.peer", "--short", "--results", str(tmp_path)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert finished.returncode == 0, finished.stderr
    (path,) = tmp_path.glob("*.json")
    result = json.loads(path.read_text())
    assert result["medians"]["ours"]["mono.tiles_per_second"] > 0
    assert "first tile" in finished.stdout


def made_up(first_tile: float) -> dict[str, Any]:
    slow = {path: 100.0 for _, path, _, _ in report.ROWS}
    fast = {path: 5.0 for _, path, _, _ in report.ROWS} | {"first_tile_s": first_tile, "cache_mb": 0.0}
    return {
        "environment": report.environment(),
        "runs_each": 1,
        "seconds": 1.0,
        "size": 512,
        "medians": {"ours": fast, "visiomatic": slow},
        "comparison": {},
    }


def test_bars_say_whether_they_are_met() -> None:
    assert [line.endswith("met") for line in report.bars(made_up(1.0))] == [True, True]
    assert [line.endswith("met") for line in report.bars(made_up(50.0))] == [False, True]


def test_page_keeps_what_stands_around_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "performance.md"
    report.write_markdown(made_up(1.0), page)
    assert "100 ×" in page.read_text()
    page.write_text("before\n" + page.read_text() + "after\n")
    report.write_markdown(made_up(2.0), page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "50 ×" in text
    assert "100 ×" not in text
    assert text.count(report.BEGIN) == text.count(report.END) == 1
