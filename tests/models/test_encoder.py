"""Encoders: real open_clip models, small and of random weights, through the folders that users name."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_clips import MODEL, pictures, save_model

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.images import pixels
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.models import hub, open_clip_loading
from ipcir_tools.models import open_clip as open_clip_encoder
from ipcir_tools.models.devices import pick_device, pick_dtype
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import ENCODERS, encoder_id, load_encoder
from ipcir_tools.settings import load_settings

HUB_NAME = "open_clip:ViT-B-32/laion2b_s34b_b79k"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def encoder(folder) -> Encoder:
    return load_encoder(f"open_clip:local-dir:{folder}", device="cpu", batch_size=8)


# ---- what an encoder gives ---------------------------------------------------------------------------
def test_features_are_float32_of_unit_norm_in_one_space(encoder):
    images, texts = encoder.embed_images(pictures(3)), encoder.embed_texts(["a red dress", "with belt"])
    assert images.shape == (3, 24)
    assert texts.shape == (2, 24)
    assert images.dtype == texts.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(np.vstack([images, texts]), axis=1), 1, atol=1e-6)


def test_nothing_in_nothing_out(encoder):
    assert encoder.embed_images([]).shape == encoder.embed_texts([]).shape == (0, 24)


def test_a_batch_gives_what_single_pictures_give(encoder):
    images = pictures(19)  # more than two batches, and a last one that is not full
    together = encoder.embed_images(images)
    alone = np.vstack([encoder.embed_images([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)  # a matrix product sums in another order per batch size


def test_big_batches_are_preprocessed_in_threads_and_keep_their_order(folder, encoder):
    big = load_encoder(f"open_clip:local-dir:{folder}", device="cpu", batch_size=64)
    images = pictures(40)
    np.testing.assert_allclose(big.embed_images(images), encoder.embed_images(images), atol=1e-5)


def test_features_are_those_of_open_clip_itself(folder, encoder):
    import open_clip
    import torch

    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    image = pictures(1)[0]
    with torch.no_grad():
        pictured = model.encode_image(preprocess(image)[None], normalize=True).numpy()
        worded = model.encode_text(tokenizer(["a red dress"]), normalize=True).numpy()
    # torch scales pictures, with sums that round the other way here and there: a level of brightness in a few pixels
    assert float((encoder.embed_images([image]) @ pictured.T)[0, 0]) > 1 - 1e-5
    np.testing.assert_allclose(encoder.embed_texts(["a red dress"]), worded, atol=1e-5)


def test_text_beyond_the_context_is_cut(encoder):
    long = " ".join(["red"] * 50)
    np.testing.assert_allclose(encoder.embed_texts([long]), encoder.embed_texts([long + " blue"]), atol=1e-6)
    assert np.isfinite(encoder.embed_texts(["", "words unknown to it"])).all()


def test_many_threads_get_what_one_gets(encoder):
    texts = ["red", "blue dress", "a belt", ""] * 4
    expected = encoder.embed_texts(texts)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: encoder.embed_texts(texts), range(16)))
    assert all(np.allclose(result, expected, atol=1e-5) for result in results)


def test_pictures_of_any_mode_and_shape(encoder):
    red = Image.new("RGB", (50, 40), "red")
    palette = red.convert("P")
    line = Image.new("RGB", (100_000, 2), "red")  # scaled by its shorter side it would have 1.6 million columns
    features = encoder.embed_images([red, palette, red.convert("RGBA"), line, Image.new("L", (1, 1))])
    np.testing.assert_allclose(features[1:3], features[[0, 0]], atol=1e-5)
    np.testing.assert_allclose(features[3], features[0], atol=1e-4)


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=50, deadline=None)
def test_sane_keeps_the_middle_and_bounds_the_shape(width, height):
    image = Image.new("RGB", (width, height))
    kept = crop_extreme(image)
    assert max(kept.size) <= pixels.MAX_ASPECT * min(kept.size) + 1
    assert min(kept.size) == min(image.size)
    if max(image.size) <= pixels.MAX_ASPECT * min(image.size):
        assert kept is image


class Broken(Encoder):
    """Gives the array it was made with, whatever it is asked."""

    def __init__(self, features: np.ndarray) -> None:
        super().__init__(name="broken", space="broken/2d-0", dim=2, dtype="float16")
        self.features = features

    def _image_batch(self, images):
        return self.features

    def _text_batch(self, texts):
        return self.features


@pytest.mark.parametrize(
    "features",
    [np.array([[np.nan, 1.0]]), np.array([[np.inf, 1.0]]), np.zeros((1, 2)), np.ones((2, 2)), np.ones((1, 3))],
)
def test_what_is_no_feature_never_leaves_an_encoder(features):
    with pytest.raises(ModelUnavailableError, match="broken gave"):
        Broken(features).embed_texts(["one"])


# ---- random weights of a true architecture ---------------------------------------------------------------
@pytest.fixture
def small_architecture(tmp_path, monkeypatch) -> str:
    """The name of an architecture that open_clip lists, and that is small."""
    import open_clip.factory

    own = {key: value for key, value in MODEL["text_cfg"].items() if key not in ("hf_tokenizer_name", "vocab_size")}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny", MODEL | {"text_cfg": own})
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())
    return "Tiny"


def test_random_weights_are_the_same_in_every_process_and_disturb_no_other_random_numbers(
    small_architecture, monkeypatch
):
    import torch

    name = f"open_clip:{small_architecture}/random"
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = load_encoder(name, device="cpu", dtype="float32")
    assert torch.equal(torch.rand(3), expected)
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())
    again, rough = (load_encoder(name, device="cpu", dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert first.space == again.space == rough.space
    assert first.space.startswith(f"open_clip:{small_architecture}/random/24d-")
    features = [each.embed_images(pictures(4)) for each in (first, again, rough)]
    np.testing.assert_array_equal(features[0], features[1])
    assert (features[0] * features[2]).sum(axis=1).min() > 0.999
    assert np.isfinite(first.embed_texts(["a red dress"])).all()


def test_random_weights_need_nothing_of_the_hub(no_hub, small_architecture):
    assert ENCODERS.requirements("open_clip:ViT-B-32/random", load_settings()) is None
    with pytest.raises(ModelUnavailableError, match=r"no model 'ViTB32'; there is .*ViT-B-32"):
        load_encoder("open_clip:ViTB32/random", device="cpu")


# ---- weights, devices, number types ------------------------------------------------------------------
def test_half_precision_weights_run_in_float32_on_a_cpu(tmp_path, encoder):
    half = load_encoder(f"open_clip:local-dir:{save_model(tmp_path / 'half', half=True)}", device="cpu")
    assert (half.device, half.dtype) == ("cpu", "float32")
    # float16 keeps 11 bits of each weight.
    np.testing.assert_allclose(half.embed_texts(["red dress"]), encoder.embed_texts(["red dress"]), atol=5e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near_float32_in_the_same_space(folder, encoder, dtype):
    half = load_encoder(f"open_clip:local-dir:{folder}", device="cpu", dtype=dtype)
    images = pictures(4)
    assert (half.dtype, half.space) == (dtype, encoder.space)
    assert (half.embed_images(images) * encoder.embed_images(images)).sum(axis=1).min() > 0.999


def test_a_folder_of_pickled_weights_is_read_without_running_pickles(folder, tmp_path, encoder):
    import torch
    from safetensors.torch import load_file

    pickled = shutil.copytree(folder, tmp_path / "pickled")
    weights = pickled / "open_clip_model.safetensors"
    torch.save(load_file(weights), pickled / "open_clip_pytorch_model.bin")
    weights.unlink()
    read = load_encoder(f"open_clip:local-dir:{pickled}", device="cpu")
    np.testing.assert_allclose(read.embed_texts(["red"]), encoder.embed_texts(["red"]), atol=1e-6)
    torch.save({"weights": Path("/")}, pickled / "open_clip_pytorch_model.bin")  # any object beyond tensors
    with pytest.raises(ModelUnavailableError, match=r"[Ww]eights.only"):
        load_encoder(f"open_clip:local-dir:{pickled}", device="cpu")


def test_a_model_is_loaded_once_for_all_threads(folder, monkeypatch):
    loads = []
    real = open_clip_encoder.load_model
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())
    monkeypatch.setattr(
        open_clip_encoder, "load_model", lambda *args: loads.append(threading.get_ident()) or real(*args)
    )
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda size: load_encoder(f"open_clip:local-dir:{folder}", batch_size=size), range(1, 9)))
    assert len(loads) == 1


def test_only_the_last_models_are_kept():
    kept, loads = hub.ModelCache[str](size=2), []
    for key in ["a", "b", "a", "c", "a", "b"]:
        assert kept.get(key, lambda key=key: loads.append(key) or key) == key
    assert loads == ["a", "b", "c", "b"]


def test_devices_and_number_types_by_name():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in {"cpu", "cuda", "mps"}
    assert pick_dtype("auto", "cpu") == "float32"
    assert pick_dtype("auto", "mps") == "float16"
    assert pick_dtype("bfloat16", "cpu") == "bfloat16"
    for wrong in ["gpu", "cuda:99", "cuda:x", ""]:
        with pytest.raises(InvalidRequestError, match=r"[Dd]evice"):
            pick_device(wrong)
    with pytest.raises(InvalidRequestError, match="dtype"):
        pick_dtype("int8", "cpu")


# ---- identity ----------------------------------------------------------------------------------------
def test_the_space_names_folder_weights_dimension_and_preprocessing(folder, encoder):
    identity = encoder_id(f"open_clip:local-dir:{folder}")
    name, digest = identity.removeprefix("open_clip:").split("@")
    assert (name, len(digest)) == ("tiny", 12)
    assert encoder.space.startswith(f"{identity}/24d-")
    assert len(encoder.space.rpartition("-")[2]) == 8


def test_the_identity_moves_with_the_folder_and_changes_with_its_content(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "tiny")
    before = encoder_id(f"open_clip:local-dir:{folder}")
    assert encoder_id(f"open_clip:local-dir:{moved}") == before
    (moved / "README.md").write_text("words about it")
    assert encoder_id(f"open_clip:local-dir:{moved}") == before
    for name in ["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"]:
        file = moved / name
        original = file.read_bytes()
        file.write_bytes(original + b" ")
        assert encoder_id(f"open_clip:local-dir:{moved}") != before, name
        file.write_bytes(original)


def test_other_weights_or_another_preprocessing_are_another_space(tmp_path, encoder):
    weights = load_encoder(f"open_clip:local-dir:{save_model(tmp_path / 'a' / 'tiny', seed=1)}", device="cpu")
    prepared = load_encoder(f"open_clip:local-dir:{save_model(tmp_path / 'b' / 'tiny', mean=0.4)}", device="cpu")
    assert len({encoder.space, weights.space, prepared.space}) == 3
    ends = [one.space.rpartition("-")[2] for one in (encoder, weights, prepared)]
    assert ends[0] == ends[1] != ends[2]


@pytest.mark.parametrize("name", [HUB_NAME, "open_clip:hf-hub:laion/CLIP-ViT-B-32"])
def test_models_of_the_hub_are_identified_by_name(name):
    assert encoder_id(name) == name


def test_the_identity_needs_no_torch(folder):
    code = (
        "import sys; from ipcir_tools.models.loading import encoder_id; "
        f"encoder_id('open_clip:local-dir:{folder}'); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'open_clip', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- what cannot work --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["", "ViT-B-32", "clip:x/y", "open_clip:", "open_clip:ViT-B-32", "open_clip:/x", "open_clip:hf-hub:x",
             "open_clip:local-dir:", "open_clip:a/b/c"]
)  # fmt: skip
def test_the_error_of_a_malformed_name_lists_the_forms(name):
    grammar = "open_clip:MODEL/PRETRAINED, open_clip:hf-hub:ORG/NAME, open_clip:local-dir:PATH or python:MODULE:NAME"
    for ask in (encoder_id, load_encoder):
        with pytest.raises(InvalidRequestError, match=grammar):
            ask(name)


def test_unknown_models_and_tags_are_refused_with_near_ones():
    with pytest.raises(ModelUnavailableError, match=r"'ViTB32'; there is .*ViT-B-32"):
        load_encoder("open_clip:ViTB32/openai", device="cpu")
    with pytest.raises(ModelUnavailableError, match=r"'laion2b' for ViT-B-32; there is .*laion2b_s34b_b79k"):
        load_encoder("open_clip:ViT-B-32/laion2b", device="cpu")


def test_each_kind_of_unusable_folder_has_its_own_error(folder, tmp_path):
    with pytest.raises(ModelUnavailableError, match="There is no folder"):
        load_encoder(f"open_clip:local-dir:{tmp_path / 'none'}")
    with pytest.raises(ModelUnavailableError, match=r"holds no open_clip_config\.json"):
        load_encoder(f"open_clip:local-dir:{tmp_path}")
    bare = shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ModelUnavailableError, match="holds no weights"):
        load_encoder(f"open_clip:local-dir:{bare}")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("open_clip_model.safetensors", b"not safe, no tensors"),
        ("open_clip_config.json", b"{"),
        ("open_clip_config.json", b'{"model_cfg": {"embed_dim": 7}}'),
        ("tokenizer.json", b"[]"),
    ],
)
def test_damaged_folders_give_one_line_that_names_them(folder, tmp_path, file, content, capfd):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / file).write_bytes(content)
    with pytest.raises(ModelUnavailableError, match="Cannot load open_clip:local-dir:") as caught:
        load_encoder(f"open_clip:local-dir:{broken}", device="cpu")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.fixture
def no_hub(monkeypatch) -> str:
    """The address of a hub where nothing listens."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    return constants.ENDPOINT


