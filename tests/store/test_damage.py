"""What is damaged is noticed, never crashes a search or hides a picture without a word, and is mended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from colour_folder import CAPTIONER, ENCODER, caption_of, draw
from damage import KINDS, Kind

from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.upkeep import check_gallery
from ipcir_tools.errors import IPCIRError
from ipcir_tools.fakes import FakeEncoder, ScriptedCaptioner
from ipcir_tools.settings import Settings
from ipcir_tools.types import Hit, Reply

WORDS = ("a red shirt", "a blue shirt", "something green")
ALL = 40
"""More than there are pictures."""


def opened(settings: Settings) -> Engine:
    engine = Engine.open(settings)
    engine.components.encoder = FakeEncoder(ENCODER)
    engine.components.captioner = ScriptedCaptioner(caption_of, id=CAPTIONER)
    engine.components.captioner_id = CAPTIONER
    return engine


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a home that has all of it: captions, turns, a reply, a file of features, a graph."""
    root = tmp_path_factory.mktemp("whole")
    draw(root / "pictures")
    with opened(settings(root / "home")) as engine:
        engine.index([root / "pictures"], captions=True)
        hits(engine)
        first = engine.find("a red shirt").turn
        engine.refine(first.id, "in blue", reference="1")
        engine.catalog.put_reply("key", Reply(text="a reply", kind="ask"))
    shutil.copytree(root / "home", root / "with graph")
    with opened(settings(root / "with graph")) as engine:
        engine.gallery.collection()
    return root


def settings(home: Path) -> Settings:
    return Settings(home=home, encoder=ENCODER, captioner=CAPTIONER)


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole / "home", tmp_path / "home")
    return tmp_path / "home"


def hits(engine: Engine) -> list[tuple[Hit, ...]]:
    """All pictures by several words, with scores, files and captions."""
    return [engine.find(words, k=ALL).turn.hits for words in WORDS]


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
    try:
        with opened(settings(home)) as engine:
            results = [engine.find(words, k=ALL) for words in WORDS]
            [engine.turns(), engine.filter_values(), engine.folders()]
            said = " ".join(text for each in results for text in each.warnings)
            return [each.turn.hits for each in results], said
    except IPCIRError as error:
        assert "\n" not in str(error)
        return None


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 40
