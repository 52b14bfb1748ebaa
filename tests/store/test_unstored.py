"""Readers need no lock: a gallery that another process writes, or that cannot be written, is searched."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from PIL import Image
from whole_gallery import opened, settings

from ipcir_tools.errors import CatalogError
from ipcir_tools.store import database, unstored
from ipcir_tools.store.working_copy import CATALOG


@pytest.fixture
def writer(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Another process in the middle of a long transaction."""
    monkeypatch.setattr("ipcir_tools.store.database.SEARCH_SECONDS", 0.2)
    with closing(sqlite3.connect(home / CATALOG, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_gallery_that_another_process_writes_is_opened_searched_and_refined(home, writer):
    with opened(settings(home)) as engine:
        first = engine.find("a red shirt")  # words that were encoded
        assert first.hits
        (line,) = (text for text in first.warnings if "not stored" in text)
        assert "locked" in line
        new = engine.find("an orange shirt, never encoded before")
        assert new.hits
        second = engine.refine(first.turn.id, "in blue", reference="1")
        third = engine.refine(second.turn.id[:6], "in green")
        assert third.turn.parent == second.turn.id
        assert [turn.id for turn in engine.turns(3)] == [third.turn.id, second.turn.id, new.turn.id]
        assert engine.turn(second.turn.id).id == second.turn.id
        writer.execute("COMMIT")
        last = engine.find("a blue shirt")
        assert not [text for text in last.warnings if "not stored" in text]
    with opened(settings(home)) as engine:
        found = [turn.id for turn in engine.turns(5)]
        assert found == [last.turn.id, third.turn.id, second.turn.id, new.turn.id, first.turn.id]
        assert engine.catalog.path(third.turn.id)[0].id == first.turn.id


def test_a_reference_that_nobody_knows_is_searched_with(home, writer, whole, tmp_path):
    Image.new("RGB", (24, 24), "purple").save(tmp_path / "new.png")
    with opened(settings(home)) as engine:
        found = engine.search(tmp_path / "new.png", "in red")
        assert found.hits
        assert [text for text in found.warnings if "not stored" in text]


def test_an_index_run_says_that_it_cannot_write(home, writer, whole, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with opened(settings(home)) as engine, pytest.raises(CatalogError, match="locked"):
        engine.index([whole / "pictures"])


def test_what_is_held_is_bounded(home, writer, monkeypatch):
    monkeypatch.setattr("ipcir_tools.store.turns.MOST_WAITING", 3)
    with opened(settings(home)) as engine:
        made = [engine.find("a red shirt").turn.id for _ in range(5)]
        assert [turn.id for turn in engine.turns(3)] == made[:1:-1]


def test_what_is_held_is_stored_when_the_catalog_is_closed_if_it_can_be(home, writer):
    with opened(settings(home)) as engine:
        turn = engine.find("a red shirt").turn
        writer.execute("COMMIT")
    with opened(settings(home)) as engine:
        assert engine.turn(turn.id) == turn


def test_many_callers_lose_none_of_what_is_held(home, writer):
    with opened(settings(home)) as engine, ThreadPoolExecutor(8) as pool:
        made = [each.turn.id for each in pool.map(lambda _: engine.find("a red shirt"), range(16))]
        assert sorted(turn.id for turn in engine.turns(16)) == sorted(made)


def test_outside_of_a_search_nothing_is_left_out(home, writer, monkeypatch):
    monkeypatch.setattr("ipcir_tools.store.database.BUSY_SECONDS", 0.2)
    with opened(settings(home)) as engine:
        turn = engine.turns(1)[0].model_copy(update={"id": "t00000000000"})
        with pytest.raises(CatalogError, match="locked"):
            engine.catalog.put_turn(turn)
        with unstored.searching(), unstored.storing(), pytest.raises(CatalogError, match="locked"):
            engine.catalog.put_captions({"a": "b"}, "c")


READER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from whole_gallery import opened, settings

with opened(settings(Path(sys.argv[1]))) as engine:
    first = engine.find("a red shirt", k=40)
    assert len(first.hits) == 18, first.hits
    assert any("cannot be written" in text for text in first.warnings), first.warnings
    assert engine.refine(first.turn.id, "in blue", reference="1").hits
"""


SETPRIV = shutil.which("setpriv")
BOUND = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.mark.skipif(os.name != "posix" or (os.geteuid() == 0 and not SETPRIV), reason="root may write anywhere")
@pytest.mark.parametrize("in_use", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_may_only_be_read_is_searched(home, in_use):
    """Also beside its owner's process, which has the catalog open and a part of it in the log."""
    with ExitStack() as stack:
        if in_use:
            stack.enter_context(opened(settings(home))).find("a turn that waits in the log")
        for path in (home, *home.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
            stack.callback(path.chmod, 0o755 if path.is_dir() else 0o644)
        before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
        bound = [str(SETPRIV), *BOUND] if os.geteuid() == 0 else []
        run = subprocess.run(
            [*bound, sys.executable, "-c", READER, str(home), str(Path(__file__).parents[1])],
            env=os.environ | {"XDG_CACHE_HOME": str(home.parent / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert before == {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
