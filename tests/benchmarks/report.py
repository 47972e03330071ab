"""Results as JSON, as tables on the terminal, and as a section of docs/performance.md."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .figures import Measured, Section, times_better

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
FORMAT = 2  # of the JSON file; results of another one are not compared with

METHOD = Path(__file__).with_name("method.md")  # the page to begin with


_HEADING = "### "
_COMPARED = "Beside the result before"


def write_json(result: dict[str, Any], folder: Path) -> Path:
    """Write everything, under a name that sorts by date."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = "".join(filter(str.isdigit, result["environment"]["date"][:19]))
    path = folder / f"bench-{stamp[:8]}-{stamp[8:]}.json"
    path.write_text(json.dumps(_finite(result), indent=1, allow_nan=False) + "\n")
    return path


def _finite(value: Any) -> Any:
    """Replace what JSON has no number for."""
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(section: Section, measured: Measured) -> list[list[str]]:
    """Rows of text: title, one column for each thing measured, and how many times better than the reference."""
    names = list(measured.columns)
    reference = measured.columns.get(section.reference or "")
    compared = [
        name
        for name in names
        if name != section.reference and reference and reference.keys() & measured.columns[name].keys()
    ]
    rows = [["", *names, *(f"{name} is better by" for name in compared)]]
    for row in section.rows:
        values = {name: measured.columns[name].get(row.key) for name in names}
        if all(value is None for value in values.values()):
            continue
        cells = [_number(value, row.unit) for value in values.values()]
        for name in compared:
            mine, theirs = values[name], reference.get(row.key) if reference else None
            times = None if mine is None or theirs is None else times_better(mine, theirs, row.better)
            cells.append("–" if times is None else f"{times:.3g} ×")
        rows.append([row.title, *cells])
    return rows


def _number(number: float | None, unit: str) -> str:
    if number is None or not math.isfinite(number):
        return "–"
    if unit == "":
        return f"{number:,.0f}" if number == round(number) else f"{number:.2f}"
    return f"{number:,.0f} {unit}" if abs(number) >= 100 else f"{number:.3g} {unit}"


def show(section: Section, measured: Measured) -> None:
    """Print the table, the notes and the bars."""
    rows = table(section, measured)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{section.title}")
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        print(row[0].ljust(widths[0]), *cells)
    for line in _lines(measured):
        print(line)


def _lines(measured: Measured) -> list[str]:
    return [*measured.notes, *(bar.line for bar in measured.bars)]


def write_markdown(
    environment: dict[str, Any],
    sections: Sequence[tuple[Section, Measured]],
    comparison: Sequence[str],
    path: Path,
    *,
    is_part: bool = False,
) -> None:
    """Replace what stands between the markers of a page; the page is made when it is missing.

    Parameters
    ----------
    environment : dict
        Where it was measured.
    sections : sequence of (Section, Measured)
        What was measured.
    comparison : sequence of str
        Beside the result before.
    path : Path
        The page.
    is_part : bool
        Whether other sections stay as they are; those measured say when that was.
    """
    where = (
        f"{environment['date'][:10]}, {environment['processor']}, {environment['cores']} cores, "
        f"{environment['memory_gib']} GiB, Python {environment['versions']['python']}."
    )
    text = (path if path.exists() else METHOD).read_text()
    if BEGIN not in text or END not in text:
        text = text.rstrip() + f"\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    first, *blocks = old.strip("\n").split(f"\n{_HEADING}") if is_part and old.strip() else [where]
    tables = {block.partition("\n")[0]: block.strip("\n") for block in blocks}
    for section, measured in sections:
        head, *body = table(section, measured)
        lines = [
            section.title,
            "",
            *(("Measured by itself: " + where, "") if is_part else ()),
            "| " + " | ".join(head) + " |",
            "|---" + "|---:" * (len(head) - 1) + "|",
            *("| " + " | ".join(row) + " |" for row in body),
            "",
            *(f"* {line}" for line in _lines(measured)),
        ]
        tables[section.title] = "\n".join(lines).rstrip()
    # What is compared is the whole of a result with the whole of another.
    compared = tables.pop(_COMPARED, None)
    if comparison and not is_part:
        compared = "\n".join([_COMPARED, "", *(f"* {line}" for line in comparison)])
    last = [] if compared is None else [compared]
    found = "\n\n".join([first.strip("\n"), *(_HEADING + block for block in [*tables.values(), *last])])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{BEGIN}\n{found}\n{END}{after}")
