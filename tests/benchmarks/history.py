"""Beside the last committed result: the ratio of every figure, and which are worse."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .figures import Measured, Section, times_better
from .report import FORMAT

WORSE = 1.15  # times: what runs on shared machines differ by without a reason


def last_committed(folder: Path) -> dict[str, Any] | None:
    """Newest result in a folder that git tracks, as it was committed; None where there is none of this format."""
    listed = _git(folder, "ls-files", "*.json")
    results = []
    for name in (listed or "").splitlines():
        text = _git(folder, "show", f"HEAD:./{name}")  # not the file, which may have been changed since
        result = json.loads(text) if text else {}
        if result.get("format") == FORMAT:
            results.append(result)
    return max(results, key=lambda result: str(result["environment"]["date"]), default=None)


def compare(
    environment: dict[str, Any],
    scale: dict[str, Any],
    sections: Sequence[tuple[Section, Measured]],
    before: dict[str, Any] | None,
) -> list[str]:
    """Say how every figure has changed, the worst first.

    Returns
    -------
    list of str
        Sentences; those that begin with "worse" are more than 15 % worse.
    """
    if before is None:
        return ["no committed result of this form to compare with"]
    said = [f"beside the result of {before['environment']['date'][:16]}:"]
    said += [
        f"not alike: {name} was {earlier}, is {now}"
        for name, earlier, now in (
            *((key, before["environment"][key], environment[key]) for key in ("processor", "cores", "memory_gib")),
            *((key, before["scale"][key], scale[key]) for key in scale if key != "kinds" and key in before["scale"]),
        )
        if earlier != now
    ]
    changes = sorted(_changes(sections, before["sections"]))
    said += [f"{'worse' if times * WORSE < 1 else 'better'}: {text}" for times, text in changes if _differs(times)]
    alike = sum(not _differs(times) for times, _ in changes)
    return [*said, f"{alike} of {len(changes)} figures within {WORSE - 1:.0%}"]


def _changes(sections: Sequence[tuple[Section, Measured]], before: dict[str, Any]) -> list[tuple[float, str]]:
    """How many times better than before each figure is, and a sentence."""
    found = []
    for section, measured in sections:
        earlier_columns = before.get(section.name, {}).get("columns", {})
        for column, figures in measured.columns.items():
            for row in section.rows:
                now, earlier = figures.get(row.key), earlier_columns.get(column, {}).get(row.key)
                if now is None or earlier is None:
                    continue
                times = times_better(now, earlier, row.better)
                if times is not None and times > 0:
                    text = f"{section.name}, {column}, {row.title}: {earlier:.3g} → {now:.3g} {row.unit}".rstrip()
                    found.append((times, f"{text} ({times:.2f} ×)"))
    return found


def _differs(times: float) -> bool:
    return not 1 / WORSE <= times <= WORSE


def _git(folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
