"""Near-copies of the reference are no hits, those of a hit are folded into it: by hand, then by the engine."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.composers.fusion import normalise
from ipcir_tools.display.results import result_json, result_text
from ipcir_tools.engine import near_copies
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.near_copies import LeftOut, are_near, different_pictures
from ipcir_tools.engine.replay import replay
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.store.features import text_key
from ipcir_tools.types import ImageRecord

REFERENCES = [np.array([1, 0], np.float32)]


def at(cosine: float) -> np.ndarray:
    return np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)


COSINES = {"a": 1.0, "b": 0.999, "c": 0.9, "d": 0.9981, "e": 0.5}
"""A ranking in this order, by their cosine with the reference."""


OF_REFERENCES = LeftOut(REFERENCES)


def ranked(
    k: int,
    threshold: float | None = 0.998,
    cosines: dict[str, float] = COSINES,
    left_out: LeftOut = OF_REFERENCES,
) -> tuple[list[str], int, list[int]]:
    asked: list[int] = []

    def rank(n: int) -> list[tuple[str, float]]:
        asked.append(n)
        return [(name, 1.0) for name in list(cosines)[:n]]

    found = different_pictures(rank, lambda ids: {id_: at(cosines[id_]) for id_ in ids}, k, left_out, threshold)
    return [" ".join([each.id, *each.alike]) for each in found.pictures], found.copies, asked


def test_copies_make_room_for_what_comes_after_them():
    assert ranked(1) == (["c"], 2, [2, 8])
    assert ranked(2) == (["c", "e"], 3, [4, 16])


def test_only_copies_above_the_last_hit_are_counted():
    assert ranked(3, threshold=0.9985) == (["c", "d", "e"], 2, [6])
    assert ranked(1, cosines={"c": 0.9, "a": 1.0}) == (["c"], 0, [2])


def test_a_gallery_of_nothing_but_copies_gives_no_hits():
    assert ranked(2, threshold=0.4) == ([], 5, [4, 16])


def test_a_picture_as_near_as_the_threshold_is_a_copy():
    assert ranked(1, threshold=0.5) == ([], 5, [2, 8])
    assert ranked(1, threshold=0.5000001)[0] == ["e"]


def test_many_copies_take_few_searches():
    frames = {f"{i:04}": 1.0 for i in range(5_000)} | {"z": 0.1}
    found, passed, asked = ranked(10, cosines=frames)
    assert (found, passed, len(asked)) == (["z"], 5_000, 5)


BURST = {"a1": 0.9, "b1": 0.5, "a2": 0.9001, "a3": 0.8999, "b2": 0.5001, "c1": 0.1, "d1": -0.5, "c2": 0.1001}
"""A ranking of four scenes, each taken several times."""


def test_hits_that_look_the_same_are_folded_into_the_best_ranked():
    assert ranked(2, cosines=BURST)[0] == ["a1 a2 a3", "b1"], "what looks like a hit counts as far as the search read"
    assert ranked(3, cosines=BURST)[0] == ["a1 a2 a3", "b1 b2", "c1"]
    assert ranked(4, cosines=BURST)[0] == ["a1 a2 a3", "b1 b2", "c1 c2", "d1"]
    assert ranked(9, cosines=BURST)[0] == ["a1 a2 a3", "b1 b2", "c1 c2", "d1"], "there are no more different ones"


def test_without_a_threshold_nothing_is_folded_or_read():
    assert ranked(3, threshold=None, cosines=BURST) == (["a1", "b1", "a2"], 0, [3])


def test_near_copies_of_what_was_judged_are_no_hits_and_are_not_counted():
    judged = LeftOut(REFERENCES, others=[at(0.9)])
    assert ranked(2, cosines=BURST, left_out=judged)[:2] == (["b1 b2", "c1 c2"], 0)


def test_what_is_gone_is_left_out_before_anything_is_folded_into_it():
    left_out = LeftOut(gone=lambda ids: {"a1", "c1"}.intersection(ids))
    assert ranked(2, cosines=BURST, left_out=left_out)[0] == ["b1", "a2 a3"]


def test_folding_a_thousand_hits_is_the_same_as_comparing_each_with_each():
    rng = np.random.default_rng(0)
    scenes = rng.normal(size=(700, 24))
    frames = np.repeat(scenes, 4, axis=0) + rng.normal(size=(2_800, 24)) * rng.choice([0.01, 0.5], (2_800, 1))
    vectors = (frames / np.linalg.norm(frames, axis=1, keepdims=True))[rng.permutation(2_800)].astype(np.float32)
    features = {f"{i:04}": vector for i, vector in enumerate(vectors)}
    rank = [(id_, 1.0) for id_ in features]
    found = different_pictures(lambda n: rank[:n], lambda ids: {i: features[i] for i in ids}, 1_000, LeftOut(), 0.998)
    groups: dict[str, list[str]] = {}
    for id_ in list(features)[:2_000]:
        like = next((first for first in groups if features[first] @ features[id_].astype(float) >= 0.998), None)
        if like is not None:
            groups[like].append(id_)
        elif len(groups) < 1_000:
            groups[id_] = []
    assert {each.id: list(each.alike) for each in found.pictures} == groups
    assert sum(map(bool, groups.values())) > 100


@pytest.mark.parametrize("like", ["reference", "judged", "hit", "only in its first numbers", "nothing"])
@pytest.mark.parametrize("cosine", [0.9979, 0.9981, 1.0])
def test_one_that_looks_like_another_is_seen_among_many_that_do_not(like, cosine):
    rng = np.random.default_rng(7)
    rows = [normalise(row) for row in rng.standard_normal((30, 512)).astype(np.float32)]
    away = normalise(rows[20] - (rows[20] @ rows[21]) * rows[21])
    near = (cosine * rows[21] + np.sqrt(1 - cosine**2) * away).astype(np.float32)
    part = np.concatenate([rows[21][:64], rows[20][64:]])
    other = {"only in its first numbers": normalise(part), "nothing": rows[22]}.get(like, near)
    features = {f"{i:02}": row for i, row in enumerate(rows[:18])} | {"like": rows[21]}
    hits = {**features, "other": other} if like in ("hit", "only in its first numbers") else features
    left_out = LeftOut([other] if like == "reference" else [], [other] if like == "judged" else [])
    rank = [(id_, 1.0) for id_ in hits]
    found = different_pictures(lambda n: rank[:n], lambda ids: hits, 19, left_out, 0.998)
    is_copy = cosine >= 0.998 and like in ("reference", "judged", "hit")
    shown = [each.id for each in found.pictures]
    assert ("like" in shown) == (like == "hit" or not is_copy)
    assert found.copies == (is_copy and like == "reference")
    assert {each.id: each.alike for each in found.pictures if each.alike} == (
        {"like": ("other",)} if is_copy and like == "hit" else {}
    )


@pytest.mark.parametrize(("cosine", "is_copy"), [(0.99801, True), (0.99799, False)])
def test_copies_that_differ_in_their_first_numbers_alone(cosine, is_copy):
    rng = np.random.default_rng(7)
    first, away = (normalise(np.where(np.arange(512) < 64, rng.standard_normal(512), 0)) for _ in range(2))
    away = normalise(away - (away @ first) * first)
    vectors = {"a": first, "b": cosine * first + np.sqrt(1 - cosine**2) * away}
    hits = {id_: vector.astype(np.float32) for id_, vector in vectors.items()}
    found = different_pictures(lambda n: [("a", 1.0), ("b", 0.9)], lambda ids: hits, 2, LeftOut(), 0.998)
    assert [each.alike for each in found.pictures] == ([("b",)] if is_copy else [(), ()])


def test_where_nothing_looks_alike_no_two_are_compared_whole(monkeypatch):
    rows = np.eye(40, 512, dtype=np.float32)
    monkeypatch.setattr(near_copies, "fold", lambda *_, **__: pytest.fail("compared"))
    left_out = LeftOut(rows[30:31], rows[31:32])
    found = different_pictures(
        lambda n: [(str(i), 1.0) for i in range(20)], lambda ids: {i: rows[int(i)] for i in ids}, 20, left_out, 0.998
    )
    assert [each.id for each in found.pictures] == [str(i) for i in range(20)]


PICTURES = {"ref": [1, 0, 0], "copy": [1, 0.01, 0], "scene": [1, 0.1, 0], "goal": [0.5, 0.5, 0.6]}


@pytest.fixture
def open_engine(tmp_path):
    def opened(composer: str, known: bool = True, **chosen: object) -> Engine:
        engine = Engine.open(Settings(home=tmp_path / "home", composer=composer, models="demo", **chosen))
        vectors = {name: normalise(np.array(row, np.float32)) for name, row in PICTURES.items()}
        records = [
            ImageRecord(id=name, source=f"/{name}.png", bytes=1, width=1, height=1, format="png") for name in PICTURES
        ]
        inside = [name for name in PICTURES if known or name != "ref"]
        stamps = [FileStamp(f"/{name}.png", name, 1, 1) for name in inside]
        engine.catalog.add(
            [each for each in records if each.id in inside], stamps, {n: vectors[n] for n in inside}, "hand/3d"
        )
        engine.catalog.remember(records)
        engine.catalog.put_features({text_key("blue"): normalise(np.array([1, 0.2, 0.2], np.float32))}, "hand/3d")
        engine.components.check_space = lambda: None
        engine.components.calibrator = SimpleNamespace(current=lambda: UNCALIBRATED)  # features by hand as they are
        engines.append(engine)
        return engine

    engines: list[Engine] = []
    yield opened
    for engine in engines:
        engine.close()


def test_a_copy_of_a_hit_is_folded_into_it(open_engine):
    engine = open_engine("sum", duplicates=0.998)
    hits = engine.find("blue").hits
    assert [(hit.id, hit.alike) for hit in hits] == [("scene", ()), ("copy", ("ref",)), ("goal", ())]
    again = replay(engine, engine.find("blue").turn.id)
    assert again.same
    assert [hit.alike for hit in again.results[0].hits] == [hit.alike for hit in hits]


def asked(engine: Engine):
    from ipcir_tools.engine.validation import checked_query

    query = checked_query("ref", "blue", SearchOptions(k=3, composer=engine.settings.composer))
    return engine.answer(query, ())


@pytest.mark.parametrize("composer", ["sum", "modification"])
def test_a_copy_is_left_out_and_told_of(open_engine, composer):
    result = asked(open_engine(composer, duplicates=0.998))
    assert {hit.id for hit in result.turn.hits} == {"scene", "goal"}
    assert [hit.rank for hit in result.turn.hits] == [1, 2]
    assert result.near_copies == result_json(result)["near_copies"] == 1
    assert "\n1 near-copy of the reference left out\n" in result_text(result)


def test_without_a_threshold_a_copy_is_a_hit(open_engine):
    result = asked(open_engine("sum", duplicates=None))
    assert {hit.id for hit in result.turn.hits} == {"copy", "scene", "goal"}
    assert result.near_copies == 0
    assert "near_copies" not in json.dumps(result_json(result))


def test_no_picture_is_encoded_to_know_a_copy(open_engine):
    result = asked(open_engine("modification", known=False, duplicates=0.998))
    assert result.counts["image_encodes"] == 0
    assert {hit.id for hit in result.turn.hits} == {"copy", "scene", "goal"}


def test_the_setting(monkeypatch):
    monkeypatch.delenv("IPCIR_DUPLICATES")
    assert load_settings().duplicates == 0.998
    monkeypatch.setenv("IPCIR_DUPLICATES", "off")
    assert load_settings().duplicates is None
    monkeypatch.setenv("IPCIR_DUPLICATES", "1.5")
    with pytest.raises(InvalidRequestError, match="duplicates"):
        load_settings()


@given(st.integers(0, 2**31), st.integers(1, 150), st.integers(1, 150), st.sampled_from([8, 64, 512]))
def test_what_is_told_apart_by_a_part_is_what_the_whole_says(seed, n, m, d):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((5, d))
    a, b = (
        centres[rng.integers(5, size=k)] + rng.choice([0, 0.05, 1], (k, 1)) * rng.standard_normal((k, d))
        for k in (n, m)
    )
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
    cosines = a @ b.T
    for threshold in (0.5, 0.998, 1 - 1e-6):
        clear = np.abs(cosines - threshold) > 1e-12
        assert (are_near(a, b, threshold) == (cosines >= threshold))[clear].all()
