"""Every notebook runs from top to bottom in a kernel of its own, and what it shows is what it says it shows."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells_of(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped(path: Path):
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells_of(path))


def test_there_are_the_four():
    assert [path.stem for path in NOTEBOOKS] == ["01_search", "02_prompts", "03_agent", "04_methods"]


class Ran:
    """A notebook after its run: what its cells showed, and what its variables held when it ended."""

    def __init__(self, name: str, values: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in [name for name in os.environ if name.startswith("IPCIR_")]:
            monkeypatch.delenv(variable)
        for variable in ("HOME", "TMPDIR", "IPYTHONDIR"):
            monkeypatch.setenv(variable, str(folder))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        expressions = ", ".join(f"{key!r}: {code}" for key, code in values.items())
        asked = nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({{{expressions}}}))")
        notebook.cells = [*notebook.cells, asked]
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        *self._cells, last = (cell for cell in notebook.cells if cell.cell_type == "code")
        self.values = json.loads("".join(output.text for output in last.outputs if output.get("name") == "stdout"))

    def shown(self, kind: str, containing: str) -> str:
        """What the first cell that contains a text showed, as ``stdout`` or of a MIME type; all of it joined."""
        cell = next(cell for cell in self._cells if containing in cell.source)
        found = [o.text for o in cell.outputs if o.output_type == "stream" and o.name == kind]
        found += ["".join(o.data[kind]) for o in cell.outputs if kind in o.get("data", {})]
        return "\n".join(found)


def pictures(html: str) -> int:
    return len(re.findall(r"<img src='data:image/jpeg;base64,", html))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    return lambda name, **values: Ran(name, values, tmp_path, monkeypatch)


def test_search(run):
    ran = run(
        "01_search",
        report="[report.added, report.seen, len(world.pictures), len(report.skipped)]",
        origins="[each.turn.imagined.origin for each in (first, second, third)]",
        imagined="[each.turn.imagined.description for each in (first, third, branch)]",
        parents="[third.turn.parent == second.turn.id, branch.turn.parent == first.turn.id]",
        judged="[list(judged.turn.query.liked) == [branch.turn.hits[0].id], len(judged.turn.query.disliked)]",
    )
    added, seen, drawn, skipped = ran.values["report"]
    assert added == seen == drawn > 100
    assert skipped == 0
    assert ran.values["origins"] == ["rules"] * 3
    first, third, branch = ran.values["imagined"]
    assert "blue" in first
    assert "blue" in third
    assert "long sleeves" in third
    assert "sleeveless" in branch
    assert ran.values["parents"] == [True, True]
    assert ran.values["judged"] == [True, 1]
    assert pictures(ran.shown("text/html", "first = engine.search")) == 1 + 5
    assert ran.shown("stdout", "print(first)").count("-floral-") == 5
    assert ran.shown("image/png", "draw_sheet")


def test_agent(run):
    ran = run(
        "03_agent",
        calls="[call['name'] for message in said['messages'] for call in getattr(message, 'tool_calls', [])]",
        asked="[step.query.modification for step in engine.catalog.path(turn.id)]",
        imagined="turn.imagined.description",
        stages="stages",
        refined="[refined.query.modification, len(refined.query.liked), refined.parent == back.id]",
        question="question['why']",
        answered="[answered.query.modification, answered.parent == back.id, answered.imagined.description]",
    )
    assert ran.values["calls"] == ["find_images", "compose_search", "refine_search"]
    assert ran.values["asked"] == ["in blue", "with long sleeves"]
    assert "blue" in ran.values["imagined"]
    assert "long sleeves" in ran.values["imagined"]
    assert ran.values["stages"] == ["caption", "imagine", "compose", "search", "answer"]
    assert ran.values["refined"] == ["with long sleeves", 1, True]
    assert ran.values["question"] == "unclear"
    modification, from_back, description = ran.values["answered"]
    assert (modification, from_back) == ("in yellow", True)
    assert "yellow" in description
    assert "read(read)" in ran.shown("text/markdown", "draw_mermaid")
    assert pictures(ran.shown("text/html", "for step in")) == 2 * (1 + 3)


def test_methods(run):
    ran = run(
        "04_methods",
        queries="report.queries",
        rows="{row.composer: [row.scored, row.failed, row.not_run] for row in report.rows}",
        recall="{row.composer: row.figures['R@10'].mean for row in report.rows if row.figures}",
        weights="[point['weight'] for point in report.curve]",
        again="[row.composer for row in again.rows]",
    )
    queries, rows, recall = (ran.values[name] for name in ("queries", "rows", "recall"))
    assert queries == 48
    assert len(rows) == 14
    assert all(row == [48, 0, ""] for row in rows.values())
    assert recall["modification"] < recall["imagined"] <= recall["imagined+reference"]
    assert recall["reference"] < recall["imagined+reference"]
    assert len(ran.values["weights"]) > 10
    assert "imagined+reference:weight=0.5" in ran.values["again"]
    table = ran.shown("text/markdown", "report_markdown(report)")
    assert all(f"| {name} " in table for name in rows)
    assert "srcdoc=" in ran.shown("text/html", "report_html(report")
