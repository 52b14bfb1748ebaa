"""Machines that share a PostgreSQL catalog: each has a home folder of its own, all have one gallery."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_ins import equipped

from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import COLOURS, FakeEncoder, ScriptedCaptioner, colour_name
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.index_folder import index_folder
from ipcir_tools.types import SearchResult

ENCODER, CAPTIONER = "open_clip:fake/colours", "transformers:fake/colours"
EACH = 6


def machine(home: Path, catalog_url: str | None = None, **chosen: object) -> Engine:
    """An engine as on a machine with its own home folder, with fakes in the place of the models."""
    settings = Settings(
        home=home, catalog_url=catalog_url, encoder=ENCODER, captioner=CAPTIONER, batch_size=4, **chosen
    )
    engine = Engine.open(settings)
    engine.components.encoder = FakeEncoder(encoder_id(engine.components.models.encoder))
    engine.components.captioner = ScriptedCaptioner(lambda picture: f"a {colour_name(picture)} shirt", id=CAPTIONER)
    engine.components.captioner_id = CAPTIONER
    return equipped(engine)


def draw(folder: Path, each: int = EACH) -> Path:
    for colour, rgb in COLOURS.items():
        (folder / colour).mkdir(parents=True, exist_ok=True)
        for seed in range(each):
            blocks = np.random.default_rng([seed, *rgb]).integers(-22, 22, (4, 4, 3))
            pixels = np.clip(np.array(rgb) + blocks, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(folder / colour / f"{seed}.png")
    return folder


@pytest.fixture
def pictures(tmp_path):
    return draw(tmp_path / "pictures")


def hits(result: SearchResult) -> list[tuple[str, str, float]]:
    return [(hit.id, hit.source, hit.score) for hit in result.turn.hits]


def test_a_shared_gallery_answers_as_one_in_a_folder(pictures, catalog_url, tmp_path):
    with machine(tmp_path / "alone") as alone, machine(tmp_path / "first", catalog_url) as first:
        for engine in (alone, first):
            assert engine.index([pictures], captions=True).added == EACH * len(COLOURS)
        with machine(tmp_path / "second", catalog_url) as second:
            reference = pictures / "red" / "0.png"
            for where in (None, {"folder": "blue"}, {"caption": "GREEN"}, {"name": "1.png"}, {"width": {"$lt": 32.5}}):
                expected = alone.search(reference, "in blue", where=where)
                for engine in (first, second):
                    assert hits(engine.search(reference, "in blue", where=where)) == hits(expected), where
            started = first.search(reference, "in blue")
            assert second.turn(started.turn.id) == started.turn, "turns are in the shared catalog"
            branch = second.refine(started.turn.id, "in green")
            assert [turn.id for turn in first.catalog.path(branch.turn.id)] == [started.turn.id, branch.turn.id]
            assert second.components.features.made["images"] == 0
            assert second.filter_values() == alone.filter_values()
            assert second.folders() == first.folders()


def test_what_one_machine_adds_and_removes_the_others_find(pictures, catalog_url, tmp_path):
    with machine(tmp_path / "first", catalog_url) as first, machine(tmp_path / "second", catalog_url) as second:
        first.index([pictures])
        assert second.find("blue").turn.hits
        new = draw(tmp_path / "more", EACH + 1)
        first.index([new])
        found = second.find("blue", k=EACH + 1).turn.hits
        assert len({hit.id for hit in found}) == EACH + 1
        second.remove([pictures, new])
        assert first.catalog.size() == 0


def test_each_machine_has_an_index_folder_of_its_own(catalog_url, tmp_path, monkeypatch):
    homes = [tmp_path / "first", tmp_path / "second"]
    with Catalog(catalog_url) as catalog:

        def folders() -> list[Path]:
            return [index_folder(catalog, Settings(home=home, catalog_url=catalog_url)) for home in homes]

        one, two = folders()
        assert (one.parent, two.parent) == tuple(homes)
        assert one.name != two.name, "the catalog has a note about each under its name"
        assert folders() == [one, two]
        monkeypatch.setattr(socket, "gethostname", lambda: "a copy of that machine")
        assert not {each.name for each in folders()} & {one.name, two.name}


WORKING = """
import sys, time
from pathlib import Path
from test_shared_catalog import machine
home, url, pictures, go = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
with machine(home, url) as engine:
    home.joinpath("ready").touch()
    while not go.exists():
        time.sleep(0.001)
    if sys.argv[5] == "index":
        report = engine.index([pictures])
        print(report.added, report.unchanged, len(report.skipped))
    else:
        answers = 0
        while engine.catalog.size() < int(sys.argv[6]):
            if engine.catalog.size():
                answers += bool(engine.find("blue", k=3).turn.hits)
        print(answers)
"""


def test_two_machines_index_at_once_while_a_third_searches(pictures, catalog_url, tmp_path):
    go, count = tmp_path / "go", EACH * len(COLOURS)
    works = ["index", "index", "search"]
    homes = [tmp_path / f"home{n}" for n in range(3)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WORKING, str(home), catalog_url, str(pictures), str(go), work, str(count)],
            cwd=Path(__file__).parent, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for home, work in zip(homes, works, strict=True)
    ]  # fmt: skip
    while not all((home / "ready").exists() for home in homes):
        assert all(process.poll() is None for process in running), [process.stderr.read() for process in running]
        time.sleep(0.02)
    go.touch()
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    with machine(tmp_path / "home0", catalog_url) as engine:
        ids, matrix = engine.catalog.matrix(engine.catalog.space())
        assert len(ids) == len(set(ids)) == len(matrix) == engine.catalog.size() == count
        assert len(engine.catalog.stamps()) == count
        assert engine.index([pictures]).unchanged == count


KILLED = """
import os, signal, sys
from pathlib import Path
from test_shared_catalog import machine
home, url, pictures = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
def progress(what, done, total):
    if what == "indexing" and done >= 12:
        os.kill(os.getpid(), signal.SIGKILL)
with machine(home, url) as engine:
    engine.index([pictures], progress)
"""


def test_a_machine_that_is_killed_loses_a_batch_at_most(pictures, catalog_url, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "home"), catalog_url, str(pictures)]
    ended = subprocess.run(command, cwd=Path(__file__).parent, env=environment(), capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    with machine(tmp_path / "other", catalog_url) as engine:
        kept = engine.catalog.size()
        assert kept >= 12
        report = engine.index([pictures])
        assert (report.added, report.unchanged) == (EACH * len(COLOURS) - kept, kept)
        assert engine.components.features.made["images"] == 0
        assert engine.find("blue").turn.hits


def environment() -> dict[str, str]:
    """What a test of this folder is run with, for another process."""
    import os

    return {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}"}
