"""What a typed line means: picks and commands are found, and no ordinary edit is taken for one."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipcir_tools.agents.dialogue.commands import (
    Combination,
    Command,
    Find,
    Goto,
    New,
    Refine,
    Setting,
    Sheet,
    Show,
    Undo,
    format_refinement,
)
from ipcir_tools.agents.dialogue.line_parser import parse_line

ID = "0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        "in blue with long sleeves",
        "more like a dress",
        "like a coat",
        "more like 80s style",
        "more like 3.5",
        "more like 50%",
        "like 1950",
        "more like facade",
        "more like 2 dogs",
        "not so long",
        "not 2 buttons",
        "3 buttons",
        "3-piece suit",
        "2 dogs in a boat",
        "take 2 dogs away",
        "take the belt off",
        "show a dog",
        "show 3 buttons",
        "back view",
        "go back to red",
        "back to red",
        "undo the belt",
        "find a happier one",
        "find me something darker",
        "new collar",
        "new black/white pattern",
        "sheet music",
        "keep the 3 buttons",
        "where the sun shines",
        "help her stand up",
        "turns into a bird",
        "but in red",
        "k",
        'the word "SALE" on it',
    ],
)
def test_an_ordinary_edit_comes_through_as_it_was_typed(text):
    assert parse_line(f"  {text} ") == Refine(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        # judging: the reference stays
        ("more like 3", Refine(liked=("3",))),
        ("More like #3!", Refine(liked=("3",))),
        ("a bit more like picture 3, please", Refine(liked=("3",))),
        ("ok, now more like the second one", Refine(liked=("2",))),
        ("I like 3", Refine(liked=("3",))),
        ("more like 2 and 5", Refine(liked=("2", "5"))),
        ("more like 2, 5 and 7", Refine(liked=("2", "5", "7"))),
        ("more like 2 2", Refine(liked=("2",))),
        (f"more like {ID}", Refine(liked=(ID,))),
        ("less like 4", Refine(disliked=("4",))),
        ("not 2", Refine(disliked=("2",))),
        ("I don't like 4", Refine(disliked=("4",))),
        ("more like 3, less like 1", Refine(liked=("3",), disliked=("1",))),
        ("more like 3 than 1", Refine(liked=("3",), disliked=("1",))),
        # with an edit beside it
        ("more like 3 but in green", Refine("in green", liked=("3",))),
        ("more like 3 in green", Refine("in green", liked=("3",))),
        ("in green, more like 3 and shorter", Refine("in green, shorter", liked=("3",))),
        ("less like 1 and 2, and longer", Refine("longer", disliked=("1", "2"))),
        ("more like 3 and 5 buttons", Refine("5 buttons", liked=("3",))),
        ("with 3 buttons, more like 2", Refine("with 3 buttons", liked=("2",))),
        # choosing: another reference
        ("3", Refine(reference="3")),
        ("#3", Refine(reference="3")),
        ("003", Refine(reference="3")),
        ("the third one", Refine(reference="3")),
        ("like 3", Refine(reference="3")),
        ("take 3", Refine(reference="3")),
        ("I'll take 3", Refine(reference="3")),
        ("go with the first", Refine(reference="1")),
        (ID, Refine(reference=ID)),
        (ID[:6], Refine(reference=ID[:6])),
        ("3 but in red", Refine("in red", reference="3")),
        ("#3 in red", Refine("in red", reference="3")),
        ("like 3 but in green", Refine("in green", reference="3")),
        ("take 3 and make it blue", Refine("make it blue", reference="3")),
        ("like 3 but shorter and less like 1", Refine("shorter", reference="3", disliked=("1",))),
        ("3 but not 4", Refine(reference="3", disliked=("4",))),
        # one picture can be the reference; several are liked
        ("like 2 and 5", Refine(liked=("2", "5"))),
        ("2, 5", Refine(liked=("2", "5"))),
        # quotes make anything an edit
        ('"undo"', Refine("undo")),
        ('"3"', Refine("3")),
    ],
)
def test_picks(text, meant):
    assert parse_line(text) == meant


@pytest.mark.parametrize(
    ("text", "pictures"),
    [
        ("3 with the collar of 5", {"3": "", "5": "the collar"}),
        ("like 3 but with the collar of 5", {"3": "", "5": "the collar"}),
        ("take the third one with the same collar as #5, please", {"3": "", "5": "the collar"}),
        ("3, but in the colour of the second", {"3": "", "2": "the colour"}),
        ("4 in the colour of the second one", {"4": "", "2": "the colour"}),
        ("3 with 5's collar", {"3": "", "5": "the collar"}),
        ("3 with the sleeves of 5 and the long hem of 2", {"3": "", "5": "the sleeves", "2": "the long hem"}),
        ("3 with the sleeves of 5 and the collar of 5", {"3": "", "5": "the sleeves and the collar"}),
        ("the pattern of 2 on 4", {"4": "", "2": "the pattern"}),
        ("put the pattern of 2 on the cut of 4", {"4": "the cut", "2": "the pattern"}),
        ("the dress of 2 in the colour of 4", {"2": "the dress", "4": "the colour"}),
        (f"{ID} with the collar of {ID[:7]}", {ID: "", ID[:7]: "the collar"}),
    ],
)
def test_combinations(text, pictures):
    combined = parse_line(text).combination
    assert (dict(combined.pictures), list(dict(combined.pictures))) == (pictures, list(pictures))
    assert not combined.is_addition


@pytest.mark.parametrize(
    ("text", "pictures"),
    [
        ("with the collar of 5", {"5": "the collar"}),
        ("and now with the collar from the fifth", {"5": "the collar"}),
        ("make it in the colour of 3", {"3": "the colour"}),
        ("use the pattern of 2", {"2": "the pattern"}),
        ("the collar of 5 and the sleeves of 2", {"5": "the collar", "2": "the sleeves"}),
    ],
)
def test_parts_come_beside_the_references_so_far(text, pictures):
    combined = parse_line(text).combination
    assert dict(combined.pictures) == pictures
    assert combined.is_addition
    assert combined.line == text


def test_a_combination_stands_beside_words_and_judgements():
    line = "3 with the collar of 5, in red, less like 1"
    assert parse_line(line) == Refine(
        "in red", disliked=("1",), combination=Combination((("3", ""), ("5", "the collar")), line=line)
    )
    assert parse_line(f"at t12ab: {line}").then == parse_line(line)


@pytest.mark.parametrize(
    "text",
    [
        "with a pattern of 3 stripes",
        "with the number 3 on it",
        "with the collar of a shirt",
        "the back of 3 rows",
        "with the head of 3 dogs",
        "in the style of the first century",
        "with the tail of 2-3 birds",
    ],
)
def test_numbers_in_an_edit_combine_nothing(text):
    assert parse_line(text) == Refine(text)


def test_a_picture_with_a_part_of_its_own_is_that_picture():
    line = "3 with the collar of 3"
    assert parse_line(line) == Refine(combination=Combination((("3", ""),), line=line))


@pytest.mark.parametrize("line", ["k banana", "k = many", "k 3x"])
def test_a_number_of_hits_that_is_none_is_told_by_who_sets_it(line):
    assert parse_line(line) == Setting("k", line.split()[-1])


@pytest.mark.parametrize(
    "combination",
    [
        Combination((("3", ""), ("5", "the collar"))),
        Combination((("3", ""), ("5", "the collar"), ("2", "the sleeves"))),
        Combination((("4", "the cut"), ("2", "the pattern"))),
        Combination((("5", "the collar"), ("2", "the sleeves")), is_addition=True),
    ],
)
def test_a_formatted_combination_has_the_same_meaning(combination):
    line = format_refinement(Refine("in red", liked=("1",), combination=combination))
    assert parse_line(line) == Refine("in red", liked=("1",), combination=replace(combination, line=line))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Command("nothing")),
        ("   ", Command("nothing")),
        ("turns", Command("turns")),
        ("tree", Command("turns")),
        ("HELP", Command("help")),
        ("?", Command("help")),
        ("quit", Command("quit")),
        ("exit", Command("quit")),
        ("undo", Undo()),
        ("undo twice", Undo(2)),
        ("back", Undo()),
        ("go back two", Undo(2)),
        ("go back 3 steps", Undo(3)),
        ("goto t12ab", Goto("t12ab")),
        ("go back to t12ab", Goto("t12ab")),
        ("goto nowhere", Goto("nowhere")),
        ("t12ab", Goto("t12ab")),
        ("at t12ab: in green", Goto("t12ab", Refine("in green"))),
        ("at t12ab: more like 3", Goto("t12ab", Refine(liked=("3",)))),
        ("show", Show()),
        ("show 3", Show("3")),
        ("find red dress", Find("red dress")),
        ("find me a red dress", Find("a red dress")),
        ("find: a happier one", Find("a happier one")),
        ("new coat.jpg", New("coat.jpg")),
        ("new ~/pictures/coat in blue", New("~/pictures/coat", "in blue")),
        ('new "my  coats/a b.png" in blue', New("my  coats/a b.png", "in blue")),
        (f"new {ID}", New(ID)),
        ("sheet", Sheet()),
        ("sheet my hits.png", Sheet("my hits.png")),
        ("k 5", Setting("k", "5")),
        ("k=5", Setting("k", "5")),
        ('where {"width": {"$gte": 800}}', Setting("where", '{"width": {"$gte": 800}}')),
        ("where off", Setting("where", "off")),
        ('where {"bad', Setting("where", '{"bad')),  # an error of wrong JSON, not searched for
    ],
)
def test_commands(text, meant):
    assert parse_line(text) == meant


@given(st.text(max_size=60))
def test_anything_at_all_has_a_meaning(text):
    line = parse_line(text)
    assert parse_line(text) == line
    if isinstance(line, Refine) and not (line.reference or line.liked or line.disliked):
        assert line.modification in text, "an edit is what was typed"


TYPED = [
    *(
        "and",
        "but",
        "like",
        "more",
        "less",
        "not",
        "than",
        "take",
        "the",
        "first",
        "one",
        "3",
        "12",
        "#4",
        ",",
        ".",
        "!",
    ),
    *("with", "collar", "of", "on", "in", "the collar of 5", "5's collar"),
    *("undo", "back", "two", "goto", "t12ab", "show", "find", "f\u0131rst", "\u017fix"),
]


@given(st.lists(st.sampled_from(TYPED), max_size=9).map(" ".join))
def test_words_of_picks_in_any_order_have_a_meaning(text):
    parse_line(text)


LETTERS = string.ascii_letters.replace("h", "") + " ,.-'äß"  # no h, so no "the first one"


@given(st.text(LETTERS, max_size=60))
def test_words_without_numbers_pick_nothing(text):
    edit = f"with {text}".strip()
    assert parse_line(edit) == Refine(edit)


NAMES = st.integers(1, 999).map(str) | st.text("0123456789abcdef", min_size=16, max_size=16)
PICKS = st.lists(NAMES, max_size=3, unique=True).map(tuple)
EDITS = st.sampled_from(["", "in green", "with 3 buttons", "shorter", "not so long"])


@given(EDITS, st.none() | NAMES, PICKS, PICKS)
def test_a_formatted_refinement_has_the_same_meaning(text, reference, liked, disliked):
    refinement = Refine(text, reference, liked, disliked)
    assume(refinement != Refine())
    assert parse_line(format_refinement(refinement)) == refinement


@pytest.mark.parametrize(
    "word", ["and ", ",", "1 ", "more like 1, ", "something ", "t", "0", "but ", "the x of 1 and "]
)
def test_an_endless_line_is_an_edit(word):
    endless = (word * 50_000).strip()
    assert parse_line(endless) == Refine(endless)
