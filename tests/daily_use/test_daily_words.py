"""Words people say: additions keep the dialogue, small talk is no search, and what was not understood is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from colour_folder import draw, use_fake_models
from langchain_core.messages import HumanMessage
from sayings import BEFORE, CAPTION, SAYINGS

from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.chains.imagination.rules import imagine_by_rules, imagine_with_warnings
from ipcir_tools.chains.imagination.rules.utterances import UtteranceKind, classify_utterance
from ipcir_tools.cli.chat.chat import Chat, Place
from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings
from ipcir_tools.text import quote
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


# --- what people say


def sayings() -> list[tuple[str, str, list[str], list[str]]]:
    """(what is said, its kind, words that its description has, words that it does not have)."""
    rows = [[part.strip() for part in line.split("|")] for line in SAYINGS.strip().splitlines()]
    words = {sign: [re.findall(rf"[{sign}]([^+-]+)", " ".join(row[2:]) + " ") for row in rows] for sign in ("+", "-")}
    return [
        (row[0], row[1], [word.strip() for word in has], [word.strip() for word in lacks])
        for row, has, lacks in zip(rows, words["+"], words["-"], strict=True)
    ]


def test_there_are_sixty_sayings_and_half_of_them_are_no_edits():
    kinds = [kind for _, kind, _, _ in sayings()]
    assert len(kinds) == 60
    assert 20 <= kinds.count("edit") <= 40
    assert set(kinds) == set(get_args(UtteranceKind))


@pytest.mark.parametrize(("said", "kind", "has", "lacks"), sayings())
def test_what_people_say_is_understood(said, kind, has, lacks):
    before = imagine_by_rules(CAPTION, BEFORE)
    made = imagine_with_warnings(CAPTION, said, before)
    assert classify_utterance(said) == kind
    if kind != "edit":
        assert made.warnings == (f"{quote(said)} does not read as an edit: searched with the words as they are",)
    for words in has:
        assert words in made.target.description
    for word in lacks:
        assert word not in re.findall(r"[\w-]+", made.target.description)


@pytest.mark.parametrize(("said", "kind"), [(said, kind) for said, kind, _, _ in sayings() if kind != "edit"])
def test_what_is_no_edit_is_answered_without_a_search(engine, red, said, kind):
    dialogue = build_dialogue(engine, ask=False, trusted=True)
    first = dialogue.invoke({"messages": [HumanMessage("in blue")], "reference": str(red)})
    turns = engine.turns()
    state = dialogue.invoke({"messages": [HumanMessage(said)], "turn": first["turn"]})
    assert engine.turns() == turns, "no turn is stored"
    answer = state["messages"][-1].text
    assert answer
    assert ("18 pictures" in answer) == (kind == "gallery")
    assert ("red dress" in answer) == (kind in ("gallery", "more", "opinion", "nothing", "greeting", "help", "reason"))
    assert state["turn"] == (None if kind == "restart" else first["turn"])


def test_small_talk_is_answered_in_ipcir_chat_too(engine, red, capsys):
    chat = Chat(engine)
    chat.start_from(str(red))
    lines = ["in blue", "how many pictures are there?", "where is the second one?", "thank you", "lol", "start over"]
    assert all(chat.handle(line) for line in lines)
    assert chat.place == Place()
    assert not chat.handle("thank you, goodbye")
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("The gallery holds 18 pictures.", "You are welcome.", "nothing was searched for", "Goodbye."):
        assert words in shown
    assert len(engine.turns()) == 1


def test_a_program_that_passes_small_talk_is_warned(engine, red):
    turn = engine.search(red, "in blue").turn
    result = engine.refine(turn.id, "thank you, goodbye")
    assert described(result) == "a blue shirt, thank you, goodbye"
    assert result.warnings[0].startswith('"thank you, goodbye" does not read as an edit')


# --- words that point


@pytest.mark.parametrize(
    ("said", "description", "warnings"),
    [
        ("like this, in blue", "a blue shirt", ()),
        ("this dress, in blue", "a blue dress", ('took your word "dress" for the caption\'s "shirt"',)),
        ("the same but blue", "a blue shirt", ()),
        ("this one in blue", "a blue shirt", ()),
        ("this shirt, in blue", "a blue shirt", ()),
        ("something like it with stripes", "a red striped shirt", ()),
        ("this, as a dress", "a red dress", ()),
    ],
)
def test_words_that_point_at_the_reference_are_not_searched_for(engine, red, said, description, warnings):
    result = engine.search(red, said)
    assert (described(result), result.warnings) == (description, warnings)
