"""The figures of the README are those that its command prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = {
    "the words alone": ("modification", 0),
    "the picture alone": ("reference", 0),
    "both, as a weighted sum": ("sum", 0),
    "IP-CIR's text proxy": ("imagined+reference", 0),
    "the default": ("edit", 0),
    "the default, its first 6 hits verified by the captioner": ("edit", 6),
}
TOLERANCE = 0.2
"""One query of 516: another version of torch rounds a score otherwise, and two near pictures change places."""


@pytest.mark.slow
def test_the_readme_has_the_figures_of_the_demo(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IPCIR_")}
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("ipcir")), "demo", "--json"],
        env=clean | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    measured = {(row["composer"], row["verified"]): row for row in json.loads(ended.stdout)["ablation"]}
    for document in ("README.md", "ipcir_tools/docs/methods.md"):
        shown = re.findall(
            r"^\| (.+?) \|(?: [0-9.]* \|)?" + r" ([0-9.]+) \|" * 3 + "$", (ROOT / document).read_text(), re.M
        )
        named = {name: figures for name, *figures in shown}
        for name, key in ROWS.items():
            label = name if document == "README.md" else f"`{key[0]}`" + (f", {key[1]} verified" if key[1] else "")
            found = [measured[key][f"R@{k}"] for k in (1, 5, 10)]
            assert [float(figure) for figure in named[label]] == pytest.approx(found, abs=TOLERANCE), name
