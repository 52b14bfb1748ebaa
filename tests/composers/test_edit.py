"""The default composer, worked out by hand: v, t, c and m are the four axes, so that its vector shows the weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ipcir_tools.composers import COMPOSERS, Parts, composer_named
from ipcir_tools.composers.calibration import Calibration
from ipcir_tools.types import DEFAULT_COMPOSER

V, T, C, M = np.eye(4, dtype=np.float32)
NOTHING = np.zeros(4, np.float32)


def parts(weight: float = 0.5, *, kept: float = 1.0, before: np.ndarray = C, heard: float = 0.0, scale: float = 1.0):
    """The four features; ``scale`` is the spread of a text's cosines against that of a picture's."""
    calibration = Calibration(image_spread=0.5, text_spread=0.5 * scale, heard=heard)
    return Parts(weight, calibration, reference=V, imagined=T, before=before, modification=M, kept=kept)


def weights(given: Parts, spec: str = "edit") -> np.ndarray:
    """How much of v, t, c and m is in the vector."""
    return composer_named(spec).compose(given).vector


def unit(*numbers: float):
    return pytest.approx(np.array(numbers) / math.hypot(*numbers), abs=1e-6)


def test_it_is_the_default():
    assert DEFAULT_COMPOSER == "edit"
    assert COMPOSERS["edit"].mixes


def test_the_reference_moves_along_the_change_of_its_caption():
    """v + (t - c) + 0.5 t."""
    assert weights(parts()) == unit(1, 1.5, -1, 0)
    assert weights(parts(), "edit:direction=0.8:imagined=0.2") == unit(1, 1.0, -0.8, 0)


def test_the_reference_counts_in_units_of_its_spread():
    """A picture's cosines spread four times as wide as a text's, so it counts a quarter."""
    assert weights(parts(scale=0.25)) == unit(0.25, 1.5, -1, 0)


def test_the_text_counts_double_where_nothing_of_the_caption_is_kept():
    assert weights(parts(kept=0.0)) == unit(1, 2.0, -1, 0)
    assert weights(parts(kept=0.5)) == unit(1, 1.75, -1, 0)


def test_the_modification_counts_by_the_square_of_how_well_it_is_understood():
    """4 * 0.5^2 = 1; a negative correlation is no understanding."""
    assert weights(parts(heard=0.5)) == unit(1, 1.5, -1, 1)
    assert weights(parts(heard=0.25)) == unit(1, 1.5, -1, 0.25)
    assert weights(parts(heard=-0.5)) == unit(1, 1.5, -1, 0)


@pytest.mark.parametrize("heard", [0.0, 0.5])
def test_a_weight_of_0_is_the_reference_alone(heard):
    assert weights(parts(0.0, heard=heard, scale=0.25)) == unit(1, 0, 0, 0)


def test_a_weight_of_1_is_the_texts_alone():
    """No direction: a direction without its start means nothing. The modification is doubled as the text is."""
    assert weights(parts(1.0)) == unit(0, 1, 0, 0)
    assert weights(parts(1.0, heard=0.5)) == unit(0, 1, 0, 2)


def test_without_a_caption_it_is_the_fusion_of_text_and_reference():
    """0.8 t + 0.2 v, as imagined+reference; the ends of the weight stay what they are."""
    given = parts(before=NOTHING, scale=0.25)
    assert weights(given) == unit(0.05, 0.8, 0, 0)
    assert weights(given) == pytest.approx(
        composer_named("imagined+reference").compose(parts(0.8, scale=0.25)).vector, abs=1e-6
    )
    assert weights(parts(0.0, before=NOTHING)) == unit(1, 0, 0, 0)
    assert weights(parts(1.0, before=NOTHING)) == unit(0, 1, 0, 0)


def test_an_edit_that_changes_nothing_leaves_reference_and_text():
    assert weights(parts(before=T)) == unit(1, 0.5, 0, 0)


def test_beside_the_likelihood_of_the_text_its_own_term_is_left_out():
    """v + (t - c): what is left of t is the direction."""
    edit = COMPOSERS["edit"]
    assert edit.compose_for_verification(parts()).vector == unit(1, 1, -1, 0)
    assert edit.compose_for_verification(parts(kept=0.0, heard=0.5)).vector == unit(1, 1, -1, 1)
    assert edit.compose_for_verification(parts(before=NOTHING)).vector == unit(0.2, 0.8, 0, 0)


def test_texts_that_cancel_each_other_out_leave_the_description():
    """v = -t with a weight of 2/3 on either side: nothing is left but the text."""
    opposite = Parts(0.5, reference=-T, imagined=T, before=C, modification=M)
    vector = composer_named("edit:direction=0.0:imagined=1").compose(opposite).vector
    assert vector == unit(0, 1, 0, 0)
