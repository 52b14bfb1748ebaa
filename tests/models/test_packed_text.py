"""Packed weights of a text tower: the same features as the model's, however texts lie beside each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_clips import cosines, load, save_light_model, save_model

from ipcir_tools.models import hub, packed_layers, packed_text
from ipcir_tools.models import open_clip as open_clip_encoder

pytestmark = pytest.mark.skipif(not packed_layers.has_products(), reason="no oneDNN with bfloat16 here")

TEXTS = [
    "",
    "a red dress",
    "!",
    "a blue dress with a belt, seen from behind",
    "dress " * 100,
    "é日本 ..",
    "a red dress",
]


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_light_model(tmp_path_factory.mktemp("packed") / "light")


@pytest.mark.parametrize("n", [1, 2, len(TEXTS)])
def test_features_are_those_of_float32_within_the_bound(folder, n):
    exact, packed = load(folder, "float32"), load(folder, "bfloat16")
    assert isinstance(packed._loaded.text_features, packed_text.PackedText)
    found = cosines(packed.embed_texts(TEXTS[:n]), exact.embed_texts(TEXTS[:n]))
    assert found.mean() >= 0.9999
    assert found.min() >= 0.999


def test_a_text_is_read_alike_alone_and_beside_shorter_and_longer_ones(folder):
    encoder = load(folder, "bfloat16")
    alone = np.concatenate([encoder.embed_texts([text]) for text in TEXTS])
    # oneDNN chooses its kernel by the number of rows, which sums, and so rounds, in another order.
    assert cosines(encoder.embed_texts(TEXTS), alone).min() > 0.9999
    assert cosines(encoder.embed_texts(TEXTS[::-1])[::-1], alone).min() > 0.9999
    assert cosines(alone[1:4], alone[:3]).max() < 0.99, "these are different texts"


def test_the_end_of_a_text_is_found_as_open_clip_finds_it(folder):
    """By the tokenizer's own mark, wherever a token of a higher number stands before it."""
    exact, packed = load(folder, "float32"), load(folder, "bfloat16")
    tokens = exact._loaded.tokenizer(["a red dress", "blue"])
    mark = int(tokens[1, 1])  # a token that only the second text has
    tokens[0, 2] = mark
    for encoder in (exact, packed):
        encoder._loaded.model.text_pool_type, encoder._loaded.model.text_eos_id = "eos", mark
    with torch.inference_mode():
        right, found = (encoder._loaded.text_features(tokens) for encoder in (exact, packed))
        whole = exact._loaded.model.encode_text(tokens)
    assert torch.nn.functional.cosine_similarity(right, whole).min() > 0.99999
    assert torch.nn.functional.cosine_similarity(found, whole).min() > 0.999


def test_another_tokenizer_and_a_short_context(tmp_path):
    folder = save_model(tmp_path / "tiny")
    exact, packed = load(folder, "float32"), load(folder, "bfloat16")
    texts = ["", "a red dress", "blue dress with a belt and a belt and a belt"]
    assert cosines(packed.embed_texts(texts), exact.embed_texts(texts)).min() > 0.9999


def test_pseudo_words_used_before_change_no_feature(folder, monkeypatch):
    """They go through the model itself, which rounds its own layers then."""
    expected = load(folder, "bfloat16").embed_texts(TEXTS)
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())
    encoder = load(folder, "bfloat16")
    encoder.pseudo_words.features(["a * dress"], torch.zeros(1, encoder.token_dim))
    assert cosines(encoder.embed_texts(TEXTS), expected).min() > 0.9999


def test_the_models_own_weights_stay_as_they_are(folder):
    encoder = load(folder, "bfloat16")
    before = {name: each.clone() for name, each in encoder._loaded.model.transformer.named_parameters()}
    first = encoder.embed_texts(TEXTS)
    after = dict(encoder._loaded.model.transformer.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert np.array_equal(first, encoder.embed_texts(TEXTS))


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model, "text_pool_type", "last"),
        lambda model: setattr(model, "attn_mask", None),
        lambda model: setattr(model, "text_projection", None),
        lambda model: setattr(model.transformer.resblocks[0], "ls_2", torch.nn.Linear(2, 2)),
        lambda model: model.transformer.resblocks.__setitem__(0, torch.nn.Identity()),
    ],
)
def test_what_is_not_known_is_left_to_the_model(folder, change):
    model = load(folder, "float32")._loaded.model
    assert packed_text.can_pack_text(model)
    change(model)
    assert not packed_text.can_pack_text(model)


def test_without_onednn_the_model_encodes(folder, monkeypatch):
    right = load(folder, "float32").embed_texts(TEXTS)
    monkeypatch.setattr(packed_text, "has_products", lambda: False)
    encoder = load(folder, "bfloat16")
    assert not isinstance(encoder._loaded.text_features, packed_text.PackedText)
    assert cosines(encoder.embed_texts(TEXTS), right).min() > 0.999


def test_the_demos_encoder_agrees_in_bfloat16_on_what_is_said_of_garments():
    from ipcir_tools.models.presets import DEMO_FOLDER

    texts = ["a red dress", "a plain navy coat with long sleeves and a hood", "striped", "in blue, but shorter", ""]
    exact, packed = (load(DEMO_FOLDER / "clip", dtype).embed_texts(texts) for dtype in ("float32", "bfloat16"))
    assert cosines(packed, exact).min() >= 0.999
