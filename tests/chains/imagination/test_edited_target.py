"""Words of an imagined target, struck out and added by a person."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.chains.imagination.edited import edited_target, without_words
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import ImaginedTarget

TARGET = ImaginedTarget(
    description="a long blue floral jumpsuit with long sleeves, a round neck and a pocket",
    keep=("long", "floral", "jumpsuit", "round neck", "pocket"),
    add=("blue", "long sleeves"),
    remove=("black", "short sleeves"),
    alternatives=("a blue jumpsuit", "a floral jumpsuit"),
    origin="rules",
)


def edited(**lists):
    return edited_target(TARGET, **{name: getattr(TARGET, name) for name in ("keep", "add", "remove")} | lists)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("blue", "a long floral jumpsuit with long sleeves, a round neck and a pocket"),
        ("long sleeves", "a long blue floral jumpsuit with a round neck and a pocket"),
        ("round neck", "a long blue floral jumpsuit with long sleeves, and a pocket"),
        ("pocket", "a long blue floral jumpsuit with long sleeves, a round neck"),
        ("Pocket", "a long blue floral jumpsuit with long sleeves, a round neck"),
        ("sleeve", "a long blue floral jumpsuit with long sleeves, a round neck and a pocket"),
    ],
)
def test_words_leave_a_description_with_what_belongs_to_them(words, left):
    assert without_words(TARGET.description, words) == left


def test_an_article_agrees_with_what_follows_it_now():
    assert without_words("a red orange dress", "red") == "an orange dress"
    assert without_words("an orange dress", "orange") == "a dress"


def test_a_word_that_is_struck_out_leaves_the_lists_the_description_and_the_alternatives():
    target = edited(add=("long sleeves",))
    assert target.description == "a long floral jumpsuit with long sleeves, a round neck and a pocket"
    assert target.add == ("long sleeves",)
    assert target.alternatives == ("a floral jumpsuit",)
    assert target.origin == "person"


def test_a_word_that_is_added_joins_the_description():
    assert edited(add=(*TARGET.add, "a belt")).description == f"{TARGET.description}, a belt"


def test_a_word_that_is_to_be_gone_leaves_the_description():
    assert "pocket" not in edited(keep=TARGET.keep[:-1], remove=("pocket",)).description


@pytest.mark.parametrize(
    ("gone", "kept", "added", "left"),
    [
        ("pocket", TARGET.keep[:-1], TARGET.add, "a long blue floral jumpsuit with long sleeves, a round neck"),
        ("Blue", TARGET.keep, ("long sleeves",), "a long floral jumpsuit with long sleeves, a round neck and a pocket"),
        ("sleeves", TARGET.keep, ("blue",), "a long blue floral jumpsuit with a round neck and a pocket"),
        ("round", (*TARGET.keep[:3], "neck", "pocket"), TARGET.add, TARGET.description.replace("round ", "")),
    ],
)
def test_a_word_that_is_to_be_gone_is_neither_kept_nor_added(gone, kept, added, left):
    target = edited(remove=(*TARGET.remove, gone))
    assert (target.keep, target.add, target.description) == (kept, added, left)
    assert target.remove == (*TARGET.remove, gone)


def test_a_word_that_is_to_be_there_again_is_not_to_be_gone():
    target = edited(add=(*TARGET.add, "black"))
    assert target.remove == ("short sleeves",)
    assert target.description == f"{TARGET.description}, black"


def test_what_is_said_both_ways_at_once_is_refused():
    with pytest.raises(InvalidRequestError, match="'belt' cannot both be there and be gone"):
        edited(add=(*TARGET.add, "belt"), remove=(*TARGET.remove, "Belt"))


def test_what_is_no_longer_to_be_gone_changes_no_description():
    assert edited(remove=("black",)).description == TARGET.description


def test_nothing_left_is_refused():
    bare = ImaginedTarget(description="a dress", keep=("dress",), origin="rules")
    with pytest.raises(InvalidRequestError, match="Nothing is left"):
        edited_target(bare, keep=(), add=(), remove=())


@pytest.mark.parametrize("words", [["x" * 201], [str(n) for n in range(41)]])
def test_lists_have_limits(words):
    with pytest.raises(InvalidRequestError, match="`add` takes"):
        edited(add=words)


WORDS = st.lists(
    st.sampled_from(
        [
            "long",
            "blue",
            "floral",
            "jumpsuit",
            "sleeves",
            "round",
            "neck",
            "pocket",
            "and",
            "with",
            "a",
            "of",
            ",",
            "in",
        ]
    )
)


@given(WORDS, st.sampled_from(["blue", "round neck", "pocket", "long sleeves", "jumpsuit"]))
def test_what_is_struck_out_is_nowhere_left(words, struck):
    left = without_words(" ".join(words), struck)
    assert not re.search(rf"\b{struck}\b", left)
    assert left == left.strip(" ,")
