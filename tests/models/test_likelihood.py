"""Likelihoods of texts under captioners: those of transformers' own forward pass, one pair at a time and unpadded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_captioners import KINDS, TEXT, WORDS, pictures, save_model

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.fakes import ScriptedCaptioner, ScriptedChatModel
from ipcir_tools.models import likelihood
from ipcir_tools.models.chat_captioner import ChatCaptioner
from ipcir_tools.models.loading import load_captioner
from ipcir_tools.models.transformers_captioner import load_model
from ipcir_tools.settings import Settings

TEXTS = ["a red dress", "a blue shirt a belt a green dress", "belt"]
START = {"blip": 5, "blip-2": 2, "git": 2, "vision-encoder-decoder": 2}
END = 3
BEFORE = {"blip": 0, "blip-2": 4, "git": 17, "vision-encoder-decoder": 0}
"""Places of the picture in front of the text: 4 query tokens, or 16 patches and the class token."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("likelihoods")
    return {kind: save_model(kind, root / kind) for kind in KINDS}


def plain(kind: str, folder: Path, image, text: str) -> float:
    """log P(text | image) by one forward pass of the whole model."""
    import torch

    model, processor = (loaded := load_model(str(folder), "cpu", "float32")).model, loaded.image_processor
    pixels = processor(images=[image], return_tensors="pt")["pixel_values"]
    read = [START[kind], *(WORDS.index(word) for word in text.split())]
    told = [*read[1:], END]
    name = "decoder_input_ids" if kind == "vision-encoder-decoder" else "input_ids"
    ids = torch.tensor([[len(WORDS)] * 4 + read if kind == "blip-2" else read])
    with torch.no_grad():
        logits = model(pixel_values=pixels, **{name: ids}).logits[0, BEFORE[kind] :]
    return float(sum(logits[place].log_softmax(0)[token] for place, token in enumerate(told)))


@pytest.mark.parametrize("kind", KINDS)
def test_likelihoods_are_those_of_a_plain_computation_for_each_pair(folders, kind):
    captioner, images = load_captioner(f"transformers:{folders[kind]}", device="cpu", batch_size=2), pictures(3)
    found = captioner.log_likelihood(images, TEXTS)
    assert (found.shape, found.dtype) == ((3, 3), np.float32)
    expected = [[plain(kind, folders[kind], image, text) for text in TEXTS] for image in images]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.ptp(found, axis=0).min() > 0.01, "it depends on the picture"


def test_blip_2_with_an_encoder_decoder_reads_the_picture_in_its_encoder(tmp_path):
    import torch

    folder, image = save_model("blip-2 of t5", tmp_path / "t5"), pictures(1)[0]
    loaded = load_model(str(folder), "cpu", "float32")
    pixels = loaded.image_processor(images=[image], return_tensors="pt")["pixel_values"]
    prompt = torch.tensor([[len(WORDS)] * 4 + [2]])  # as generation reads it
    read, told = torch.tensor([[0, 6, 7, 10]]), [6, 7, 10, END]  # a red dress
    with torch.no_grad():
        logits = loaded.model(pixel_values=pixels, input_ids=prompt, decoder_input_ids=read).logits[0]
    expected = float(sum(logits[place].log_softmax(0)[token] for place, token in enumerate(told)))
    found = load_captioner(f"transformers:{folder}", device="cpu").log_likelihood([image], [*TEXTS[:2]])
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_is_what_generation_begins_with(folders, kind):
    loaded = load_model(str(folders[kind]), "cpu", "float32")
    pixels = loaded.image_processor(images=pictures(1), return_tensors="pt")["pixel_values"]
    made = loaded.model.generate(pixel_values=pixels, max_new_tokens=1, do_sample=False)[0].tolist()
    assert next(token for token in made if token != len(WORDS)) == loaded.decoder.start


@pytest.mark.parametrize("kind", KINDS)
def test_batches_and_padding_change_nothing(folders, kind, monkeypatch):
    captioner = load_captioner(f"transformers:{folders[kind]}", device="cpu", batch_size=16)
    features = captioner.encode_images(pictures(4))
    assert {each.dtype for each in features} == {np.dtype(np.float32)}
    pairs = [(given, text) for given in features for text in TEXTS]
    together = captioner.pair_log_likelihood(*map(list, zip(*pairs, strict=True)))
    alone = [captioner.pair_log_likelihood([given], [text])[0] for given, text in pairs]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    monkeypatch.setattr(likelihood, "MAX_LOGITS", 300)
    np.testing.assert_allclose(captioner.log_likelihood(pictures(4), TEXTS).ravel(), alone, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_features_kept_in_half_precision_change_little(folders, kind):
    captioner, images = load_captioner(f"transformers:{folders[kind]}", device="cpu"), pictures(2)
    halves = [each.astype(np.float16) for each in captioner.encode_images(images)]
    exact = captioner.log_likelihood(images, TEXTS[:1])[:, 0]
    np.testing.assert_allclose(captioner.pair_log_likelihood(halves, TEXTS[:1] * 2), exact, atol=0.1)
    rough = load_captioner(f"transformers:{folders[kind]}", device="cpu", dtype="bfloat16")
    np.testing.assert_allclose(rough.log_likelihood(images, TEXTS[:1])[:, 0], exact, rtol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_is_cut_to_what_the_model_takes(folders, kind, capfd):
    captioner, images = load_captioner(f"transformers:{folders[kind]}", device="cpu"), pictures(1)
    most = TEXT["max_position_embeddings"] - (4 if kind == "blip-2" else 0) - 2
    cut, long = ["red " * most], ["red " * 500]
    assert captioner.log_likelihood(images, long) == captioner.log_likelihood(images, cut)
    assert captioner.log_likelihood(images, ["red " * (most - 1)]) != captioner.log_likelihood(images, cut)
    assert capfd.readouterr().err == ""


def test_nothing_in_nothing_out_and_an_empty_text_is_its_end(folders):
    captioner, images = load_captioner(f"transformers:{folders['blip']}", device="cpu"), pictures(2)
    assert captioner.log_likelihood([], TEXTS).shape == (0, 3)
    assert captioner.log_likelihood(images, []).shape == (2, 0)
    assert captioner.pair_log_likelihood([], []).shape == (0,)
    found = captioner.log_likelihood(images, [""])
    np.testing.assert_allclose(found[0, 0], plain("blip", folders["blip"], images[0], ""), atol=1e-4)


def test_a_captioner_without_likelihoods_is_refused_in_one_line():
    chat = ChatCaptioner("scripted:x", Settings(), ScriptedChatModel(replies=[]))
    scripted = ScriptedCaptioner()
    for ask in (chat.encode_images, scripted.encode_images, lambda images: scripted.log_likelihood(images, [])):
        with pytest.raises(InvalidRequestError, match=r"gives no likelihoods.*--verify off") as caught:
            ask(pictures(1))
        assert "\n" not in str(caught.value)
    assert not chat.gives_likelihoods
