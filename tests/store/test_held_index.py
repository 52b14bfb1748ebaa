"""An index that is behind, opened late, replaced or broken changes no answer; what it costs is counted."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from drawn_gallery import MANY, SPACE, drawn, fill, path_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import event

from ipcir_tools.store import sealing
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.chroma import NeighbourIndex
from ipcir_tools.store.held_index import IndexPolicy
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.sealed_index import SealedIndex
from ipcir_tools.store.sealing import ApartIndex
from ipcir_tools.types import Probe

LATE = IndexPolicy(least=200, changes=50, share=0.1, searches=3)


def search(gallery: Gallery, seed: int = 5, **options) -> list[tuple[str, float]]:
    return gallery.nearest(Probe(drawn(1, seed)[0]), 5, **options)


def is_right(gallery: Gallery) -> bool:
    return all(search(gallery, seed) == gallery.exact(Probe(drawn(1, seed)[0]), 5) for seed in range(5))


def caught_up(gallery: Gallery) -> bool:
    """Whether an index is open once its thread has ended."""
    if (thread := gallery._index._catching_up) is not None:
        thread.join()
    return gallery._index.opened is not None


def test_a_few_searches_never_touch_the_index(catalog, folder, monkeypatch):
    Gallery.open(catalog, folder, policy=LATE).sync()
    monkeypatch.setattr(SealedIndex, "open", lambda *_: pytest.fail("the index was opened"))
    gallery = Gallery.open(catalog, folder, policy=LATE)
    assert all(search(gallery) for _ in range(2))


def test_a_search_of_a_new_process_imports_no_chroma(catalog, folder, tmp_path):
    Gallery.open(catalog, folder, policy=LATE).sync()
    program = """
import sys
from pathlib import Path
import numpy as np
from ipcir_tools.store import sealing
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.held_index import IndexPolicy
from ipcir_tools.store.index import Gallery
from ipcir_tools.types import Probe

home = Path(sys.argv[1])
gallery = Gallery.open(Catalog.open(home), home / "index", policy=IndexPolicy(200, 50, 0.1, 3))
assert gallery.nearest(Probe(np.eye(8, dtype=np.float32)[0]), 3)
gallery.close()
assert "chromadb" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_is_opened_by_a_thread_of_its_own(catalog, folder, monkeypatch):
    Gallery.open(catalog, folder, policy=LATE).sync()
    gallery = Gallery.open(catalog, folder, policy=LATE)
    may_open, opener = threading.Event(), []
    opening = SealedIndex.open

    def wait(self):
        opener.append(threading.current_thread())
        assert may_open.wait(30)
        return opening(self)

    monkeypatch.setattr(SealedIndex, "open", wait)
    for _ in range(6):
        assert search(gallery)  # exactly, meanwhile
    may_open.set()
    assert caught_up(gallery)
    assert [each is threading.current_thread() for each in opener] == [False]
    assert is_right(gallery)
    gallery.close()


def test_one_that_is_missing_is_written_by_that_thread(catalog, folder):
    gallery = Gallery.open(catalog, folder, policy=LATE)
    assert not folder.exists()
    for _ in range(3):
        search(gallery)
    assert caught_up(gallery)
    assert is_right(gallery)
    gallery.close()


def test_the_index_is_written_by_another_process(catalog, folder, monkeypatch):
    """So that memory does not grow with the gallery, nor this process end by what is in Chroma."""
    monkeypatch.setattr(NeighbourIndex, "create", lambda *_: pytest.fail("it was written here"))
    gallery = Gallery.open(catalog, folder, policy=LATE)
    reports = []
    gallery.sync(lambda what, done, total: reports.append((what, done, total)))
    assert reports == [("search index", MANY, MANY)]
    for _ in range(3):
        search(gallery)
    assert caught_up(gallery)
    assert is_right(gallery)
    gallery.close()


def test_closing_does_not_wait_for_an_index_to_be_written(catalog, folder, monkeypatch):
    monkeypatch.setattr(sealing, "PROGRAM", "import sys, time; sys.stdin.read(); time.sleep(600)")
    gallery = Gallery.open(catalog, folder, policy=LATE)
    for _ in range(3):
        assert search(gallery)
    gallery.close()
    assert gallery._index.opened is None


@pytest.mark.parametrize("program", ["import nothing_of_this_name", "import os; os._exit(0)"])
def test_where_no_process_can_write_it_this_one_does(catalog, folder, monkeypatch, program):
    monkeypatch.setattr(sealing, "PROGRAM", program)
    gallery = Gallery.open(catalog, folder, policy=LATE)
    gallery.sync()
    for _ in range(3):
        search(gallery)
    assert caught_up(gallery)
    gallery.close()


