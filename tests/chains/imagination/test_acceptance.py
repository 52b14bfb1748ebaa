"""Which replies are taken for an imagination: a table of good ones and of what small models write instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipcir_tools.chains.imagination.acceptance import Acceptance
from ipcir_tools.chains.imagination.parsing import BadReplyError, parse_reply
from ipcir_tools.chains.imagination.results import ImagineRequest, NotedCaption
from ipcir_tools.llm.prompt_text import PromptText
from ipcir_tools.prompts import Prompt, load_prompt, parse_prompt
from ipcir_tools.types import ImaginedTarget

PROMPTS = ("imagine.structured", "imagine.ensemble", "imagine.onestage", "refine")
OWN = """---
id: mine
version: 1
purpose: To test a prompt of one's own.
variables: {caption: 100, modification: 100}
reply: text
---

## system

Join the two. Write plainly, on a white background. For example: A brown dog jumps over the lazy fox.

## user

{caption} {modification}
"""


def taken(description: str, caption: str, modification: str, prompt: str | Prompt = "imagine.structured", **parts: Any):
    """The target that a reply is taken for. Raises BadReplyError."""
    history = tuple((words, ImaginedTarget(description=text, origin="llm")) for words, text in parts.pop("history", ()))
    others = parts.pop("others", ())
    request = ImagineRequest(caption, modification, history, note=parts.pop("note", ""), others=others)
    reading = parse_reply(json.dumps({"description": description, **parts}))
    of = load_prompt(prompt) if isinstance(prompt, str) else prompt
    return Acceptance(of).accepted(reading, request).target


JUMPSUIT = "a short brown checked jumpsuit with short sleeves, a pocket and a belt"

GOOD = [
    # caption, modification, description
    ("a red dress on a hanger", "make it blue with long sleeves", "A blue dress with long sleeves on a hanger."),
    ("a red dress", "like the sea", "a turquoise dress"),
    ("a red dress", "the same", "a red dress"),
    ("a red dress", "more like this", "A red dress."),
    ("a red dress", "without the belt", "a red dress"),
    ("a red dress", "make it red", "a red dress"),
    ("a red dress with a belt", "without the belt", "a red dress"),
    ("a red dress with a belt", "simpler, please", "a plain red dress"),
    ("a blue shirt", "a red dress on a beach", "a red dress on a beach"),
    ("a blue shirt", "red dress on a beach", "A red dress on a beach"),
    ("a dog", "a cat", "a cat"),
    ("a dog on grass", "two cats on a sofa", "Two cats on a sofa."),
    ("a man in a suit", "woman wearing sunglasses and smiling", "woman wearing sunglasses and smiling"),
    ("a tee", "in blue", "a blue t-shirt"),
    ("a tee", "something for winter", "a thick wool tee with long sleeves"),
    ("dress", "blue", "blue dress"),
    ("a red dress", "en azul", "un vestido azul"),
    ("a red dress", "make it blue", "ein blaues Kleid mit langen Ärmeln"),
    ("a red dress", "make it blue", "ein blaues Kleid ohne Muster auf dem Boden mit Hut"),
    ("a red dress", "改成蓝色", "一件蓝色的连衣裙"),
    ("a red dress", "💙", "a red dress"),
    ("a red shirt with blue buttons", "make the shirt blue", "a blue shirt with blue buttons"),
    ("a dog", "zoom in on its face", "a close-up of a dog's face"),
    ("a white cat on a sofa", "make it black", "a black cat on a sofa"),
    ("an iguana playing a harp", "make it emerald, on a carousel", "an emerald iguana playing a harp on a carousel"),
    ("a sign with text", "make it say json", "a sign that says JSON"),
    ("a cat on the table", "put it under the table", "a cat under the table"),
    ("a red dress with a red belt", "make the dress blue", "a blue dress with a red belt"),
    ("a light switched off", "turn it on", "a light turned on"),
    ("a dress", "longer", "a floor-length dress"),
    ("two dogs", "only one", "a dog"),
    ("a laptop, a mouse and a cup on a desk", "only the laptop", "a laptop"),
    ("a cow standing in a field", "put the cow in a stable", "a cow in a stable"),
    ("a brown dog with floppy ears", "a poodle", "a poodle"),
    ("a dog running on the beach", "two dogs", "two dogs"),
    ("a green shirt", "change the colour to green", "a green shirt"),
    ("a plate of pasta", "a salad instead", "a salad"),
    ("a plate of pasta", "a salad instead", "a plate of salad"),
    ("a red dress with a red belt", "make the dress blue", "a dress in blue"),
    ("a red dress on a hanger", "a blue dress", "a blue dress"),
    (JUMPSUIT, "in blue", JUMPSUIT.replace("brown", "blue")),
    (JUMPSUIT, "in blue", "a short navy jumpsuit with a white belt"),
    (JUMPSUIT, "in grey", "a short gray checked jumpsuit"),
    (JUMPSUIT, "in blue", "un mono azul a cuadros con mangas cortas"),
    ("a red dress", "with a collar", "a red dress with a collar"),
    ("a reference book on a desk", "make it red", "a red reference book on the reference desk"),
]

BAD = [
    # caption, modification, description, what is said of it
    ("a red dress", "make it blue", "an emerald iguana playing a harp on a carousel", "copied"),
    ("a red dress", "make it blue", "An emerald iguana, playing a harp; on a carousel!", "copied"),
    ("a red dress", "make it blue", "a blue iguana playing a harp on a carousel", "copied"),
    ("a red dress", "make it blue", "a jade lizard at a harp on a merry-go-round", "copied"),
    ("a red dress", "make it blue", "a long saffron kimono", "copied"),
    ("a red dress", "make it blue", "One plain sentence: only what is to be seen.", "copied"),
    ("a red dress", "make it blue", "Join a reference picture's caption and a change request", "copied"),
    ("a red dress", "make it blue", "the wanted picture in one plain sentence of at most 30 words", "copied"),
    (
        "a red dress on a hanger",
        "make it blue with long sleeves",
        "a red dress on a hanger",
        "again.*blue long",
    ),
    ("a red dress on a hanger", "make it blue", "A picture of a red dress on a hanger.", "caption again"),
    ("a red dress with a belt", "without the belt", "a red dress with a belt", "no belt"),
    ("a man with a hat", "remove the hat", "a man with a hat", "no hat"),
    ("a red shirt with blue buttons", "make the shirt blue", "a red shirt with blue buttons", "no red"),
    ("a red dress on a hanger", "make it blue", "a red dress", "caption again"),
    ("a wooden chair", "with a cushion", "a wooden chair", "cushion"),
    ("a dog", "zoom in", "a dog", "zoom"),
    ("a cat on the table", "put it under the table", "a cat on the table", "under"),
    ("a red dress", "哪里更蓝", "a red dress", "caption again"),
    ("a red dress", "make it blue", "make it blue", "the request again"),
    ("a red dress", "make it blue", "Make the dress blue", "the request again"),
    ("a red dress", "make it blue", "search for a blue dress", "the request again"),
    ("a red dress", "make it blue", "Find me a blue dress", "the request again"),
    ("a red dress", "with long sleeves", "with long sleeves", "the request again"),
    ("a red dress", "longer sleeves", "longer sleeves", "the request again"),
    ("a red dress", "blue", "blue", "the request again"),
    ("a plate of pasta", "a salad instead", "a salad instead", "the request again"),
    ("a dress with short sleeves", "longer sleeves", "longer sleeves", "the request again"),
    ("a white mug on a table", "the mug is green", "the mug is green", "the request again"),
    ("three cups on a shelf", "just one cup", "three cups on a shelf", "caption again"),
    ("a dog on the beach", "two dogs", "a dog on the beach", "caption again"),
    ("a dress", "a collar and long sleeves", "a collar and long sleeves", "the request again"),
    ("a red dress", "make it blue", "The weather has been lovely lately.", "no word in common"),
    ("a red dress", "make it blue", "Lorem ipsum dolor sit amet", "placeholder"),
    ("a red dress", "make it blue", "<description of the picture>", "placeholder"),
    ("a red dress", "make it blue", "[Your description here]", "placeholder"),
    ("a red dress", "make it blue", "the caption of the wanted picture", "placeholder"),
    ("a red dress", "make it blue", "This is the JSON object of a blue dress", "about the reply"),
    ("a red dress", "make it blue", "A blue dress, as my reply says", "about the reply"),
    ("a red dress", "make it blue", "a blue dress with a", "middle of a sentence"),
    ("a red dress", "make it blue", "a blue dress, ", "middle of a sentence"),
    (JUMPSUIT, "in blue", JUMPSUIT.replace("brown", "purple"), "something else.*blue"),
    (JUMPSUIT, "in blue", "a short checked jumpsuit in red and white", "something else.*blue"),
    (JUMPSUIT, "striped", "a short brown floral jumpsuit with a belt", "something else.*striped"),
    (JUMPSUIT, "in blue", f"{JUMPSUIT}, in blue", "no brown"),
    (JUMPSUIT, "with long sleeves", f"{JUMPSUIT} with long sleeves", "no short sleeves"),
    (JUMPSUIT, "with long sleeves", "a short brown checked", "caption again.*long"),
    (JUMPSUIT, "in blue", "The target picture shows the reference with the change applied: blue", "about the change"),
    (JUMPSUIT, "in blue", "the same jumpsuit as in the original but blue", "about the change"),
    (JUMPSUIT, "in blue", "a blue jumpsuit with every modification applied", "about the change"),
    (JUMPSUIT, "in blue", "blue blue blue blue", "repeats"),
    (JUMPSUIT, "in blue", "a blue jumpsuit, a blue jumpsuit, a blue jumpsuit", "repeats"),
    (JUMPSUIT, "in blue", "the weather in the city near un rio", "no word in common"),
]


@pytest.mark.parametrize(("caption", "modification", "description"), GOOD)
def test_a_description_of_the_target_is_taken(caption: str, modification: str, description: str):
    assert taken(description, caption, modification).description == description


@pytest.mark.parametrize(("caption", "modification", "description", "reason"), BAD)
def test_what_describes_something_else_is_refused_with_a_reason(caption, modification, description, reason):
    with pytest.raises(BadReplyError, match=reason):
        taken(description, caption, modification)


@pytest.mark.parametrize("id", PROMPTS)
def test_the_example_of_every_prompt_is_recognised(id: str):
    examples = [text for text in PromptText(load_prompt(id)).examples if len(text.split()) > 5]
    assert len(examples) >= 2
    for text in examples:
        with pytest.raises(BadReplyError, match="copied"):
            taken(text, "a red dress", "make it blue", id)


@pytest.mark.parametrize("text", ["A brown dog jumps over the lazy fox.", "Write plainly, on a white background."])
def test_a_prompt_of_ones_own_needs_no_mark_on_its_examples(text: str):
    with pytest.raises(BadReplyError, match="copied"):
        taken(text, "a red dress", "make it blue", parse_prompt(OWN, "mine"))


def test_what_a_prompt_of_ones_own_asks_for_is_no_copy():
    text = "a blue dress on a white background"
    assert taken(text, "a red dress", "make it blue", parse_prompt(OWN, "mine")).description == text


# --- dialogues and several references

TURNS = [("make it blue", "a blue dress"), ("with long sleeves", "a blue dress with long sleeves")]


@pytest.mark.parametrize(
    ("modification", "description"),
    [
        ("and a belt", "a blue dress with long sleeves and a belt"),
        ("back to the first one", "a red dress"),
        ("no, not blue", "a red dress with long sleeves"),
        ("undo that", "a blue dress"),
        ("shorter", "a short blue dress with long sleeves"),
    ],
)
def test_a_refinement_may_go_back(modification: str, description: str):
    assert taken(description, "a red dress", modification, "refine", history=TURNS).description == description


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("a red dress", "caption again.*belt"),
        ("a blue dress with long sleeves", "caption again.*belt"),
        ("two emerald iguanas playing harps on a carousel at dusk", "copied"),
        ("and a belt", "request again"),
    ],
)
def test_a_refinement_has_to_refine(description: str, reason: str):
    with pytest.raises(BadReplyError, match=reason):
        taken(description, "a red dress", "and a belt", "refine", history=TURNS)


def test_of_several_references_none_is_the_target():
    others = (NotedCaption("a blue shirt with a round collar", "its collar"),)
    for copied in ("a red dress", "a blue shirt with a round collar"):
        with pytest.raises(BadReplyError, match="caption again"):
            taken(copied, "a red dress", "combine them", others=others)
    good = "a red dress with a round collar"
    assert taken(good, "a red dress", "combine them", others=others).description == good


# --- lists


@pytest.mark.parametrize("lists", [{"add": ["a belt"], "remove": ["belt"]}, {"keep": ["the red"], "remove": ["red"]}])
def test_lists_that_contradict_each_other_are_refused(lists: dict[str, list[str]]):
    with pytest.raises(BadReplyError, match='and in "remove"'):
        taken("a blue dress", "a red dress", "make it blue", **lists)


def test_of_the_lists_what_is_copied_or_shown_is_left_out():
    target = taken(
        "a blue dress with a red belt",
        "a red dress with a red belt",
        "make the dress blue",
        keep=["belt", "iguana"],
        add=["blue", "carousel"],
        remove=["red", "rowing boat", "red dress"],
        alternatives=["a jade lizard at a harp on a merry-go-round", "a dress in blue", "a red dress with a red belt"],
    )
    assert (target.keep, target.add, target.remove) == (("belt",), ("blue",), ("red dress",))
    assert target.alternatives == ("a dress in blue",)


def test_a_subject_that_is_replaced_may_stand_in_remove_alone():
    assert taken("a thick wool sweater", "a tee", "something for winter", remove=["tee"])
    with pytest.raises(BadReplyError, match="no word in common"):
        taken("a thick wool sweater", "a tee", "something for winter")
