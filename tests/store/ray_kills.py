"""Indexing on Ray while drivers and workers are killed; some two minutes, so it is run by its name: ``.ci/run``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import ray_models
from test_ray import draw, held, opened, told

TESTS = Path(__file__).parent.parent

KILLED = """
import os, signal, sys
from pathlib import Path
from ipcir_tools import Engine, Settings
import ray_models

def progress(what, done, total):
    if what == "indexing" and done >= 8:
        print(os.getpid(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

settings = Settings(home=Path(sys.argv[1]), encoder=ray_models.ENCODER, captioner=ray_models.CAPTIONER, batch_size=4)
with Engine.open(settings) as engine:
    engine.index([Path(sys.argv[2])], progress, captions=True, ray=True)
"""

MACHINE_KILLED = """
import os, signal, sys
from pathlib import Path
from ray.cluster_utils import Cluster
from ipcir_tools import Engine, Settings
import ray_models

machine = {"num_cpus": 1, "object_store_memory": 150_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**machine, "include_dashboard": False})
other = cluster.add_node(**machine)
killed = []

def progress(what, done, total):
    if what == "indexing" and done >= 20 and not killed:
        killed.extend(each.process.pid for each in other.all_processes["raylet"])
        for each in killed:
            os.kill(each, signal.SIGKILL)

settings = Settings(home=Path(sys.argv[1]), encoder=ray_models.ENCODER, captioner=ray_models.CAPTIONER, batch_size=4)
with Engine.open(settings) as engine:
    report = engine.index([Path(sys.argv[2])], progress, captions=True, ray=cluster.address)
cluster.shutdown()
print(bool(killed), report.added, len(report.skipped))
"""


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "notes").mkdir()
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as temporary:  # sockets need short names
        notes = {ray_models.FOLDER: str(tmp_path / "notes"), "TMPDIR": temporary}
        yield {**os.environ, "PYTHONPATH": str(TESTS), **notes}


def processes_of(folder: str) -> list[str]:
    """The processes that have something in their command or environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            text = (each / "environ").read_bytes() + (each / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.encode() in text and int(each.name) != os.getpid():
            found.append((each / "cmdline").read_bytes().decode(errors="replace"))
    return found


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_killed_driver_loses_a_few_blocks_at_most_and_leaves_no_process(tmp_path, environment):
    photos, home = tmp_path / "photos", tmp_path / "home"
    for seed in range(40):
        draw(photos / f"{seed:02}.png", seed, ray_models.SLOW)
    draw(photos / "99.png", 99, ray_models.ONCE)
    killed = run(["-c", KILLED, str(home), str(photos)], environment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with opened(home) as engine:
        there = engine.catalog.size()
    assert 8 <= there < 41
    until = time.monotonic() + 180  # Ray's agent of the node notices last: after a good minute on a busy machine
    while processes_of(str(tmp_path / "notes")) and time.monotonic() < until:
        time.sleep(0.5)
    assert not processes_of(str(tmp_path / "notes"))

    options = ["--encoder", ray_models.ENCODER, "--captioner", ray_models.CAPTIONER, "--home", str(home)]
    command = ["-m", "ipcir_tools.cli.main", "index", str(photos), "--ray", "--captions", "--json", *options]
    again = run(command, {**environment, "IPCIR_BATCH_SIZE": "4"})
    assert again.returncode == 0, again.stderr
    assert not list(Path(environment["TMPDIR"]).iterdir()), "what the killed driver left in it is removed, too"
    report = json.loads(again.stdout)  # one document and nothing else, though a worker was killed
    assert (tmp_path / "notes" / "killed").exists()
    assert (report["seen"], report["added"], report["unchanged"]) == (41, 41 - there, there)
    assert not report["skipped"]
    with opened(tmp_path / "near") as near, opened(home) as far, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ray_models.FOLDER, str(tmp_path / "notes"))
        near.index([photos], captions=True)
        assert held(far) == held(near)


def test_a_picture_that_kills_its_worker_each_time_is_skipped_and_named(tmp_path, environment):
    photos = tmp_path / "photos"
    for seed in range(12):
        draw(photos / f"{seed:02}.png", seed)
    poison = draw(photos / "05b.png", 99, ray_models.POISON)
    with opened(tmp_path / "home") as engine, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ray_models.FOLDER, str(tmp_path / "notes"))
        report = engine.index([photos], ray=True)
        assert report.added == 12
        (skip,) = report.skipped
        assert skip.source == str(poison)
        assert "it ended its worker 3 times" in skip.reason


def test_captions_of_pictures_that_are_there(tmp_path, environment):
    photos = tmp_path / "photos"
    for seed in range(9):
        draw(photos / f"{seed:02}.png", seed)
    with opened(tmp_path / "far") as far, opened(tmp_path / "near") as near:
        for engine in (far, near):
            engine.index([photos])
        assert told(far.index([photos], captions=True, ray=True)) == told(near.index([photos], captions=True))
        assert held(far) == held(near)


def test_a_killed_machine_changes_nothing(tmp_path, environment):
    photos = tmp_path / "photos"
    for seed in range(60):
        draw(photos / f"{seed:02}.png", seed, ray_models.SLOW)
    home = tmp_path / "far"
    done = run(["-c", MACHINE_KILLED, str(home), str(photos)], {**environment, "RAY_AUTH_MODE": "disabled"})
    assert done.stdout.split()[-3:] == ["True", "60", "0"], done.stdout + done.stderr
    with opened(tmp_path / "near") as near, opened(home) as far:
        near.index([photos], captions=True)
        assert held(far) == held(near)