@pytest.mark.parametrize("name", [HUB_NAME, "open_clip:hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"])
def test_without_the_hub_the_way_out_is_named(name, no_hub, capfd):
    with pytest.raises(ModelUnavailableError) as caught:
        load_encoder(name, device="cpu")
    text = str(caught.value)
    assert name in text
    assert f"{no_hub} cannot be reached" in text
    assert "open_clip:local-dir:FOLDER" in text
    assert "--models demo" in text
    assert capfd.readouterr() == ("", "")


def test_the_offline_switch_of_the_hub_is_respected_and_restored(monkeypatch, no_hub):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailableError, match="HF_HUB_OFFLINE forbids"):
        load_encoder(HUB_NAME, device="cpu")
    assert constants.HF_HUB_OFFLINE is True
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        load_encoder(HUB_NAME, device="cpu")
    assert constants.HF_HUB_OFFLINE is False


def test_the_hubs_client_looks_at_the_offline_switch_at_each_call(tmp_path, monkeypatch):
    """``hub.offline`` sets a constant of huggingface_hub; this fails when the client no longer looks at it."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub.offline(), pytest.raises(LocalEntryNotFoundError):
        hf_hub_download("org/name", "weights.bin", cache_dir=tmp_path)
    assert constants.HF_HUB_OFFLINE is False


def test_closed_sockets_count_as_out_of_reach(monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise OSError("sockets are closed")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        load_encoder(HUB_NAME, device="cpu")


def test_the_repository_of_the_default_model_is_the_one_of_open_clips_list():
    import open_clip

    for tag, repo in open_clip_loading.REPOS.items():
        model, _, pretrained = tag.partition("/")
        assert open_clip.get_pretrained_cfg(model, pretrained)["hf_hub"] == f"{repo}/"
        assert "hf_tokenizer_name" not in open_clip.get_model_config(model)["text_cfg"]


def test_a_model_brings_the_tokenizer_and_the_text_model_of_other_repositories():
    needed = open_clip_loading.requirements(
        open_clip_loading.ModelSource("tag", "roberta-ViT-B-32", "laion2b_s12b_b32k")
    )
    files = ["open_clip_pytorch_model.bin", "config.json", "vocab.json", "merges.txt", "model.safetensors", "README.md"]
    assert [(each.repo, each.choose(files)) for each in needed(None)] == [
        ("laion/CLIP-ViT-B-32-roberta-base-laion2B-s12B-b32k", ["open_clip_pytorch_model.bin"]),
        ("roberta-base", ["config.json", "vocab.json", "merges.txt"]),
        ("roberta-base", ["config.json"]),
    ]


def test_loading_is_silent_and_leaves_logging_as_it_was(capfd):
    def load() -> None:
        logging.warning("from open_clip")
        logging.getLogger("huggingface_hub.utils._http").error("from the hub's client")

    root = logging.getLogger()
    before = (list(root.handlers), list(root.filters), logging.getLogger("huggingface_hub").level)
    hub.fetch("x", load, ways_out="")
    assert (list(root.handlers), list(root.filters), logging.getLogger("huggingface_hub").level) == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("tag", "quick"), [("openai", True), ("laion2b_s34b_b79k", False)])
def test_a_model_gets_the_activation_that_its_weights_were_trained_with(tag, quick, monkeypatch):
    import open_clip

    class StopError(Exception):
        pass

    def create_model(*args, **kwargs):
        raise StopError(kwargs["force_quick_gelu"], kwargs["require_pretrained"])

    monkeypatch.setattr(open_clip, "create_model", create_model)
    monkeypatch.setattr(hub, "download", lambda *args: None)
    with pytest.raises(ModelUnavailableError) as caught:
        load_encoder(f"open_clip:ViT-B-32/{tag}", device="cpu")
    assert caught.value.__cause__.args == (quick, True)


# ---- true size ---------------------------------------------------------------------------------------
@pytest.mark.slow
def test_vit_b_32_in_true_size(tmp_path):
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path / "ViT-B-32"
    folder.mkdir()
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    model = open_clip.create_model("ViT-B-32", pretrained=None)
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    del model
    encoder = load_encoder(f"open_clip:local-dir:{folder}", device="cpu")
    assert (encoder.dim, encoder.embed_images(pictures(2)).shape) == (512, (2, 512))
    assert encoder.embed_texts(["a red dress " * 60]).shape == (1, 512)
