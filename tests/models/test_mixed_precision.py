"""bfloat16 on a CPU: what is rounded, when, and how near the features stay; and weights that are not copied."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_clips import load, pictures, save_model

from ipcir_tools.models import hub
from ipcir_tools.models import open_clip as open_clip_encoder
from ipcir_tools.models.loading import load_encoder

TEXTS = ["a red dress", "blue dress with belt", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("mixed") / "tiny")


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())


def test_features_are_nearer_than_those_of_open_clips_own_bfloat16(folder):
    import open_clip
    import torch

    exact, mixed = load(folder, "float32"), load(folder, "bfloat16")
    own = open_clip.create_model(f"local-dir:{folder}", precision="bf16").eval()
    items = [mixed.preprocess(image) for image in pictures(16)]
    with torch.inference_mode():
        numbers = mixed._loaded.preprocessing.numbers(items, "cpu", torch.bfloat16)
        theirs = own.encode_image(numbers, normalize=True).float().numpy()
    right = exact.embed_images(pictures(16))
    distances = [1 - (features * right).sum(axis=1).mean() for features in (mixed.embed_images(pictures(16)), theirs)]
    assert 0 < distances[0] < distances[1]
    assert (mixed.embed_texts(TEXTS) * exact.embed_texts(TEXTS)).sum(axis=1).min() > 0.9999


def test_a_tower_is_rounded_when_it_is_first_used(folder, monkeypatch):
    import torch

    from ipcir_tools.models import open_clip_creation

    for part in ("vision", "text"):
        monkeypatch.setattr(open_clip_creation, f"can_pack_{part}", lambda model: False)

    encoder = load(folder, "bfloat16")
    model = encoder._loaded.model
    fc = lambda stack: stack.resblocks[0].mlp.c_fc.weight.dtype  # noqa: E731
    assert fc(model.visual.transformer) == fc(model.transformer) == torch.float32
    encoder.embed_texts(["red"])
    assert (fc(model.transformer), fc(model.visual.transformer)) == (torch.bfloat16, torch.float32)
    encoder.embed_images(pictures(1))
    assert fc(model.visual.transformer) == model.visual.conv1.weight.dtype == torch.bfloat16
    assert model.visual.proj.dtype == model.text_projection.dtype == torch.float32


def test_other_architectures_take_open_clips_own_bfloat16(tmp_path, monkeypatch):
    from ipcir_tools.models import mixed_precision

    monkeypatch.setattr(mixed_precision, "mix_precision", lambda *args: pytest.fail("not a plain model"))
    encoder = load_encoder("open_clip:RN50/random", device="cpu", dtype="bfloat16")
    assert not mixed_precision.is_plain(encoder._loaded.model)
    assert np.isfinite(encoder.embed_texts(["red"])).all()


def test_a_pseudo_word_and_its_gradient_pass_through_rounded_layers(folder):
    import torch

    encoder = load(folder, "bfloat16")
    word = torch.zeros(1, encoder.token_dim, requires_grad=True)
    encoder.pseudo_words.features(["a * dress"], word).sum().backward()
    assert torch.isfinite(word.grad).all()
    assert word.grad.abs().sum() > 0


def test_weights_are_mapped_from_their_file_and_none_are_drawn_or_copied(folder, monkeypatch):
    import torch
    from safetensors.torch import load_file

    file = folder / "open_clip_model.safetensors"
    loaded = []
    monkeypatch.setattr("safetensors.torch.load_file", lambda *a, **k: loaded.append(load_file(*a, **k)) or loaded[-1])
    monkeypatch.setattr(torch.Tensor, "normal_", lambda *a, **k: pytest.fail("drawn"))
    model = load(folder, "float32")._loaded.model
    weights = dict(model.named_parameters())
    shared = [name for name, tensor in loaded[0].items() if tensor.data_ptr() == weights[name].data_ptr()]
    # the order of the first convolution's memory is another one than in the file
    assert set(weights) - set(shared) == {"visual.conv1.weight"}
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(file).items())
