"""When a dialogue asks: words that describe nothing, words that point, hits that show something else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipcir_tools.agents.dialogue import clarify


@pytest.mark.parametrize(
    "words", ["something else", "Different!", "change it", "another one, please", "show me more", "", "?!", "a new one"]
)
def test_words_that_name_nothing_are_unclear(words):
    found = clarify.check_words(words, has_reference=True, has_turn=False)
    assert found is not None
    assert found.why == "unclear"


@pytest.mark.parametrize("words", ["in blue", "make it shorter", "the other sleeve", "plus élégant", "青い", "similar"])
def test_words_that_name_something_are_not(words):
    assert clarify.check_words(words, has_reference=True, has_turn=True) is None


@pytest.mark.parametrize(
    ("words", "points"),
    [
        ("make it blue", True),
        ("This one but shorter", True),
        ("something like this in green", True),
        ("please change it to a dress", True),
        ("a man making a cake", False),
        ("a dog that has its own bed", False),
        ("in blue", False),
    ],
)
def test_words_that_point_need_a_picture(words, points):
    found = clarify.check_words(words, has_reference=False, has_turn=False)
    assert (found is not None and found.why == "no reference") is points
    assert clarify.check_words(words, has_reference=True, has_turn=False) is None


def unit(values: list[float]) -> np.ndarray:
    vector = np.array([*values, 1.0], np.float32)
    return vector / np.linalg.norm(vector)


vectors = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).map(unit)


@given(st.lists(vectors, min_size=1, max_size=5), vectors, vectors)
def test_one_hit_that_leans_to_the_wanted_words_is_enough(hits, wanted, start):
    margin = clarify.margin(np.stack(hits), wanted, start)
    assert margin == pytest.approx(max(float(hit @ wanted - hit @ start) for hit in hits), abs=1e-5)
    assume(wanted @ start < 0.999)
    assert clarify.check_hits(np.stack([*hits, wanted]), wanted, start, "x") is None, "the very thing is among the hits"


def test_a_question_quotes_the_request_and_no_more():
    found = clarify.check_hits(np.array([unit([1] * 4)]), unit([-1] * 4), unit([1] * 4), 'a "hat"\n' + "so " * 500)
    assert found is not None
    assert '\\"hat\\"' in found.question
    assert ("\n" not in found.question, len(found.question) < 500) == (True, True)
