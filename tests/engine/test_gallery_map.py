"""The gallery as a map, its groups, and its near-copies."""

from __future__ import annotations

import numpy as np
import pytest

from ipcir_tools.engine.copies import find_copies
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.gallery_map import gallery_map, group_names, grouped, placed
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.types import ImageRecord

SPACE = "open_clip:fake/colours/8"


def clumps(n: int, each: int) -> np.ndarray:
    """``n`` clumps of unit-norm features ``[n * each, 16]``."""
    rng = np.random.default_rng(1)
    rows = np.repeat(np.eye(16)[:n], each, axis=0) + rng.normal(0, 0.05, (n * each, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_pictures_that_are_alike_are_one_group_and_near_each_other():
    features = clumps(4, 30)
    groups, centres = grouped(features, 4)
    assert sorted(np.bincount(groups)) == [30] * 4
    assert centres.shape == (4, 16)
    assert all(len(set(groups[start : start + 30])) == 1 for start in range(0, 120, 30))
    places = placed(features)
    assert places.min() >= 0
    assert places.max() <= 1
    within = np.mean([places[i : i + 30].std(axis=0) for i in range(0, 120, 30)])
    assert within < places.std(axis=0).mean() / 2


def test_pictures_that_are_all_the_same_have_a_map_too():
    same = np.repeat(np.eye(8, dtype=np.float32)[:1], 40, axis=0)
    groups, centres = grouped(same, 5)
    assert len(centres) == 1
    assert set(groups) == {0}
    assert np.isfinite(placed(same)).all()


def test_a_group_is_called_by_what_only_its_captions_say():
    names = group_names([["a red dress", "a red striped dress"], ["a blue dress", "a blue jacket"]])
    assert names[0].split()[0] == "red"
    assert names[1].split()[0] == "blue"
    assert group_names([["", ""], []]) == ["", ""]


@pytest.fixture
def engine(tmp_path):
    """A gallery of features without files: three of five pictures are near-copies by a chain."""
    rows = np.array([[1, 0, 0], [0.999, 0.04, 0], [0.997, 0.08, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with Engine.open(Settings(home=tmp_path, encoder="open_clip:fake/colours", duplicates=0.999)) as engine:
        ids = [f"{n:016x}" for n in range(5)]
        sizes = [(10, 10), (90, 90), (50, 50), (10, 10), (10, 10)]
        records = [
            ImageRecord(id=id_, source=f"/p/{id_}.png", bytes=n, width=w, height=h, format="png")
            for n, (id_, (w, h)) in enumerate(zip(ids, sizes, strict=True))
        ]
        stamps = [FileStamp(each.source, each.id, each.bytes, 1) for each in records]
        engine.catalog.add(records, stamps, dict(zip(ids, rows, strict=True)), SPACE)
        yield engine


def test_near_copies_are_grouped_by_chains_the_best_picture_first(engine):
    report = find_copies(engine)
    assert [[each.id[-1] for each in group.pictures] for group in report.groups] == [["1", "2", "0"]]
    assert (report.compared, report.gallery) == (5, 5)


def test_where_near_copies_are_off_there_are_none(engine):
    engine.components.settings = engine.settings.model_copy(update={"duplicates": None})
    assert find_copies(engine).groups == ()


def test_the_map_is_made_once_for_a_gallery_as_it_is(engine):
    first = gallery_map(engine)
    assert gallery_map(engine) is first
    assert {each.id for each in first.points} == set(engine.catalog.gallery_ids())
    assert [group.name for group in first.groups] == [""] * len(first.groups)
    assert gallery_map(engine, most=2).points == ()
