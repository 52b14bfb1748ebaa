"""Near-copies of the reference are no hits: the ranking by hand, then the engine on pictures that were saved again."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from ipcir_tools.composers.calibration import UNCALIBRATED
from ipcir_tools.composers.fusion import normalise
from ipcir_tools.display.results import result_json, result_text
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.ranking import without_copies
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
"""A ranking in this order."""


def ranked(k: int, threshold: float = 0.998, cosines: dict[str, float] = COSINES) -> tuple[list[str], int, list[int]]:
    asked: list[int] = []

    def rank(n: int) -> list[tuple[str, float]]:
        asked.append(n)
        return [(name, 1.0) for name in list(cosines)[:n]]

    found, passed = without_copies(rank, lambda ids: {id_: at(cosines[id_]) for id_ in ids}, k, REFERENCES, threshold)
    return [name for name, _ in found], passed, asked


def test_copies_make_room_for_what_comes_after_them():
    assert ranked(1) == (["c"], 2, [1, 4])
    assert ranked(2) == (["c", "e"], 3, [2, 8])


def test_only_copies_above_the_last_hit_are_counted():
    assert ranked(3, threshold=0.9985) == (["c", "d", "e"], 2, [3, 12])
    assert ranked(1, cosines={"c": 0.9, "a": 1.0}) == (["c"], 0, [1])


def test_a_gallery_of_nothing_but_copies_gives_no_hits():
    assert ranked(2, threshold=0.4) == ([], 5, [2, 8])


def test_a_picture_as_near_as_the_threshold_is_a_copy():
    assert ranked(1, threshold=0.5) == ([], 5, [1, 4, 16])
    assert ranked(1, threshold=0.5000001)[0] == ["e"]


def test_many_copies_take_few_searches():
    frames = {f"{i:04}": 1.0 for i in range(5_000)} | {"z": 0.1}
    found, passed, asked = ranked(10, cosines=frames)
    assert (found, passed, len(asked)) == (["z"], 5_000, 6)


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
