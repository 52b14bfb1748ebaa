"""Fusion in numbers that can be worked out by hand, and what holds for every pair of vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ipcir_tools.composers.fusion import fuse, normalise, rocchio, weighted_sum

NUMBERS = st.floats(-1, 1, width=32)
WEIGHTS = st.floats(0, 1)
EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def rows(dim: int = 5):
    return st.lists(NUMBERS, min_size=dim, max_size=dim).map(lambda row: np.array(row, np.float32))


UNITS = rows().filter(lambda row: np.linalg.norm(row) > 0.01).map(normalise)


def test_half_and_half_lies_in_the_middle():
    assert fuse(EAST, NORTH, 0.5) == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])


def test_the_weight_is_the_texts():
    assert fuse(EAST, NORTH, 0.6) == pytest.approx(np.array([0.6, 0.4]) / np.sqrt(0.52))


@given(UNITS, UNITS)
def test_the_end_points_are_the_text_and_the_picture(text, image):
    assert fuse(text, image, 1.0) == pytest.approx(text, abs=1e-6)
    assert fuse(text, image, 0.0) == pytest.approx(image, abs=1e-6)


@given(UNITS, UNITS, WEIGHTS)
def test_what_comes_out_has_unit_norm(text, image, weight):
    fused = fuse(text, image, weight)
    assert fused.dtype == np.float32
    assert np.linalg.norm(fused) == pytest.approx(1.0, abs=1e-5)


@given(UNITS)
def test_opposite_vectors_of_equal_weight_leave_the_text(text):
    assert fuse(text, -text, 0.5) == pytest.approx(text, abs=1e-6)


@given(UNITS, UNITS)
def test_more_weight_brings_the_result_nearer_to_the_text_and_away_from_the_picture(text, image):
    assume(float(text @ image) > -0.99)  # between opposite vectors the direction hangs on rounding
    fused = np.stack([fuse(text, image, weight) for weight in np.linspace(0, 1, 11)])
    assert (np.diff(fused @ text) > -1e-5).all()
    assert (np.diff(fused @ image) < 1e-5).all()


@given(UNITS, UNITS, WEIGHTS, st.floats(0.01, 100))
def test_the_length_of_an_input_does_not_shift_the_weight(text, image, weight, length):
    assume(float(text @ image) > -0.99)
    assert fuse(np.float32(length) * text, image, weight) == pytest.approx(fuse(text, image, weight), abs=1e-4)


@given(UNITS, UNITS, WEIGHTS)
def test_swapping_text_and_picture_is_swapping_the_weights(text, image, weight):
    assume(float(text @ image) > -0.99)
    assert fuse(text, image, weight) == pytest.approx(fuse(image, text, 1 - weight), abs=1e-5)


@given(st.lists(rows(3), min_size=1, max_size=4).map(np.stack))
def test_rows_are_normalised_one_by_one_and_zero_stays_zero(matrix):
    norms = np.linalg.norm(normalise(matrix), axis=-1)
    for row, norm in zip(matrix, norms, strict=True):
        assert (
            norm == pytest.approx(1.0 if np.linalg.norm(row) >= 1e-9 else 0.0, abs=1e-3) or np.linalg.norm(row) < 1e-9
        )


def test_zero_is_not_divided_by():
    assert normalise(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0]] * 2


def test_rocchio_moves_towards_the_liked_and_away_from_the_disliked():
    none = np.zeros(2, np.float32)
    assert rocchio(EAST, NORTH, none, 1.0, 1.0) == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])
    assert rocchio(EAST, none, NORTH, 1.0, 0.5) == pytest.approx(normalise(np.array([1, -0.5], np.float32)))
    assert rocchio(EAST, none, none, 1.0, 1.0).tolist() == EAST.tolist()


def test_a_weighted_sum_may_subtract():
    both = np.stack([EAST, NORTH])
    assert weighted_sum(both, np.array([3, 4], np.float32)) == pytest.approx([0.6, 0.8])
    assert weighted_sum(both, np.array([1, -1], np.float32)) == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)])


def test_features_that_cancel_each_other_out_sum_to_zero():
    assert weighted_sum(np.stack([EAST, -EAST]), np.array([1, 1], np.float32)).tolist() == [0, 0]
