"""The order after verification: scores in units of spread and likelihoods, added; who was not verified stays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.engine.verified_order import WEIGHT, combined_scores, verified_order

finite = st.floats(-100, 0, width=32)


def test_by_example():
    scores, likelihoods = [0.9, 0.8, 0.7], [-50.0, -4.0, -5.0]
    assert verified_order(scores, likelihoods, spread=0.3) == [1, 2, 0]
    assert verified_order(scores, likelihoods, spread=0.001) == [0, 1, 2], "scores far apart in units of spread"
    assert verified_order(scores, [-50.0, None, -5.0], spread=0.3) == [2, 1, 0], "the one in the middle keeps its place"


def test_a_nat_weighs_as_much_as_its_share_of_the_spread():
    combined = combined_scores(np.array([0.5, 0.5 + 0.3 * WEIGHT], np.float32), np.array([-3.0, -4.0]), 0.3)
    np.testing.assert_allclose(combined[0], combined[1], atol=1e-6)


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.none() | finite), max_size=8), st.floats(0.01, 1))
def test_it_is_a_permutation_that_moves_only_what_was_verified(candidates, spread):
    scores, likelihoods = [score for score, _ in candidates], [value for _, value in candidates]
    order = verified_order(scores, likelihoods, spread)
    assert sorted(order) == list(range(len(candidates)))
    assert all(order[place] == place for place, value in enumerate(likelihoods) if value is None)


@given(st.lists(st.tuples(st.floats(-1, 1, width=16), st.integers(-50, 0)), max_size=8), st.integers(1, 30))
def test_what_all_likelihoods_share_makes_no_difference(candidates, prior):
    """P(text), the language prior, is the same for every picture and needs not be taken out."""
    scores = [score for score, _ in candidates]
    ours, shifted = ([float(value + shift) for _, value in candidates] for shift in (0, prior))
    first, second = verified_order(scores, ours, 0.25), verified_order(scores, shifted, 0.25)
    combined = [score / 0.25 + WEIGHT * value for score, value in zip(scores, ours, strict=True)]
    assert all(abs(combined[a] - combined[b]) < 1e-4 for a, b in zip(first, second, strict=True))
