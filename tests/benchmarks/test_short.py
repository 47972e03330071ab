"""The benchmarks themselves work: a short run on our server alone, and the report of made-up results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from . import endurance, front_ends, history, mixing, peer, pyramids, report, viewport
from .environment import environment
from .figures import Column, Measured, Row, Section
from .load import find_wrk

ROOT = Path(__file__).parents[2]
SECTIONS = {
    "peer",
    "endurance",
    "viewport",
    "replay",
    "troubles",
    "stages",
    "routes",
    "transport",
    "front-ends",
    "opening",
    "browsing",
    "mixing",
    "mosaic",
    "compressed",
    "unpacked",
    "zarr-tiles",
    "pyramids",
}


def short_run(names: Sequence[str], folder: Path) -> tuple[dict[str, Any], str]:
    """Run some sections in short form; give their results, and what was printed."""
    page = folder / "performance.md"
    options = ["--short", "--results", str(folder), "--docs", str(page)]
    command = [sys.executable, "-m", "tests.benchmarks", *names, *options]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert finished.returncode == 0, finished.stderr
    assert report.BEGIN in page.read_text()
    (path,) = folder.glob("*.json")
    sections: dict[str, Any] = json.loads(path.read_text())["sections"]
    assert set(sections) == set(names)
    return sections, finished.stdout


@pytest.mark.cluster
@pytest.mark.timeout(420)
def test_short_run(tmp_path: Path) -> None:
    """All of them work. Figures mean nothing here, so that two run at a time: most of each is waiting for servers."""
    find_wrk()  # installs it where need be, once
    parts = [sorted(SECTIONS)[first::2] for first in (0, 1)]
    with ThreadPoolExecutor() as pool:
        finished = list(pool.map(short_run, parts, [tmp_path / "even", tmp_path / "odd"]))
    result = {"sections": finished[0][0] | finished[1][0]}
    printed = finished[0][1] + finished[1][1]
    assert set(result["sections"]) == SECTIONS
    for name, section in result["sections"].items():
        assert section["columns"], name
        for figures in section["columns"].values():
            assert figures, name
    assert result["sections"]["peer"]["columns"]["ours"]["mono.tiles_per_second"] > 0
    assert result["sections"]["replay"]["columns"]["ours"]["failed"] == 0
    assert [figures["failed"] for figures in result["sections"]["troubles"]["columns"].values()] == [0, 0, 0]
    assert set(result["sections"]["front-ends"]["columns"]) == {"ours, 1", "ours, 2"}
    assert result["sections"]["front-ends"]["columns"]["ours, 2"]["front_ends_ms"] > 0
    mixed = result["sections"]["mixing"]["columns"]
    assert mixed["ours"]["first_s"] > 0
    assert sum(mixed[mixing.TWO][f"many.worker {number}.tasks"] for number in (0, 1)) >= 1
    assert "first tile" in printed


def made_up(value: float) -> tuple[Section, Measured]:
    rows = (Row("time", "time", "s"), Row("rate", "rate", "/s", "more"), Row("missing", "missing", "s"))
    columns = {"ours": {"time": value, "rate": 10.0}, "visiomatic": {"time": 100.0, "rate": 5.0}}
    return Section("made-up", "Made up", rows, lambda _: measured, "visiomatic"), (measured := Measured(columns))


def test_table_says_how_many_times_better() -> None:
    head, *body = report.table(*made_up(1.0))
    assert head == ["", "ours", "visiomatic", "ours is better by"]
    assert body == [["time", "1 s", "100 s", "100 ×"], ["rate", "10 /s", "5 /s", "2 ×"]]


def test_page_keeps_what_stands_around_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "performance.md"
    report.write_markdown(environment(), [made_up(1.0)], [], page)
    assert "100 ×" in page.read_text()
    page.write_text("before\n" + page.read_text() + "after\n")
    report.write_markdown(environment(), [made_up(2.0)], ["better: much"], page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "50 ×" in text
    assert "* better: much" in text
    assert "100 ×" not in text
    assert text.count(report.BEGIN) == text.count(report.END) == 1


def test_part_of_a_page_is_measured_by_itself(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    other, found = made_up(3.0)
    report.write_markdown(environment(), [made_up(1.0), (replace(other, title="Other"), found)], ["worse"], page)
    whole = page.read_text()
    report.write_markdown(environment(), [made_up(2.0)], ["better"], page, is_part=True)
    text = page.read_text()
    assert [line for line in text.splitlines() if line.startswith("###")] == [
        "### Made up",
        "### Other",
        "### Beside the result before",
    ]
    assert "50 ×" in text
    assert "100 ×" not in text
    assert text.count("Measured by itself") == 1
    assert text.partition("### Other")[2] == whole.partition("### Other")[2]
    report.write_markdown(environment(), [(replace(other, title="New"), found)], [], page, is_part=True)
    assert (
        page.read_text().index("### Other") < page.read_text().index("### New") < page.read_text().index("### Beside")
    )


def of_peer(**figures: float) -> Column:
    return {key: 10.0 for key, *_ in peer.BARS} | {"mono@64.p99": 20.0} | figures


def test_bars_of_the_peer() -> None:
    mine = of_peer(**{"first_tile_s": 1.0, "mono.processor_ms": 1.0, "cached.processor_ms": 0.3, "mono@64.p99": 151.0})
    theirs = of_peer(**{"first_tile_s": 15.0, "mono.processor_ms": 12.0})
    bars = {bar.text: bar.met for bar in peer.bars({"ours": mine, "visiomatic": theirs})}
    assert [met for text, met in bars.items() if "first tile" in text] == [True]
    assert [met for text, met in bars.items() if "mono" in text] == [False, True]
    assert [met for text, met in bars.items() if "of a cached" in text] == [True, True]
    assert [met for text, met in bars.items() if "p99" in text] == [False]
    assert peer.bars({"ours": mine}) == []


def test_bars_of_long_loads() -> None:
    good = {"seconds": 60.0, "p99": 80.0, "failed": 0.0, "refused": 0.0, "growth_mb": 1.0, "memory_mb": 300.0}
    crowd = good | {"refused": 50.0, "p99": 400.0}
    column = {f"64.{key}": value for key, value in good.items()}
    column |= {f"256.{key}": value for key, value in crowd.items()}
    assert all(bar.met for bar in endurance.bars({"ours": column}))
    bad = column | {"64.refused": 1.0, "256.growth_mb": 20.0}
    assert [bar.met for bar in endurance.bars({"ours": bad})] == [False, True, True, True, False]


def test_bars_of_the_viewport_take_what_could_be_measured() -> None:
    column = {"bricks_mb": 40.0, "cached.all_s": 0.2, "cached.below_mb": 10.0, "cached.right_mb": 0.0}
    assert [bar.met for bar in viewport.bars({"ours": column})] == [True, True, True]
    column |= {"cold.all_s": 2.0, "cold.below_mb": 40.0, "cold.right_mb": 0.0, "cold.demanded_mb": 48.0}
    assert [bar.met for bar in viewport.bars({"ours": column})] == [True, True, True, False, False, True, False]


def test_bars_of_front_ends_take_what_was_measured() -> None:
    columns = {"ours-cluster, 1": {"processor_ms": 0.8}, "ours-cluster, 2": {"processor_ms": 0.83}}
    assert [bar.met for bar in front_ends.bars(columns)] == [True]
    columns["ours-cluster, 2"]["processor_ms"] = 0.85
    assert [bar.met for bar in front_ends.bars(columns)] == [False]
    assert front_ends.bars({"ours, 1": {"processor_ms": 0.6}}) == []


def test_throughput_on_more_cores() -> None:
    assert front_ends.throughput(16, 0.5, 0.5) == (8, 16_000)
    assert front_ends.throughput(2, 0.1, 1.0) == (1, 1_000)


def test_bars_of_pyramids() -> None:
    good = {key: limit for key, _, _, limit in pyramids.BARS} | {"of_dd": 0.5, "files": 70.0, "most_files": 70.5}
    good["first_tile_s"] = 1.0
    assert all(bar.met for bar in pyramids.bars({"ours": good, "visiomatic": {"first_tile_s": 15.0}}))
    bad = good | {"of_dd": 0.49, "source": 1.03, "files": 71.0}
    bars = pyramids.bars({"ours": bad, "visiomatic": {"planes": 0.0}})
    assert len(bars) == 9
    assert [bar.text.split(":")[0] for bar in bars if not bar.met] == [
        "rate of the build 0.49 of dd's, at least 0.5",
        "read of the file by its build",
        "71 files in the store, at most 70",
    ]
    assert pyramids.bars({"visiomatic": {"first_tile_s": 15.0}}) == []


def test_bars_of_mixing() -> None:
    looks = dict.fromkeys(("api.contrast_ms", "contrast_ms", "gamma_ms", "saturation_ms"), 1.0)
    mine = looks | {"first_s": 0.5, "coarse_s": 0.2, "api.mono_ms": 0.6, "mono_ms": 0.6}
    mine |= {"mixing_ms": 1000.0, "recut_ms": 40.0}
    workers = {"many.peak_mb": 900.0, "many.largest_share": 0.6}
    theirs = {"first_s": 2.1, "api.contrast_ms": 41.0}
    columns = {"ours": mine, "visiomatic": theirs, mixing.TWO: workers}
    bars = mixing.bars(columns)
    assert len(bars) == 10
    assert all(bar.met for bar in bars)
    bad = mine | {"first_s": 0.6, "saturation_ms": 1.2, "recut_ms": 60.0}
    bars = mixing.bars(columns | {"ours": bad, mixing.TWO: workers | {"many.largest_share": 1.0}})
    assert [bar.met for bar in bars].count(False) == 4
    assert len(mixing.bars({"ours-cluster": mine})) == 6


def before(time: float, scale: dict[str, Any], **machine: Any) -> dict[str, Any]:
    section, measured = made_up(time)
    return {
        "environment": environment() | machine,
        "scale": scale,
        "sections": {section.name: measured.json},
    }


def test_comparison_with_an_earlier_result() -> None:
    now, scale = environment(), {"size": 512, "kinds": ["ours"]}
    said = history.compare(now, scale, [made_up(1.2)], before(1.0, scale))
    assert [line for line in said if line.startswith("worse")] == ["worse: made-up, ours, time: 1 → 1.2 s (0.83 ×)"]
    said = history.compare(now, scale, [made_up(1.1)], before(1.0, scale, processor="another"))
    assert not [line for line in said if line.startswith(("worse", "better"))]
    assert [line for line in said if "another" in line]
    assert history.compare(now, scale, [made_up(1.0)], None)


def test_last_committed_is_what_was_committed(tmp_path: Path) -> None:
    assert history.last_committed(tmp_path) is None
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    for name, date, form in (("b", "2026-01-01", 2), ("a", "2026-01-02", 2), ("c", "2026-01-03", 1)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"format": form, "environment": {"date": date}}))
    git("add", ".")
    git("commit", "-m", "results")
    (tmp_path / "a.json").write_text("{}")
    found = history.last_committed(tmp_path)
    assert found is not None
    assert found["environment"]["date"] == "2026-01-02"


def test_page_says_how_it_is_measured() -> None:
    method, page = (path.read_text() for path in (report.METHOD, ROOT / "docs" / "performance.md"))
    assert page.partition(report.BEGIN)[0] == method.partition(report.BEGIN)[0]
    assert report.END in page
