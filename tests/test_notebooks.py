"""Every notebook runs from top to bottom in a kernel of its own, and what it shows is what it says it shows."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ipcir_tools.composers import COMPOSERS

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
        report="[report.added, report.seen, len(world.pictures), len(report.skipped), report.captions.made]",
        origins="[each.turn.imagined.origin for each in (first, second, third, edited)]",
        imagined="[each.turn.imagined.description for each in (first, third, branch, edited)]",
        parents="[third.turn.parent == second.turn.id, branch.turn.parent == second.turn.id]",
        judged="[list(judged.turn.query.liked) == [branch.turn.hits[2].id], len(judged.turn.query.disliked)]",
        found="[[Path(hit.source).name for hit in each.hits] for each in (by_picture, by_words, first, third, branch)]",
    )
    added, seen, drawn, skipped, captioned = ran.values["report"]
    assert added == seen == drawn == captioned > 300
    assert skipped == 0
    assert ran.values["origins"] == ["rules"] * 3 + ["person"]
    first, third, branch, edited = ran.values["imagined"]
    assert "red" in first
    assert "red" in third
    assert "buttons and a pocket" in third
    assert "dress" in branch
    assert "a pocket" in edited
    assert ran.values["parents"] == [True, True]
    assert ran.values["judged"] == [True, 1]
    by_picture, by_words, *both, dresses = ran.values["found"]
    assert all("-orange-checked-sweater" in name for name in by_picture)
    assert sum("-red-checked-sweater" in name for name in by_words) < 3
    assert all("-red-checked-sweater" in name for found in both for name in found)
    assert all("-red-checked-dress" in name for name in dresses)
    shown = ran.shown("text/html", "first = engine.search")
    assert pictures(shown) == 1 + 5
    assert shown.count("class='chip add'") == 1
    assert ran.shown("text/html", "draw_map(engine)").count("<image ") == drawn
    assert ran.shown("text/html", "draw_map(engine, third.turn)").count("</text>") == 1 + 5
    assert pictures(ran.shown("text/html", "draw_dialogue")) == 1 + 6
    assert ran.shown("image/png", "draw_sheet")


@pytest.mark.slow
def test_agent(run):
    ran = run(
        "03_agent",
        calls="[call['name'] for message in answer['messages'] for call in getattr(message, 'tool_calls', [])]",
        asked="[step.query.modification for step in engine.catalog.path(turn.id)]",
        imagined="turn.imagined.description",
        nodes="nodes",
        refined="[refined.query.modification, len(refined.query.liked), refined.parent == back.id]",
        question="question['why']",
        answered="[answered.query.modification, answered.parent == back.id, answered.imagined.description]",
        found="[Path(hit.source).name for hit in answered.hits]",
    )
    assert ran.values["calls"] == ["find_images", "compose_search", "refine_search"]
    assert ran.values["asked"] == ["in blue", "with long sleeves"]
    assert "blue" in ran.values["imagined"]
    assert "long sleeves" in ran.values["imagined"]
    assert ran.values["nodes"] == ["caption", "imagine", "compose", "search", "answer"]
    assert ran.values["refined"] == ["with long sleeves", 1, True]
    assert ran.values["question"] == "unclear"
    modification, from_back, description = ran.values["answered"]
    assert (modification, from_back) == ("in blue", True)
    assert "blue" in description
    assert all("-blue-floral-jacket" in name for name in ran.values["found"])
    assert ran.shown("text/html", "draw_messages").count("<div class='said ") == len("umtmtmtm")  # user, model, tool
    assert pictures(ran.shown("text/html", "draw_dialogue")) == 1 + 3
    assert pictures(ran.shown("text/html", "for step in")) == 2 * (1 + 3)


@pytest.mark.slow
def test_methods(run):
    ran = run(
        "04_methods",
        queries="report.queries",
        rows="{row.composer: [row.scored, row.failed, row.not_run] for row in report.rows}",
        recall="{row.composer: row.figures['R@10'].mean for row in report.rows if row.figures}",
        weights="[point['weight'] for point in report.curve]",
        again="[row.composer for row in again.rows]",
        rounds="[[each.figures[name]['R@1'].mean for each in played.rounds] for name in ('edit', 'modification')]",
    )
    queries, rows, recall = (ran.values[name] for name in ("queries", "rows", "recall"))
    assert queries == 48
    assert len(rows) == len(COMPOSERS) == 17
    assert "ipcir index --captions" in rows["caption-fusion"][2]
    assert all(row == [48, 0, ""] for name, row in rows.items() if name != "caption-fusion")
    assert recall["modification"] < recall["imagined"] <= recall["imagined+reference"]
    assert recall["reference"] < recall["imagined+reference"]
    assert len(ran.values["weights"]) > 10
    assert "imagined+reference:weight=0.5" in ran.values["again"]
    table = ran.shown("text/html", "report = evaluate(")
    assert all(f"<td>{name}</td>" in table for name in rows if name != "caption-fusion")
    assert "caption-fusion was not run" in table
    assert "| edit |" in ran.shown("text/markdown", "report = evaluate(")
    assert ran.shown("text/html", "draw_curve").count("<polyline") == 3
    assert [kind in ran.shown("text/html", "draw_kinds") for kind in ("add", "remove", "replace")] == [True] * 3
    assert ran.shown("text/html", "draw_rounds").count("<polyline") == 4
    remembers, forgets = ran.values["rounds"]
    assert remembers[0] < remembers[-1] > 50
    assert max(forgets) < 10
    assert "srcdoc=" in ran.shown("text/html", "report_html(report")


@pytest.mark.slow
def test_prompts(run):
    ran = run(
        "02_prompts",
        ids="prompt_ids()",
        cost="[imagination.cost.calls, imagination.cost.input_tokens, imagination.cost.output_tokens]",
        target="[imagination.target.description, *imagination.target.add, *imagination.target.remove]",
        swapped="[answer.prompt for answer in answers]",
        growing="growing",
        became="{kind: [answer.target.origin, answer.form] for kind, answer in became.items()}",
        terse="[terse.prompt, terse.target.description]",
        problem="problem",
        recall="{arm.name: arm.figures['R@1'].mean for arm in compared.arms}",
        counted="[[arm.scored, arm.failed] for arm in compared.arms]",
        traffic="[[arm.this_run.requests, arm.this_run.calls, arm.this_run.cache_hits]"
        " for run in (compared, again) for arm in run.arms if arm.this_run]",
    )
    assert all(id in ran.shown("stdout", "prompt_ids()") for id in ran.values["ids"])
    rendered = ran.shown("text/html", "draw_messages(messages)")
    assert "[/caption&gt; {with}" in rendered, "the value could not end its block"
    assert ran.values["cost"][0] == 1
    assert min(ran.values["cost"][1:]) > 10
    assert ran.values["target"][0].startswith("a sleeveless blue dress")
    assert {"blue", "red"} <= set(ran.values["target"][1:])
    assert all(tag.startswith("imagine.simple@") for tag in ran.values["swapped"])
    growing = ran.values["growing"]
    assert len(growing) > 3
    assert all(after.startswith(before) for before, after in pairwise(growing))
    assert ran.values["became"] == {
        "fenced": ["llm", "json"],
        "thinking": ["llm", "json"],
        "plain words": ["llm", "text"],
        "declined": ["fallback", None],
        "nonsense, twice": ["fallback", None],
    }
    tag, description = ran.values["terse"]
    assert tag.startswith("imagine.terse@1#")
    assert len(description.split()) <= 4
    assert "imagine.terse.md uses title" in ran.values["problem"]
    recall = ran.values["recall"]
    assert recall["structured, forgetful"] < recall["terse"] < recall["structured"]
    assert ran.values["counted"] == [[36, 0]] * 4
    first, second = ran.values["traffic"][:3], ran.values["traffic"][3:]
    assert all(requests == calls + hits for requests, calls, hits in first + second)
    assert all(calls > 0 for _, calls, _ in first)
    structured, terse, forgetful = (calls for _, calls, _ in second)
    assert (structured, forgetful) == (0, 0)
    assert terse < first[1][1]  # four words may leave the change out, which is no imagination and not kept
    assert pictures(ran.shown("text/html", "draw_queries(")) == 4 * 2
    assert ran.shown("text/html", "compared = compare(").count('<svg class="bar') == 4
    assert "It was hardly measured" in ran.shown("text/html", "compared = compare(")
    assert "srcdoc=" in ran.shown("text/html", "comparison_html(compared")
