"""A snapshot that is extended is what a new one would be; what was taken earlier never changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import event

from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.snapshot import Snapshot
from ipcir_tools.types import ImageRecord, Probe

SPACE = "toy/4d"


def vector(n: int) -> np.ndarray:
    row = np.random.default_rng(n).normal(size=4)
    return (row / np.linalg.norm(row)).astype(np.float32)


def add(catalog: Catalog, *numbers: int) -> None:
    ids = {f"{n:04x}": n for n in numbers}
    records = [
        ImageRecord(id=id_, source=f"/{n}.png", bytes=1, width=1, height=1, format="png") for id_, n in ids.items()
    ]
    stamps = [FileStamp(f"/{n}.png", id_, 1, 1) for id_, n in ids.items()]
    catalog.add(records, stamps, {id_: vector(n) for id_, n in ids.items()}, SPACE)


def remove(catalog: Catalog, *numbers: int) -> None:
    catalog.forget([f"/{n}.png" for n in numbers])


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def gallery(catalog, tmp_path):
    return Gallery(catalog, tmp_path / "index")


@pytest.fixture
def statements(catalog):
    """The statements that the catalog runs."""
    seen: list[str] = []
    event.listen(catalog._engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
    return seen


def is_catalog(snapshot: Snapshot, catalog: Catalog) -> bool:
    ids, matrix = catalog.matrix(SPACE)
    known = snapshot.vectors([*ids, "none"])
    return (
        snapshot.ids == ids
        and len(snapshot) == len(ids)
        and (snapshot.matrix.tolist() == matrix.tolist() or not ids)
        and sorted(known) == ids
        and all((known[id_] == matrix[i]).all() for i, id_ in enumerate(ids))
        and snapshot.revision == catalog.revision()
    )


def test_nothing_new_is_one_statement_and_the_same_object(catalog, gallery, statements):
    add(catalog, 1, 2, 3)
    first = gallery.snapshot()
    statements.clear()
    assert gallery.snapshot() is first
    assert len([each for each in statements if each != "BEGIN"]) == 1


def test_vectors_of_known_pictures_take_no_statement(catalog, gallery, statements):
    add(catalog, 1, 2, 3)
    gallery.snapshot()
    statements.clear()
    found = gallery.vectors(["0001", "0003"])
    assert {id_: row.tolist() for id_, row in found.items()} == {f"{n:04x}": vector(n).tolist() for n in (1, 3)}
    assert not statements
    add(catalog, 4)
    assert sorted(gallery.vectors(["0001", "0004", "text:1"])) == ["0001", "0004"]


def test_only_what_is_new_is_read(catalog, gallery, monkeypatch):
    add(catalog, *range(50))
    before = gallery.snapshot()
    base = before.segments[0]
    add(catalog, 100, 101)
    remove(catalog, 3)
    monkeypatch.setattr(Catalog, "matrix", lambda *_: pytest.fail("all of it was read again"))
    after = gallery.snapshot()
    assert after.segments[0] is base
    monkeypatch.undo()
    assert is_catalog(after, catalog)
    assert (len(before), len(after)) == (50, 51)
    assert "0003" in before.ids


def test_another_process_changes_the_gallery(catalog, gallery, tmp_path):
    add(catalog, 1, 2)
    assert is_catalog(gallery.snapshot(), catalog)
    with Catalog.open(tmp_path) as other:
        add(other, 3)
        remove(other, 1)
    assert gallery.snapshot().ids == ["0002", "0003"]


def test_many_small_additions_stay_few_segments(catalog, gallery):
    add(catalog, *range(10))
    for n in range(100, 200):
        add(catalog, n)
        gallery.snapshot()
    assert len(gallery.snapshot().segments) < 10
    assert is_catalog(gallery.snapshot(), catalog)


def test_threads_share_one_snapshot(catalog, gallery):
    add(catalog, *range(50))
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: (barrier.wait(), gallery.snapshot())[1], range(8)))
    assert len({id(each) for each in found}) == 1


def test_a_catalog_whose_log_begins_later_is_read_whole(catalog, gallery):
    add(catalog, 1, 2)
    gallery.snapshot()
    add(catalog, 3)
    with catalog._write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '2' WHERE key = 'changes'")
    assert catalog.changes(1) is None
    assert is_catalog(gallery.snapshot(), catalog)


def test_a_snapshot_cannot_be_written(catalog, gallery):
    add(catalog, 1)
    with pytest.raises(ValueError, match="read-only"):
        gallery.snapshot().matrix[0] = 0


NUMBERS = st.sets(st.integers(0, 30), min_size=1, max_size=12)


class Histories(RuleBasedStateMachine):
    """Any history of additions and removals, looked at after any step."""

    @initialize()
    def begin(self) -> None:
        self.home = TemporaryDirectory()
        self.catalog = Catalog.open(Path(self.home.name))
        self.gallery = Gallery(self.catalog, Path(self.home.name) / "index")
        self.kept: list[tuple[Snapshot, list[str]]] = []

    @rule(numbers=NUMBERS)
    def add(self, numbers):
        add(self.catalog, *numbers)

    @rule(numbers=NUMBERS)
    def remove(self, numbers):
        remove(self.catalog, *numbers)

    @rule()
    def look(self):
        snapshot = self.gallery.snapshot()
        assert is_catalog(snapshot, self.catalog)
        self.kept.append((snapshot, list(snapshot.ids)))

    @rule(k=st.integers(1, 40), n=st.integers(100, 120))
    def search(self, k, n):
        ids, matrix = self.catalog.matrix(SPACE)
        if ids:
            scores = (matrix.astype(float) @ vector(n).astype(float)).astype(np.float32)
            expected = sorted(zip((-scores).tolist(), ids, strict=True))[:k]
            assert self.gallery.exact(Probe(vector(n)), k) == [(id_, -score) for score, id_ in expected]

    @invariant()
    def earlier_snapshots_stay(self):
        for snapshot, ids in getattr(self, "kept", ()):
            assert snapshot.names(snapshot.order) == ids

    def teardown(self) -> None:
        if hasattr(self, "catalog"):
            self.catalog.close()
            self.home.cleanup()


Histories.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestHistories = Histories.TestCase
