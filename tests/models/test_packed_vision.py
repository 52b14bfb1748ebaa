"""Packed weights: the same features as the model's, from bytes, and only for what is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_clips import cosines, load, pictures, save_model

from ipcir_tools.models import hub, packed_layers, packed_vision
from ipcir_tools.models import open_clip as open_clip_encoder

pytestmark = pytest.mark.skipif(not packed_layers.has_products(), reason="no oneDNN with bfloat16 here")


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("packed") / "tiny")


@pytest.mark.parametrize("n", [1, 3, 16])
def test_features_are_those_of_float32_within_the_bound(folder, n):
    exact, packed = load(folder, "float32"), load(folder, "bfloat16")
    assert isinstance(packed._loaded.picture_features, packed_vision.PackedVision)
    found = cosines(packed.embed_images(pictures(n)), exact.embed_images(pictures(n)))
    assert found.mean() >= 0.9999
    assert found.min() >= 0.999


def test_the_mean_and_spread_of_colours_are_part_of_the_first_weights(folder):
    exact, packed = load(folder, "float32"), load(folder, "bfloat16")
    side = exact.preprocess(pictures(1)[0]).shape[0]
    plain = [np.full((side, side, 3), level, np.uint8) for level in (0, 128, 255)]
    plain += [np.full((side, side, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert cosines(packed.embed_preprocessed(plain), exact.embed_preprocessed(plain)).min() >= 0.999


def test_the_models_own_weights_stay_as_they_are(folder):
    encoder = load(folder, "bfloat16")
    before = {name: each.clone() for name, each in encoder._loaded.model.visual.named_parameters()}
    first = encoder.embed_images(pictures(2))
    after = dict(encoder._loaded.model.visual.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert np.array_equal(first, encoder.embed_images(pictures(2)))


@pytest.mark.parametrize(
    "change",
    [
        lambda vision: setattr(vision, "pool_type", "avg"),
        lambda vision: setattr(vision, "attn_pool", torch.nn.Identity()),
        lambda vision: setattr(vision, "patch_dropout", torch.nn.Dropout()),
        lambda vision: setattr(vision.transformer.resblocks[0], "ls_1", torch.nn.Linear(2, 2)),
        lambda vision: setattr(vision, "image_size", (30, 32)),
        lambda vision: vision.transformer.resblocks.__setitem__(0, torch.nn.Identity()),
    ],
)
def test_what_is_not_known_is_left_to_the_model(folder, change):
    model = load(folder, "float32")._loaded.model
    assert packed_vision.can_pack_vision(model)
    change(model.visual)
    assert not packed_vision.can_pack_vision(model)


def test_without_onednn_the_model_encodes(folder, monkeypatch):
    monkeypatch.setattr(packed_vision, "has_products", lambda: False)
    encoder = load(folder, "bfloat16")
    assert not isinstance(encoder._loaded.picture_features, packed_vision.PackedVision)
    right = load(folder, "float32").embed_images(pictures(2))
    assert cosines(encoder.embed_images(pictures(2)), right).min() > 0.999


def test_the_demos_encoder_agrees_in_bfloat16_on_garments_and_photographs():
    import random

    from ipcir_tools.bench.pictures import draw_photo
    from ipcir_tools.demo.drawing.render import render
    from ipcir_tools.demo.world.garments import draw_garment, draw_scene
    from ipcir_tools.models.presets import DEMO_FOLDER

    rng = random.Random(0)
    shown = [render(draw_garment(rng, "test"), draw_scene(rng)) for _ in range(24)]
    for images in (shown, [draw_photo((320, 240), seed) for seed in range(8)]):
        exact, packed = (load(DEMO_FOLDER / "clip", dtype).embed_images(images) for dtype in ("float32", "bfloat16"))
        found = cosines(packed, exact)
        assert found.mean() >= 0.9999, found
        assert found.min() >= 0.999
