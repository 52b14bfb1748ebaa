"""What a run knows of the gallery before it: only what it asks for, and whatever it does to the gallery meanwhile."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from drawn_gallery import drawn, fill, path_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from ipcir_tools.store import gallery_before
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.gallery_before import FilesBefore, PicturesBefore


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path) as opened:
        fill(opened, drawn(20))
        yield opened


def test_files_of_some_places(catalog):
    before = FilesBefore(catalog)
    assert len(before) == 20
    before = FilesBefore(catalog)
    before.only(["/odd", "/even/4.png", "/eve", "/nowhere"])
    assert set(before) == {path_of(n) for n in range(20) if n % 2 == 1 or n == 4}
    assert before["/odd/3.png"].image_id == f"{3:016x}"
    assert "/even/6.png" not in before


def test_a_place_is_found_by_its_index(catalog):
    seen: list[tuple[str, tuple]] = []
    event.listen(catalog._engine, "before_cursor_execute", lambda *call: seen.append((call[2], call[3])))
    catalog.stamps(["/odd"])
    statement, values = seen[-1]
    with catalog._read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert plan
    assert not [row for row in plan if "SCAN" in row[-1]]


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12))
def test_pictures_before_stay_what_they_were(steps):
    with TemporaryDirectory() as home, Catalog.open(Path(home)) as catalog:
        fill(catalog, drawn(20))
        expected = set(catalog.gallery_ids())
        before = PicturesBefore(catalog)
        assert set(before) == expected
        assert (len(before), before - {f"{0:016x}"}) == (len(expected), expected - {f"{0:016x}"})
        for enters, n in steps:
            if enters:
                assert (f"{n:016x}" in before) == (f"{n:016x}" in expected)
                fill(catalog, drawn(1, n), start=n)
            else:
                catalog.forget([path_of(n)])
        assert {id_ for id_ in (f"{n:016x}" for n in range(31)) if id_ in before} == expected


def test_answers_are_forgotten_some_time(catalog, monkeypatch):
    monkeypatch.setattr(gallery_before, "KEPT", 10)
    before = PicturesBefore(catalog)
    ids = [f"{n:016x}" for n in range(100)]
    for id_ in ids:
        assert (id_ in before) == (int(id_, 16) < 20)
    assert len(before._asked) + len(before._asked_earlier) <= 2 * 11
    assert before.ask(ids) == {id_: int(id_, 16) < 20 for id_ in ids}
