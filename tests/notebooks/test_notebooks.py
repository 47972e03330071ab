"""Every notebook runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"


@pytest.mark.cluster
@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.ipynb")))
# The kernel's messaging still binds to the event loop policy, which Python 3.14 warns of.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{Path('/usr/bin')}:{Path('/bin')}")
    notebook = nbformat.read(FOLDER / name, as_version=4)
    assert notebook.cells
    assert all(not cell.get("outputs") for cell in notebook.cells), "notebooks are kept without their outputs"
    NotebookClient(notebook, timeout=90, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    kinds = {kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert "text/html" in kinds, "xarray shows itself as a table"
    pictures = [output for cell in notebook.cells for output in cell.get("outputs", []) if _picture(output)]
    assert len(pictures) >= 3, "a plane, a spectrum and a tile"


def _picture(output: object) -> bool:
    data = output.get("data", {}) if isinstance(output, dict) else {}
    return "image/png" in data or "image/jpeg" in data
