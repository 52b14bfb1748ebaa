"""Every composer on two vectors at right angles, where each answer can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from ipcir_tools.composers import COMPOSERS, Parts, composer_named
from ipcir_tools.errors import InvalidRequest
from ipcir_tools.types import ComposedQuery, Probe

REFERENCE, MODIFICATION, IMAGINED = np.eye(3, dtype=np.float32)
PARTS = {"reference": REFERENCE, "modification": MODIFICATION, "imagined": IMAGINED}
EXPECTED = {
    "modification": ({"modification"}, [0, 1, 0]),
    "reference": ({"reference"}, [1, 0, 0]),
    "sum": ({"modification", "reference"}, [0.6, 0.8, 0]),
    "imagined": ({"imagined"}, [0, 0, 1]),
    "imagined+reference": ({"imagined", "reference"}, [0.6, 0, 0.8]),
}
"""What each needs, and its vector at a weight of 4/7: 4 parts of text to 3 of picture are 0.8 and 0.6 at unit norm."""


def test_the_composers_stand_in_the_order_of_the_ablation():
    assert list(COMPOSERS) == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_composer_gets_along_with_what_it_needs(name):
    needs, vector = EXPECTED[name]
    composer = composer_named(name)
    assert composer.needs == needs
    probe = composer.compose(Parts(weight=4 / 7, **{part: PARTS[part] for part in needs}))
    assert probe.vector == pytest.approx(vector, abs=1e-6)
    assert probe.score(np.eye(3, dtype=np.float32)) == pytest.approx(vector, abs=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_part_that_is_missing_is_named(name):
    for missing in EXPECTED[name][0]:
        given = {part: PARTS[part] for part in EXPECTED[name][0] - {missing}}
        with pytest.raises(LookupError, match=missing):
            composer_named(name).compose(Parts(weight=0.5, **given))


def test_a_part_of_zeros_is_a_part():
    zeros = np.zeros(3, np.float32)
    assert Parts(weight=0.5, reference=zeros).need("reference") is zeros


def test_the_text_score_is_taken_against_the_text_that_the_composer_used():
    assert {name: composer.text for name, composer in COMPOSERS.items()} == {
        "modification": "modification",
        "reference": None,
        "sum": "modification",
        "imagined": "imagined",
        "imagined+reference": "imagined",
    }


def test_an_unknown_composer_is_answered_with_the_names_there_are():
    with pytest.raises(InvalidRequest) as caught:
        composer_named("magic")
    assert all(name in str(caught.value) for name in ("magic", *COMPOSERS))


def test_the_default_of_a_query_is_a_composer():
    assert ComposedQuery(reference="a", modification="b").composer in COMPOSERS


def test_a_rule_that_is_not_linear_scores_by_itself():
    probe = Probe(REFERENCE, rescore=lambda features: np.asarray((features**2).sum(axis=1), np.float32))
    assert probe.score(2 * np.eye(3, dtype=np.float32)).tolist() == [4, 4, 4]
