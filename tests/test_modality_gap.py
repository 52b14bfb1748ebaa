"""The encoder with a modality gap: its geometry is that of published CLIPs, its order that of the encoder inside."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.fakes import COLOURS, FakeEncoder, ModalityGapEncoder, demo_with_gap
from ipcir_tools.models.loading import encoder_id, load_encoder
from ipcir_tools.models.presets import DEMO, SETS

TEXTS = [f"a {colour} dress" for colour in COLOURS]
PICTURES = [Image.new("RGB", (24, 24), rgb) for rgb in COLOURS.values()]


def test_cosines_are_shifted_and_shrunk_as_the_parameters_say():
    """a = 0.6, so that 0.8 is left of a picture; b = 0.5 and c = 0.3 of a text."""
    inner = FakeEncoder()
    outer = ModalityGapEncoder(inner, image_common=0.6, text_common=0.3, text_own=0.5)
    pictures, texts = inner.embed_images(PICTURES), inner.embed_texts(TEXTS)
    shifted, shifted_texts = outer.embed_images(PICTURES), outer.embed_texts(TEXTS)
    assert shifted.shape == (len(PICTURES), inner.dim + 2)
    assert shifted @ shifted.T == pytest.approx(0.64 * pictures @ pictures.T + 0.36, abs=1e-5)
    assert shifted_texts @ shifted.T == pytest.approx(0.4 * texts @ pictures.T + 0.18, abs=1e-5)
    assert shifted_texts @ shifted_texts.T == pytest.approx(0.25 * texts @ texts.T + 0.75, abs=1e-5)


@given(
    a=st.floats(0, 0.95), b=st.floats(0.1, 0.7), c=st.floats(-0.7, 0.7), seed=st.integers(0, 2**32 - 1)
)  # fmt: skip
def test_features_keep_unit_norm_and_texts_and_pictures_order_pictures_as_they_did(a, b, c, seed):
    gap = ModalityGapEncoder(FakeEncoder(), image_common=a, text_common=c, text_own=b)
    raw = np.random.default_rng(seed).standard_normal((12, gap.dim - 2))
    features = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    pictures, texts = gap.shift_images(features), gap.shift_texts(features)
    assert np.linalg.norm([*pictures, *texts], axis=1) == pytest.approx(1.0, abs=1e-5)
    for shifted in (pictures, texts):
        assert np.corrcoef((features @ features.T)[0, 1:], (shifted @ pictures.T)[0, 1:])[0, 1] > 0.9999


def test_other_parameters_and_other_encoders_are_other_spaces():
    inner = FakeEncoder()
    gaps = [
        ModalityGapEncoder(inner),
        ModalityGapEncoder(inner, image_common=0.9),
        ModalityGapEncoder(inner, text_common=0.1),
        ModalityGapEncoder(inner, text_own=0.1),
        ModalityGapEncoder(FakeEncoder(dim=128)),
        ModalityGapEncoder(inner, name="mine:gap"),
    ]
    assert len({inner.space, *(gap.space for gap in gaps)}) == 7
    assert ModalityGapEncoder(inner).space == gaps[0].space
    assert all(gap.space.startswith(gap.name + "/") for gap in gaps)


@pytest.mark.parametrize("wrong", [{"image_common": 1.0}, {"text_own": 0.0}, {"text_own": 0.9, "text_common": 0.6}])
def test_features_beyond_unit_norm_are_refused(wrong):
    with pytest.raises(ValueError, match="image_common < 1"):
        ModalityGapEncoder(FakeEncoder(), **wrong)


def test_the_demo_with_a_gap_is_an_encoder_by_name():
    name = "python:ipcir_tools.fakes:demo_with_gap"
    gap, demo = load_encoder(name), load_encoder(SETS[DEMO].encoder)
    assert gap.space.startswith(encoder_id(name) + "/")
    assert gap.dim == demo.dim + 2
    assert gap.embed_texts(TEXTS) == pytest.approx(demo_with_gap().shift_texts(demo.embed_texts(TEXTS)), abs=1e-5)
    with pytest.raises(InvalidRequestError, match="pseudo words"):
        _ = gap.pseudo_words


def test_naming_it_loads_no_model_library():
    code = "import sys; from ipcir_tools.fakes import demo_with_gap; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