def test_adding_three_copies_and_writes_nothing(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder, policy=LATE)
    gallery.sync()
    before = sorted(path.name for path in folder.iterdir())
    statements: list[str] = []
    fill(catalog, drawn(3, seed=1), start=MANY)
    event.listen(catalog._engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    monkeypatch.setattr(ApartIndex, "write", lambda *_: pytest.fail("the index was written"))
    monkeypatch.setattr(Catalog, "gallery_ids", lambda *_: pytest.fail("all ids were listed"))
    gallery.sync()
    assert sorted(path.name for path in folder.iterdir()) == before
    assert len([each for each in statements if each != "BEGIN"]) <= 15
    assert not [each for each in statements if "FROM files" in each]


def test_a_search_with_nothing_new_is_one_or_two_statements(catalog, folder):
    gallery = Gallery.open(catalog, folder)
    search(gallery, where={"format": "png"})
    statements: list[str] = []
    event.listen(catalog._engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    for options in ({}, {"where": {"format": "png"}}):
        statements.clear()
        assert search(gallery, **options)
        assert len([each for each in statements if each != "BEGIN"]) <= 2


def test_a_filter_follows_captions_and_places(catalog, folder):
    gallery = Gallery.open(catalog, folder)
    where = {"caption": "zebra"}
    assert search(gallery, where=where) == []
    catalog.put_captions({catalog.gallery_ids()[3]: "a zebra"}, "toy")
    assert [id_ for id_, _ in search(gallery, where=where)] == [catalog.gallery_ids()[3]]
    assert len(search(gallery, where={"folder": "/even"})) == 5
    catalog.forget([path_of(n) for n in range(0, MANY, 2)])
    assert search(gallery, where={"folder": "/even"}) == []


def test_all_that_is_near_was_removed(catalog, folder):
    """The first candidates all left: the next ones are asked for."""
    gallery = Gallery.open(catalog, folder, policy=IndexPolicy(changes=10_000))
    gallery.sync()
    probe = Probe(drawn(1, 7)[0])
    best = [int(id_, 16) for id_, _ in gallery.exact(probe, 120)]
    catalog.forget([path_of(n) for n in best])
    assert gallery.nearest(probe, 10) == gallery.exact(probe, 10)
    assert is_right(gallery)


def test_a_reader_goes_on_when_another_process_has_replaced_the_index(catalog, folder):
    reader, writer = (Gallery.open(catalog, folder) for _ in range(2))
    assert search(reader)
    fill(catalog, drawn(60, seed=1), start=MANY)
    writer.sync()
    assert is_right(reader)
    assert reader._index.opened.revision == catalog.revision()


NUMBERS = st.sets(st.integers(0, 60), min_size=1, max_size=25)


class Histories(RuleBasedStateMachine):
    """Any history of pictures added and removed, indexes and files written, and processes that begin and end."""

    @initialize()
    def begin(self) -> None:
        self.home = TemporaryDirectory()
        self.folder = Path(self.home.name) / "index"
        self.catalog = Catalog.open(Path(self.home.name))
        self.galleries = [self.opened(), self.opened()]

    def opened(self) -> Gallery:
        return Gallery(self.catalog, self.folder, policy=IndexPolicy(changes=10, share=0.3))

    @rule(numbers=NUMBERS)
    def add(self, numbers):
        for n in numbers:
            fill(self.catalog, drawn(1, seed=n), start=n)

    @rule(numbers=NUMBERS)
    def remove(self, numbers):
        self.catalog.forget([path_of(n) for n in numbers])

    @rule(which=st.integers(0, 1))
    def sync(self, which):
        self.galleries[which].sync()

    @rule(which=st.integers(0, 1))
    def restart(self, which):
        self.galleries[which].close()
        self.galleries[which] = self.opened()

    @rule(which=st.integers(0, 1))
    def write_index(self, which):
        if self.catalog.size():
            self.galleries[which]._index._store.write()

    @rule(which=st.integers(0, 1))
    def damage_or_discard(self, which):
        self.galleries[which].discard()

    @rule(which=st.integers(0, 1), k=st.integers(1, 3), seed=st.integers(100, 105), filtered=st.booleans())
    def search(self, which, k, seed, filtered):
        ids, matrix = self.catalog.matrix(SPACE)
        if not ids:
            return
        where = {"folder": "/odd"} if filtered else None
        probe = drawn(1, seed)[0]
        scores = (matrix.astype(float) @ probe.astype(float)).astype(np.float32)
        ranked = [(id_, -score) for score, id_ in sorted(zip((-scores).tolist(), ids, strict=True))]
        expected = [hit for hit in ranked if not filtered or int(hit[0], 16) % 2 == 1][:k]
        assert self.galleries[which].nearest(Probe(probe), k, where) == expected

    def teardown(self) -> None:
        if hasattr(self, "catalog"):
            for gallery in self.galleries:
                gallery.close()
            self.catalog.close()
            self.home.cleanup()


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    """So that small galleries ask the index, too."""
    from ipcir_tools.store import merged_index

    monkeypatch.setattr(merged_index, "CANDIDATES", 12)
    monkeypatch.setattr(merged_index, "ROWS_A_CANDIDATE", 1)  # with a filter, too


Histories.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestHistories = Histories.TestCase


def test_the_histories_above_do_ask_the_index(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    asked = []
    nearest = NeighbourIndex.nearest
    monkeypatch.setattr(NeighbourIndex, "nearest", lambda *call: (asked.append(call), nearest(*call))[1])
    assert search(gallery)
    assert search(gallery, where={"folder": "/odd"})
    assert len(asked) == 2
