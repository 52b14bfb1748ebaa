"""What every composer has: a name, needs, parameters and a spec; and the seed paper's five on plain axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.composers import ABLATION, COMPOSERS, Parts, composer_named
from ipcir_tools.errors import InvalidRequestError
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

NEEDS = {name: needs for name, (needs, _) in EXPECTED.items()} | {
    "edit": {"reference", "imagined", "before", "modification"},
    "proxy-image": {"reference", "imagined", "captions", "edits", "drawn"},
    "ensemble": {"captions", "edits", "reference"},
    "semantic-delta": {"captions", "edits"},
    "discount": {"imagined", "modification", "reference"},
    "signed": {"imagined", "add", "keep", "remove", "reference"},
    "ast": {"imagined", "caption", "reference"},
    "caption-fusion": {"reference", "imagined", "before", "modification", "gallery_captions"},
    "paracosm": {"modification", "imagined", "drawn", "counterparts"},
    "pic2word": {"reference", "network"},
    "searle": {"reference", "network"},
    "aligned": {"imagined", "reference", "network"},
}
"""What each needs; the seed paper's ablation first, in its order."""


def test_the_composers_stand_in_the_order_of_the_table():
    assert list(COMPOSERS) == list(NEEDS)
    assert tuple(EXPECTED) == ABLATION


@pytest.mark.parametrize("name", NEEDS)
def test_a_composer_says_what_it_needs_and_gets_along_with_it(name):
    assert composer_named(name).needs == NEEDS[name]
    parts = Parts(weight=0.5, **{part: np.eye(3, dtype=np.float32)[0] for part in NEEDS[name]})
    rows = {part: np.eye(3, dtype=np.float32) for part in NEEDS[name] & {"captions", "edits", "drawn"}}
    rows |= {part: lambda ids: {} for part in NEEDS[name] & {"gallery_captions", "counterparts"}}
    probe = composer_named(name).compose(Parts(**(vars(parts) | rows)))
    assert probe.score(np.eye(3, dtype=np.float32)).shape == (3,)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_seeds_rules_on_axes(name):
    needs, vector = EXPECTED[name]
    probe = composer_named(name).compose(Parts(weight=4 / 7, **{part: PARTS[part] for part in needs}))
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
        "edit": "imagined",
        "proxy-image": "imagined",
        "ensemble": "edits",
        "semantic-delta": "edits",
        "discount": "imagined",
        "signed": "imagined",
        "ast": "imagined",
        "caption-fusion": "imagined",
        "paracosm": "imagined",
        "pic2word": "network",
        "searle": "network",
        "aligned": "imagined",
    }


def test_only_some_composers_have_a_target_imagined():
    alone = {name for name, composer in COMPOSERS.items() if not composer.imagines}
    assert alone == {"modification", "reference", "sum", "pic2word", "searle"}


def test_an_unknown_composer_is_answered_with_the_names_there_are():
    for spec in ("magic", "magic:b=1", "", ":b=1"):
        with pytest.raises(InvalidRequestError) as caught:
            composer_named(spec)
        assert all(name in str(caught.value) for name in (repr(spec.partition(":")[0]), *COMPOSERS))


def test_the_default_of_a_query_is_a_composer():
    assert ComposedQuery(reference="a", modification="b").composer in COMPOSERS


def test_a_rule_that_is_not_linear_scores_by_itself():
    probe = Probe(REFERENCE, rescore=lambda features: np.asarray((features**2).sum(axis=1), np.float32))
    assert probe.score(2 * np.eye(3, dtype=np.float32)).tolist() == [4, 4, 4]


# --- parameters


def test_parameters_have_the_published_defaults():
    assert {name: composer.parameters for name, composer in COMPOSERS.items() if composer.parameters} == {
        "sum": {"weight": 0.5},
        "imagined+reference": {"weight": 0.8},
        "edit": {"weight": 0.5, "direction": 1.0, "imagined": 0.5, "modification": 4.0},
        "proxy-image": {"captions": 15, "drawings": 4, "s": 1.0, "t": 1.0, "a": 1.0, "lam": 0.65},
        "ensemble": {"captions": 15, "temperature": 0.04},
        "semantic-delta": {"captions": 15, "neg": 2.1, "pos": 0.13},
        "discount": {"weight": 0.85, "b": 0.35},
        "signed": {"whole": 1.0, "desired": 0.5, "preserve": 0.5, "forbidden": 0.5},
        "ast": {"beta": 0.25, "lam": 4.0, "mu": 0.1},
        "caption-fusion": {"rule": "weighted", "share": 0.15, "pool": 100, "weight": 0.5},
        "paracosm": {"target": 0.3, "drawings": 1, "counterparts": 0},
        "aligned": {"weight": 0.8},
    }


def test_parameters_follow_the_name():
    composer = composer_named("discount:weight=0.8:b=0.5")
    assert (composer.name, composer.parameters) == ("discount", {"weight": 0.8, "b": 0.5})
    assert composer_named("discount: b = 0.5").parameters == {"weight": 0.85, "b": 0.5}
    assert COMPOSERS["discount"].parameters["b"] == 0.35, "the composer itself is never changed"


def test_a_spec_holds_what_is_not_at_its_default():
    assert [composer.spec for composer in COMPOSERS.values()] == list(COMPOSERS)
    assert composer_named("discount:weight=0.85:b=0.5").spec == "discount:b=0.5"
    assert composer_named("ensemble:captions=5").spec == "ensemble:captions=5"


@given(weight=st.floats(0, 1), b=st.floats(0, 1e6))
def test_a_composer_is_read_back_from_its_spec(weight, b):
    composer = COMPOSERS["discount"].with_options({"weight": weight, "b": b})
    assert composer_named(composer.spec) == composer


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("discount:x=1", "weight=0.85, b=0.35"),
        ("discount:b=nan", "finite"),
        ("discount:b=inf", "finite"),
        ("discount:b=", "b: "),
        ("discount:b=high", "b: "),
        ("discount:b=-1", "greater than or equal to 0"),
        ("discount:b", "sets nothing"),
        ("discount:", "sets nothing"),
        ("discount:name=sum", "name: "),
        ("sum:weight=1.5", "less than or equal to 1"),
        ("ensemble:captions=2.5", "captions: "),
        ("ensemble:captions=1000", "captions: "),
        ("ensemble:temperature=0", "temperature: "),
        ("modification:weight=1", "parameters are none"),
        ("caption-fusion:rule=best", "'weighted' or 'ranks'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_with_those_there_are(spec, expected):
    with pytest.raises(InvalidRequestError, match=expected) as caught:
        composer_named(spec)
    assert "\n" not in str(caught.value)


def test_a_parameter_is_set_once_and_within_reason():
    with pytest.raises(InvalidRequestError, match="twice"):
        composer_named("discount:weight=0.5:weight=0.9")
    with pytest.raises(InvalidRequestError, match="beyond"):
        composer_named("semantic-delta:pos=1e39")
