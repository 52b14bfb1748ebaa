"""Which models are taken: the user's word, then what made the gallery, then the default."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.models.presets import DEFAULT, DEMO, DEMO_FOLDER, SETS, chosen_models, noted_models
from ipcir_tools.settings import Settings

OWN = "open_clip:local-dir:/models/own"


def test_a_new_gallery_without_wishes_gets_the_default_models():
    assert chosen_models(Settings(), {}) == SETS[DEFAULT]


def test_a_gallery_keeps_the_models_that_made_it():
    assert chosen_models(Settings(), noted_models(SETS[DEMO])) == SETS[DEMO]


def test_a_named_set_overrides_all_that_was_noted():
    noted = {"models": DEMO, "encoder": OWN, "captioner": "auto"}
    assert chosen_models(Settings(models="default"), noted) == SETS[DEFAULT]


def test_one_named_model_overrides_that_model_alone():
    chosen = chosen_models(Settings(encoder=OWN), noted_models(SETS[DEMO]))
    assert chosen == replace(SETS[DEMO], encoder=OWN)


def test_a_named_model_joins_a_named_set():
    chosen = chosen_models(Settings(models="demo", captioner="auto"), {})
    assert chosen == replace(SETS[DEMO], captioner="auto")


def test_the_demo_models_draw_by_default_and_others_when_configured():
    assert chosen_models(Settings(), {}).image_generator is None
    assert chosen_models(Settings(), noted_models(SETS[DEMO])).image_generator == "wardrobe"
    assert chosen_models(Settings(models="demo", image_generator="openai:toy"), {}).image_generator == "openai:toy"


NAMES = st.one_of(st.none(), st.sampled_from(["auto", OWN, SETS[DEMO].encoder]))


@given(st.sampled_from(["default", "demo", None]), NAMES, NAMES)
def test_what_is_noted_gives_the_same_models_again(models, encoder, captioner):
    first = chosen_models(Settings(models=models, encoder=encoder, captioner=captioner), {})
    assert chosen_models(Settings(), noted_models(first)) == first


@pytest.mark.parametrize("name", SETS)
def test_no_path_of_this_installation_is_noted(name):
    assert str(DEMO_FOLDER) not in str(noted_models(SETS[name]))
