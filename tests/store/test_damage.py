"""What is damaged is noticed, never crashes a search or hides a picture without a word, and is mended."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from damage import KINDS, Kind
from whole_gallery import ALL, WORDS, hits, opened, settings

from ipcir_tools.engine.picture_facts import picture_facts
from ipcir_tools.engine.upkeep import check_gallery
from ipcir_tools.errors import CatalogError, IPCIRError
from ipcir_tools.types import Hit


@pytest.fixture(scope="module")
def expected(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Hit, ...]]:
    home = tmp_path_factory.mktemp("expected") / "home"
    shutil.copytree(whole / "home", home)
    with opened(settings(home)) as engine:
        return hits(engine)


def test_a_whole_gallery_is_well(home: Path) -> None:
    report = check_gallery(settings(home), open_engine=opened)
    assert report.findings == ()
    assert report.looked_at == {
        **{"pictures": 18, "files": 18, "folders": 1, "captions": 18, "turns": 5, "replies": 1},
        "features": report.looked_at["features"],
    }


OFTEN = 3
"""One kind of so many is in the default run; all are in CI's."""


def each_kind() -> list[ParameterSet]:
    marks = [() if i % OFTEN == 0 else (pytest.mark.slow,) for i in range(len(KINDS))]
    return [pytest.param(kind, id=name, marks=mark) for (name, kind), mark in zip(KINDS.items(), marks, strict=True)]


@pytest.mark.parametrize("kind", each_kind())
def test_damage(kind: Kind, whole: Path, home: Path, expected: list[tuple[Hit, ...]]) -> None:
    if kind.part == "index":
        shutil.rmtree(home)
        shutil.copytree(whole / "with graph", home)
    kind.damage(home)
    seen = searched(home)  # first, for opening may mend a part of it
    if seen is not None:
        found, told = seen
        assert ids(found) == ids(expected) or told, "a picture is hidden without a word"
    try:
        report = check_gallery(settings(home), open_engine=opened)
        noticed = report.wrong and kind.part in {each.part for each in report.findings}
    except IPCIRError:
        noticed = True
    mended_by_search = kind.part == "index" or "text" in kind.name
    assert noticed or mended_by_search
    report = check_gallery(settings(home), repair=True, open_engine=opened)
    assert report.wrong == 0, report.findings  # by a second look
    with opened(settings(home)) as engine:
        assert hits(engine) == expected
        assert engine.catalog.damage.lines() == []


def test_every_way_to_search_bears_damaged_rows(home: Path, whole: Path) -> None:
    """Half of the catalog's rows are damaged, and the file of features made from it before is whole, then gone."""
    for name in ("half of the features garbled", "a caption of another picture", "a wrong width"):
        KINDS[name].damage(home)
    for _ in range(2):
        with opened(settings(home)) as engine:
            turn = engine.find("a red shirt", k=ALL).turn
            for reference in (turn.hits[0].id, whole / "pictures" / "blue-1.png"):
                assert engine.search(reference, "in green", k=5).hits
            refined = engine.refine(turn.id, "in pink", liked=[1], disliked=[2])
            assert engine.refine(refined.turn.id, "in orange", reference="2").hits
            assert engine.fused_search({turn.hits[1].id: 1.0}, k=3)
            assert picture_facts(engine, turn.hits[0].id).in_gallery
            found = engine.gallery.collection()
            assert found is not None
            for file in (home / "index").glob("vectors-*"):
                file.unlink()


def test_an_index_run_tells_and_mends_what_it_meets(home: Path, whole: Path, expected: list[tuple[Hit, ...]]) -> None:
    for name in ("half of the features garbled", "one bit of a caption"):
        KINDS[name].damage(home)
    with opened(settings(home)) as engine:
        report = engine.index(captions=True)
        assert (report.mended, report.lacking, report.added, report.removed) == (9, 0, 0, 0)
        assert any("made again" in line for line in engine.catalog.damage.lines())
        assert hits(engine) == expected
        assert engine.index().mended == 0


def test_a_gallery_whose_counters_are_gone_is_not_called_empty(home: Path) -> None:
    KINDS["counters that are gone"].damage(home)
    with opened(settings(home)) as engine:
        for search in (partial(engine.find, "a red shirt"), engine.gallery.collection):
            with pytest.raises(CatalogError, match=r"has 18 pictures.*verify --repair"):
                search()


def test_a_gallery_that_lost_its_space_is_not_searched_without_a_word(
    home: Path, expected: list[tuple[Hit, ...]]
) -> None:
    with opened(settings(home)) as engine:
        engine.find("a red shirt")
        KINDS["a space that is gone"].damage(home)
        with opened(settings(home)) as other, pytest.raises(CatalogError, match="which encoder"):
            other.find("a red shirt")
        engine.index()
        assert hits(engine) == expected


def test_what_cannot_be_mended_stays_and_is_told(home: Path, whole: Path, tmp_path: Path) -> None:
    """The file of a picture whose feature is garbled is gone, too: nothing is deleted without a word."""
    KINDS["half of the features garbled"].damage(home)
    with opened(settings(home)) as engine:
        id_ = sorted(engine.catalog.faulty_features(engine.catalog.space() or "", engine.catalog.gallery_ids()))[0]
        (path,) = engine.catalog.paths_of([id_])[id_]
    file = Path(path)
    file.rename(tmp_path / "away")
    try:
        report = check_gallery(settings(home), repair=True, open_engine=opened)
        assert {(each.part, each.count - each.mended) for each in report.findings} == {("features", 1), ("files", 1)}
        with opened(settings(home)) as engine:
            result = engine.find("a red shirt", k=ALL)
            assert len(result.hits) == 17
            assert any(id_ in text for text in result.warnings)
    finally:
        (tmp_path / "away").rename(file)
    assert check_gallery(settings(home), repair=True, open_engine=opened).findings[0].mended == 1
    with opened(settings(home)) as engine:
        assert len(engine.find("a red shirt", k=ALL).hits) == 18


def ids(results: list[tuple[Hit, ...]]) -> list[list[str]]:
    return [[hit.id for hit in found] for found in results]


def searched(home: Path) -> tuple[list[tuple[Hit, ...]], str] | None:
    """The hits and what was said besides; None where a typed error was raised."""
    found: list[tuple[list[tuple[Hit, ...]], str]] = []
    with suppress(IPCIRError), opened(settings(home)) as engine:
        results = [engine.find(words, k=ALL) for words in WORDS]
        [engine.turns(), engine.filter_values(), engine.folders()]
        said = " ".join(text for each in results for text in each.warnings)
        found.append(([each.turn.hits for each in results], said))
    return found[0] if found else None


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 40
