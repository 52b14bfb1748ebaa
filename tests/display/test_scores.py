"""Scores in words: a person never meets a bare log-likelihood."""

from __future__ import annotations

from typing import Any

import pytest

from ipcir_tools.display.scores import hit_scores, ordinal
from ipcir_tools.types import ComposedQuery, Hit, Turn


def turn(verify: int | str, *verified: float | None, **scores: Any) -> Turn:
    hits = tuple(
        Hit(id=str(n), rank=n, score=0.5, source=f"/{n}.png", verified=value, **scores)
        for n, value in enumerate(verified, start=1)
    )
    query = ComposedQuery(modification="in blue", verify=verify)
    return Turn(id="t1", query=query, hits=hits, created="2025-01-01T00:00:00+00:00")


def test_a_log_likelihood_is_a_place_among_those_that_were_looked_at():
    asked = turn("auto", -30.0, -189.4, -12.5, None)
    shown = [[score.value for score in hit_scores(hit, asked)] for hit in asked.hits]
    assert shown == [["2nd of 3"], ["3rd of 3"], ["best of 3"], []]
    [score] = hit_scores(asked.hits[1], asked)
    assert score.meaning.endswith("among the 3 hits here that a model looked at again")
    assert score.detail == "log-likelihood -189.4"


def test_equals_share_a_place():
    asked = turn(2, -3.0, -3.0)
    assert [hit_scores(hit, asked)[0].value for hit in asked.hits] == ["best of 2", "best of 2"]


def test_a_share_of_checks_stays_a_share():
    asked = turn("llm:5", 0.75, image_score=0.4217, text_score=-0.013)
    assert [each.value for each in hit_scores(asked.hits[0], asked)] == ["0.42", "-0.01", "75%"]


@pytest.mark.parametrize("text", ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"])
def test_ordinals(text):
    assert ordinal(int(text[:-2])) == text
