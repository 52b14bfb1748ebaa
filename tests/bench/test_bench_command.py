"""``ipcir bench`` from the command line: what is printed where, what is left behind, and one small real run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bench_documents import MACHINE, PARTS

from ipcir_tools.bench import report
from ipcir_tools.bench.weights import LOCAL
from ipcir_tools.cli import main
from ipcir_tools.models.presets import DEMO_FOLDER

SMALL = ("--encoder", f"{LOCAL}{DEMO_FOLDER / 'clip'}", "--pictures", "4", "--rounds", "1", "--queries", "10")


@pytest.fixture
def run(monkeypatch, capsys):
    """The status, what is printed, and what is said beside it."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ipcir", "bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def made_up(monkeypatch):
    """Measurements that are made up; gives the folders that they were made in."""
    seen: list[Path] = []

    def document(plan: Any, say: Any) -> dict[str, Any]:
        say("index: measuring")
        assert plan.folder.is_dir()
        seen.append(plan.folder)
        parts = {part: PARTS[part] for part in plan.parts if part != "memory"}
        failures = {"memory": "no room"} if "memory" in plan.parts else {}
        about = MACHINE | {"load_average": [0.0] * 3, "others": {}}
        return {"machine": about, **parts, "goals": report.goals(parts), "failures": failures}

    monkeypatch.setattr(report, "run", document)
    return seen


def test_json_is_all_that_is_printed(run, made_up):
    status, out, err = run("--json", "--only", "index,query")
    assert status == 0
    assert json.loads(out)["index"] == PARTS["index"]
    assert "about 4 minutes on two cores; of these in seconds: index 75, query 180" in err
    assert "index: measuring" in err
    assert not made_up[0].exists()


def test_a_failure_of_one_part_is_the_status_and_the_rest_is_printed(run, made_up):
    status, out, err = run("--json", "--only", "index,memory")
    assert status == 1
    assert "memory was not measured: no room" in err
    assert "index" in json.loads(out)


def test_what_is_kept_stays(run, made_up, tmp_path):
    status, out, _ = run("--only", "index", "--keep", str(tmp_path / "kept"), "--plot", str(tmp_path / "plot.png"))
    assert status == 0
    assert made_up == [tmp_path / "kept"]
    assert (tmp_path / "kept").is_dir()
    assert (tmp_path / "plot.png").stat().st_size > 1_000
    assert "Indexing end to end" in out


def test_a_tilde_that_the_shell_leaves_is_the_home_folder(run, made_up, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert run("--only", "index", "--keep=~/kept", "--plot=~/plot.png")[0] == 0
    assert made_up == [tmp_path / "home" / "kept"]
    assert (tmp_path / "home" / "plot.png").is_file()
    assert [each.name for each in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "speed"), "no part 'speed'"),
        (("--sizes", "few"), "--sizes takes numbers"),
        (("--plot", "/"), "/"),
        (("--encoder", "foo"), "open_clip:MODEL/random"),
        (("--encoder", "open_clip:ViT-B-99/random"), "no model 'ViT-B-99'"),
        (("--encoder", f"{LOCAL}/nowhere"), "no model of open_clip's"),
        (("--keep", __file__), "The folder"),
        (("--keep", f"{__file__}/x"), "The folder"),
        (("--keep", "/proc/x"), "The folder"),
        (("--keep", "/proc"), "The folder"),
        (("--keep", ""), "is empty"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_is_measured(run, made_up, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out, made_up) == (2, "", [])
    assert words in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_small_run_measures_for_real(run, tmp_path):
    status, out, err = run(*SMALL, "--sizes", "200", "--only", "index,query,update", "--json")
    document = json.loads(out)
    assert (status, document["failures"]) == (0, {}), err
    assert document["index"]["images_per_s"] > 0 < document["index"]["peer_per_s"]
    (query,) = document["query"]
    assert (query["n"], query["recall_at_10"], query["chroma_recall_at_10"]) == (200, 1.0, 1.0)
    assert [each["share"] for each in query["filters"]] == [0.01, 0.1, 0.5]
    assert query["p50_ms"] >= query["overhead_p50_ms"] > 0
    assert set(document["update"][0]) >= {"n", "add_3_s", "resync_s", "open_s"}
    assert document["plan"]["sizes"] == [200]


def test_a_run_that_is_ended_leaves_nothing_behind(tmp_path):
    arguments = [sys.executable, "-m", "ipcir_tools.cli.main", "bench", *SMALL, "--only", "memory"]
    process = subprocess.Popen(
        arguments, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "writing pictures" in line:
            break
    assert list(tmp_path.glob("ipcir-bench-*"))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    deadline = time.monotonic() + 10
    while (left := list(tmp_path.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
