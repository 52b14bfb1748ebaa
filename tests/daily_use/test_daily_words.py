"""Words people say: additions keep the dialogue, small talk is no search, and what was not understood is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from colour_folder import draw, use_fake_models

from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings
from ipcir_tools.types import SearchResult


@pytest.fixture
def engine(tmp_path, monkeypatch) -> Iterator[Engine]:
    use_fake_models(monkeypatch)
    draw(tmp_path / "pictures")
    with Engine.open(Settings(home=tmp_path / "home", k=2)) as engine:
        engine.index([tmp_path / "pictures"])
        yield engine


@pytest.fixture
def red(tmp_path) -> Path:
    """A picture that is captioned "a red shirt"."""
    return tmp_path / "pictures" / "red-0.png"


def described(result: SearchResult) -> str:
    assert result.turn.imagined
    return result.turn.imagined.description


# --- additions and losses


def test_a_refinement_that_begins_with_and_keeps_the_edits_before(engine, red):
    turn = engine.search(red, "in blue on a beach").turn
    result = engine.refine(turn.id, "and a bird over the sea")
    assert described(result) == "a blue shirt with a bird over the sea on a beach"
    assert result.warnings == ()


def test_a_scene_that_a_refinement_replaces_is_named_in_the_result(engine, red):
    turn = engine.search(red, "in blue on a beach").turn
    result = engine.refine(turn.id, "put it in a forest")
    assert described(result) == "a blue shirt in a forest"
    assert result.warnings == ('replaced the scene "on a beach"',)
