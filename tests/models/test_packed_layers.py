"""What packed layers of pictures and texts share."""

from __future__ import annotations

import pytest
import torch
from open_clip.transformer import QuickGELU
from tiny_clips import cosines, load, pictures, save_model
from torch import nn

from ipcir_tools.models import hub, packed_layers
from ipcir_tools.models import open_clip as open_clip_encoder

pytestmark = pytest.mark.skipif(not packed_layers.has_products(), reason="no oneDNN with bfloat16 here")

ACTIVATIONS = {"gelu": nn.GELU, "tanh": lambda: nn.GELU(approximate="tanh"), "quick": QuickGELU, "relu": nn.ReLU}
TEXTS = ["", "a red dress", "blue dress with a belt"]


def set_activation(model, make):
    """Another activation in both towers of a model, whose perceptrons are made strong enough for it to show."""
    for tower in (model.visual.transformer, model.transformer):
        for block in tower.resblocks:
            block.mlp.gelu = make()
            with torch.no_grad():
                block.mlp.c_proj.weight *= 50


@pytest.mark.parametrize(
    "embed",
    [lambda encoder: encoder.embed_texts(TEXTS), lambda encoder: encoder.embed_images(pictures(8))],
    ids=["texts", "pictures"],
)
def test_the_models_own_activation_is_used(tmp_path, monkeypatch, embed):
    folder, made = save_model(tmp_path / "tiny"), {}
    for name, make in ACTIVATIONS.items():
        monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())
        exact, packed = load(folder, "float32"), load(folder, "bfloat16")
        for encoder in (exact, packed):
            set_activation(encoder._loaded.model, make)
        made[name] = embed(exact)
        assert cosines(embed(packed), made[name]).min() >= 0.999
    assert cosines(made["gelu"], made["relu"]).max() < 0.99, "it shows"
