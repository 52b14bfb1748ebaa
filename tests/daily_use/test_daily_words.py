"""Words people say: additions keep the dialogue, small talk is no search, and what was not understood is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from colour_folder import draw, use_fake_models
from langchain_core.messages import HumanMessage
from sayings import BEFORE, CAPTION, KNOWN_TO_FAIL, SAYINGS, UNTUNED

from ipcir_tools.agents.dialogue.commands import Refine, Undo
from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.agents.dialogue.line_parser import parse_line
from ipcir_tools.chains.composition.context_limit import fitted
from ipcir_tools.chains.imagination.rules import imagine_by_rules, imagine_with_warnings
from ipcir_tools.chains.imagination.rules.utterances import UtteranceKind, classify_utterance
from ipcir_tools.cli.chat.chat import Chat, Place
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.settings import Settings
from ipcir_tools.text import quote
from ipcir_tools.types import ImaginedTarget, SearchResult


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


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        *[(said, "hit") for said in ("what does hit 2 look like?", "is the second one longer?", "are they all red?")],
        *[(said, "hit") for said in ("what's the difference between 1 and 2?", "what is the price of number 2")],
        *[(said, "hit") for said in ("how much does it cost?", "do you have anything cheaper?")],
        *[(said, "help") for said in ("can I download it?", "do I have to pay", "thanks, can I save it?")],
        *[(said, "help") for said in ("send me number 3 by mail", "can you delete picture 3?", "save the first one")],
        *[(said, "nothing") for said in ("hmm, let me think", "go away", "please stop")],
        *[(said, "opinion") for said in ("I can't see the pictures", "you didn't understand me", "too expensive")],
        *[(said, "opinion") for said in ("and nothing else", "I changed my mind")],
        ("are there more of these", "more"),
        ("what was the last thing I said?", "reason"),
        *[(said, "edit") for said in ("is there one in blue?", "can you make it blue?", "what about green?")],
        *[(said, "edit") for said in ("do you have this in red?", "I'd like it longer", "could it have a hood?")],
        *[(said, "edit") for said in ("can I see it in green?", "are there any with stripes?", "too long")],
        *[
            (said, "edit")
            for said in ("is it available in blue?", "is next to a bench", "are they all red? make it blue")
        ],
    ],
)
def test_questions_requests_and_complaints_are_told_from_edits_by_their_form(said, kind):
    assert classify_utterance(said) == kind


@pytest.mark.parametrize(("table", "good"), [(UNTUNED, True), (KNOWN_TO_FAIL, False)])
def test_sayings_that_the_rules_were_not_written_for(table, good):
    rows = [line.split(" | ") for line in table.strip().splitlines()]
    assert [said for said, kind in rows if (classify_utterance(said) == kind) is not good] == []


def test_what_is_asked_of_one_hit_and_of_prices_is_answered_of_that_hit(engine, red):
    dialogue = build_dialogue(engine, ask=False, trusted=True)
    first = dialogue.invoke({"messages": [HumanMessage("in blue")], "reference": str(red)})
    state = dialogue.invoke({"messages": [HumanMessage("what is the price of number 2")], "turn": first["turn"]})
    answer = state["messages"][-1].text
    assert answer.startswith("2. ")
    assert len(answer.splitlines()) == 2
    assert "No prices are known here." in answer


def test_going_back_by_a_number_of_steps_is_an_undo(engine):
    assert parse_line("go back two steps") == parse_line("please undo the last two changes") == Undo(2)
    assert classify_utterance("go back two steps") == "undo"


@pytest.mark.parametrize(
    ("said", "description"),
    [
        ("also, could it have a hood?", "a blue dress with long sleeves and a hood on a hanger"),
        ("sorry, I meant green", "a green dress with long sleeves on a hanger"),
        ("good evening, I need a green coat", "a green coat with long sleeves on a hanger"),
        ("it should have a hood, and the belt can go", "a blue dress with long sleeves and a hood on a hanger"),
        ("I changed my mind, I want a striped one", "a blue striped dress with long sleeves on a hanger"),
        ("on second thought, make it red", "a red dress with long sleeves on a hanger"),
        ("my husband prefers a darker one", "a dark blue dress with long sleeves on a hanger"),
        ("My sister wants something with dots", "a blue dotted dress with long sleeves on a hanger"),
        ("also show it on a hanger in a shop", "a blue dress with long sleeves on a hanger in a shop"),
        ("this red shirt, in blue", "a blue shirt with long sleeves on a hanger"),
    ],
)
def test_an_opening_before_an_edit_and_who_wishes_it_are_dropped(said, description):
    assert imagine_by_rules(CAPTION, said, imagine_by_rules(CAPTION, BEFORE)).description == description


def test_a_hit_that_is_praised_with_a_but_is_chosen():
    assert parse_line("number 3 looks good, but in yellow") == Refine("in yellow", "3")


@pytest.mark.parametrize("noun", ["house", "woman"])
def test_a_pointing_word_of_another_kind_is_not_passed_over_in_silence(noun):
    made = imagine_with_warnings(CAPTION, f"this {noun}, in winter")
    assert made.warnings[0] == f'kept the caption\'s "dress", as your "{noun}" is of another kind'


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


# --- words that the rules do not know


@pytest.mark.parametrize(
    ("said", "unknown", "searched"),
    [
        ("en bleu s'il te plaît", "en bleu s'il te plaît", "a red shirt, en bleu s'il te plaît"),
        ("in blau", "in blau", "a red shirt, in blau"),
        ("青いシャツ", "青いシャツ", "a red shirt, 青いシャツ"),
        ("con rayas rojas", "con rayas rojas", "a red shirt, con rayas rojas"),
        ("🌊", "🌊", "a red shirt, 🌊"),
        ("make it blue 🌊", "🌊", "a blue shirt, 🌊"),
        ("make it more wabi-sabi", "wabi-sabi", "a red wabi-sabi shirt"),
    ],
)
def test_what_the_rules_do_not_understand_is_said_and_searched_for(engine, red, said, unknown, searched):
    result = engine.search(red, said)
    assert described(result) == searched
    (warning,) = result.warnings
    assert warning.startswith(f"the rules did not understand {quote(unknown)}: searched with the words as they are")


@pytest.mark.parametrize(
    "said",
    [
        "in blue with long sleeves",
        "a café in the background",
        "has a sombrero",
        "more colourful and less formal",
        "same but with a floral print",
        "shows two dogs playing on the grass",
        "is a darker tie-dye with an appliqué",
        "two-toned, with a ruffled hem",
    ],
)
def test_ordinary_english_gives_no_warning(engine, red, said):
    assert engine.search(red, said).warnings == ()


# --- texts that are too long


def test_words_beyond_the_encoders_context_are_counted_in_a_warning(engine, monkeypatch):
    monkeypatch.setattr(FakeEncoder, "words_left_out", lambda self, text: max(len(text.split()) - 50, 0))
    result = engine.find(" ".join(["a red shirt", *["with a long story"] * 14]))
    assert result.warnings == ("your words are longer than the encoder reads: the last 9 words were left out",)
    assert engine.find("a red shirt").warnings == ()


def test_a_long_caption_does_not_push_the_edit_out():
    caption = "a red shirt on a hanger " + " ".join(f"near the thing{i}" for i in range(25))
    made = imagine_with_warnings(caption, "with a hat in the background")
    assert made.target.description.startswith("hat in the background, a red shirt on a hanger")
    assert len(made.target.description.split()) == 60
    assert made.warnings == ("the rules describe a target in 60 words at most: 27 were left out",)


def test_the_encoder_is_given_first_what_was_added():
    target = ImaginedTarget(description="a red shirt on a hanger", add=("a hat",), origin="llm")
    assert fitted(target.description, target, lambda text: 2) == "a hat, a red shirt on a hanger"
    assert fitted(target.description, target, lambda text: 0) == target.description
    assert fitted("the user's own words", target, lambda text: 2) == "the user's own words"


def test_the_demo_encoder_counts_what_its_tokenizer_leaves_out(tmp_path):
    with Engine.open(Settings(home=tmp_path / "home", models="demo")) as engine:
        encoder = engine.components.encoder
    words = " ".join(f"a{i}b" for i in range(200))
    left_out = encoder.words_left_out(words)
    assert 100 < left_out < 200
    read = " ".join(words.split()[: 200 - left_out])
    assert np.allclose(encoder.embed_texts([words]), encoder.embed_texts([read]))
    assert encoder.words_left_out("a red dress with long sleeves") == 0
