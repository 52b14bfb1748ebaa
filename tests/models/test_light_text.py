"""Texts without torch: tokens and features are open_clip's own, or the model itself is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_clips import pictures, save_light_model

from ipcir_tools.models import hub, light_text
from ipcir_tools.models import open_clip as open_clip_encoder
from ipcir_tools.models.clip_tokens import ClipTokens
from ipcir_tools.models.loading import load_encoder

TEXTS = ["a red dress", "it's 50% off (no. 3)!", "", "word " * 300]
PLAIN = st.text("abcxyzABC0189 .,;:!?'\"()/+*%$#@=-", max_size=60) | st.lists(
    st.sampled_from(["it's", "DON'T", "x2y", "e.g.", "the", "quick-dry", "3/4", "startoftext"])
).map(" ".join)
TOKENS = ClipTokens()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())


@pytest.fixture(scope="module", params=[False, True], ids=["gelu", "quick gelu"])
def folder(request, tmp_path_factory):
    return save_light_model(tmp_path_factory.mktemp("light") / "tiny", quick_gelu=request.param)


def load(folder, **options):
    return load_encoder(f"open_clip:local-dir:{folder}", device="cpu", **options)


@given(PLAIN)
@settings(max_examples=300, deadline=None)
def test_tokens_are_those_of_open_clip(text):
    from open_clip.tokenizer import SimpleTokenizer, _tokenizer

    assert light_text.LightTower.reads([text])
    assert isinstance(_tokenizer, SimpleTokenizer)
    tokens = TOKENS.encode(text, 77)
    assert _tokenizer([text])[0].tolist() == tokens + [0] * (77 - len(tokens))


def test_the_second_process_gets_the_same_features_without_the_model(folder, monkeypatch):
    first = load(folder)
    monkeypatch.setattr(open_clip_encoder, "load_model", lambda *args: pytest.fail("loaded"))
    second = load(folder)
    assert (second.space, second.dim, second.input_side) == (first.space, first.dim, first.input_side)
    np.testing.assert_allclose(second.embed_texts(TEXTS), first.embed_texts(TEXTS), atol=1e-5)
    for text in TEXTS:
        assert second.words_left_out(text) == first.words_left_out(text)


def test_pictures_many_texts_and_pseudo_words_are_the_models(folder, monkeypatch):
    load(folder)
    loads = []
    real = open_clip_encoder.load_model
    monkeypatch.setattr(open_clip_encoder, "load_model", lambda *args: loads.append(1) or real(*args))
    for use in (
        lambda encoder: encoder.embed_images(pictures(1)),
        lambda encoder: encoder.embed_texts(["red"] * (light_text.MOST + 1)),
        lambda encoder: encoder.embed_pseudo("a *", np.zeros((1, 32), np.float32)),
    ):
        monkeypatch.setattr(open_clip_encoder, "LOADED", hub.ModelCache())
        encoder, before = load(folder), len(loads)
        encoder.embed_texts(["red"])
        assert len(loads) == before
        use(encoder)
        encoder.embed_texts(["red"])
        assert len(loads) == before + 1
        assert (encoder.device, encoder.dtype) == ("cpu", "float32")


@pytest.mark.parametrize(
    "text", ["a photo <end_of_text> of a dog", "&lt;end_of_text&gt; blue", "don'\u017f x", "\u0345x", "caf\xe9", "a\nb"]
)
def test_what_the_tokenizer_may_take_for_something_else_is_the_models(folder, monkeypatch, text):
    whole = load(folder)._loaded
    encoder = load(folder)
    monkeypatch.setattr(light_text.LightTower, "encode", lambda self, texts: pytest.fail("read"))
    right = whole.model.encode_text(whole.tokenizer([text]), normalize=True).detach().numpy()
    np.testing.assert_allclose(encoder.embed_texts([text]), right, atol=1e-5)


def test_a_file_of_another_revision_of_the_hub_is_not_trusted(folder, tmp_path):
    repo = tmp_path / "models--org--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("a")
    snapshot = shutil.copytree(folder, repo / "snapshots" / "a")
    identity = load(snapshot).space.rsplit("/", 1)[0]
    assert light_text.known(identity)
    (repo / "refs" / "main").write_text("b")
    assert light_text.known(identity) is None


def test_a_file_that_changed_is_not_trusted(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "tiny")
    identity = load(copy).space.rsplit("/", 1)[0]
    assert light_text.known(identity)
    os.utime(copy / "open_clip_model.safetensors", (1, 1))
    assert light_text.known(identity) is None


def test_a_tower_that_differs_is_never_used(folder, monkeypatch):
    monkeypatch.setattr(light_text, "_normal_share", lambda x: x > 0)
    monkeypatch.setattr(light_text.LightTower, "_norm", lambda self, x, name: x)
    assert load(folder)._light is None
    assert load(folder)._light is None


def test_a_search_needs_no_torch(folder):
    load(folder)
    code = (
        "import sys; from ipcir_tools.models.loading import load_encoder; "
        f"load_encoder('open_clip:local-dir:{folder}').embed_texts(['red']); "
        "print([name for name in ('torch', 'open_clip', 'transformers') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_digest_of_a_large_file_is_kept_until_the_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "LARGE", 1)
    monkeypatch.setattr(hub, "SETTLED", -1)
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"first")
    reads = []
    real = hub.file_digest
    monkeypatch.setattr(hub, "file_digest", lambda *args: reads.append(1) or real(*args))
    digests = []
    for content in (None, None, b"other"):
        hub._hashed.cache_clear()  # another process
        if content:
            file.write_bytes(content)
        digests.append(hub._file_digest(file))
    assert len(reads) == 2
    assert digests[0] == digests[1] != digests[2]
