"""The short form of chaos; all of it is ``python -m tests.chaos --runs 200``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_a_few_runs_keep_all_promises() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--runs", "14", "--seed", "7"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "14 runs, 0 broke a promise" in ended.stdout
