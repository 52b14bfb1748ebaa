"""What is damaged is noticed, never crashes a search or hides a picture without a word, and is mended."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from damage import KINDS, Kind
from whole_gallery import ALL, WORDS, hits, opened, settings

from ipcir_tools.engine.upkeep import check_gallery
from ipcir_tools.errors import IPCIRError
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


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
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
    assert report.wrong == 0, report.findings
    assert check_gallery(settings(home), open_engine=opened).findings == ()
    with opened(settings(home)) as engine:
        assert hits(engine) == expected
        assert engine.catalog.damage.lines() == []


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
