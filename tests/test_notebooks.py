"""Every notebook runs from top to bottom, in a process of its own, and shows what it says it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def cells_of(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped(path):
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells_of(path))


def test_first_search(tmp_path):
    program = "\n".join("".join(cell["source"]) for cell in cells_of(NOTEBOOKS[0]))
    checks = """
assert report.added == report.seen == len(world.pictures) and not report.skipped
assert [r.turn.imagined.origin for r in (first, second, third)] == ["rules"] * 3
assert "blue" in third.turn.imagined.description and "long sleeves" in third.turn.imagined.description
assert third.turn.parent == second.turn.id and branch.turn.parent == first.turn.id
print("checked")
"""
    env_home = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program + checks], capture_output=True, text=True, env={**_environment(), **env_home}
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.endswith("checked\n")


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("IPCIR_")}
