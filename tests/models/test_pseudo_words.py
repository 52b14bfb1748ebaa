"""Pseudo words: vectors in the place of one word, in text towers of every kind."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.models.presets import SETS
from ipcir_tools.models.pseudo_words import PseudoWords, tokenize_templates
from ipcir_tools.training.pic2word import Pic2WordTraining


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(SETS["demo"].encoder, device="cpu")


def vector_of(encoder: Encoder, word: str) -> np.ndarray:
    """The model's own embedding ``[1, token_dim]`` of a word that is one token."""
    token = encoder._loaded.tokenizer([word])[0, 1]
    return encoder._loaded.model.token_embedding.weight[token].numpy()[None]


@pytest.mark.parametrize(
    "template",
    ["*", "a photo of *, make it blue", "* dress with * and 2 * 3", "a photo of a *" + " and a belt" * 40],
)
def test_a_words_own_embedding_in_its_place_gives_the_sentence_with_the_word(encoder, template):
    placed = encoder.embed_pseudo(template, vector_of(encoder, "red"))
    np.testing.assert_allclose(placed, encoder.embed_texts([template.replace("*", "red", 1)]), atol=1e-6)


def test_each_sentence_gets_its_own_word(encoder):
    words = np.concatenate([vector_of(encoder, word) for word in ("red", "blue")])
    features = encoder.embed_texts(["a red dress", "a photo of blue"])
    np.testing.assert_allclose(encoder.embed_pseudo(["a * dress", "a photo of *"], words), features, atol=1e-6)
    assert encoder.embed_pseudo("a *", words[:0]).shape == (0, encoder.dim)


def test_a_star_in_the_users_text_is_no_place_for_the_word(encoder):
    red = vector_of(encoder, "red")
    starred = encoder.embed_pseudo("a photo of *, with a * on it", red)
    np.testing.assert_allclose(starred, encoder.embed_texts(["a photo of red, with a * on it"]), atol=1e-6)
    assert not np.allclose(starred, encoder.embed_texts(["a photo of red, with a red on it"]), atol=1e-3)


def test_the_gradient_reaches_the_word_and_nothing_else(encoder):
    words = torch.zeros(2, encoder.token_dim, requires_grad=True)
    encoder.pseudo_words.features(["a photo of *, in red", "*"], words).sum().backward()
    assert words.grad.abs().sum(dim=1).min() > 0
    assert all(weight.grad is None for weight in encoder._loaded.model.parameters())


def test_the_model_is_as_it_was_afterwards(encoder):
    before = encoder.embed_texts(["a red dress"])
    encoder.embed_pseudo("a photo of *", np.ones((1, encoder.token_dim), np.float32))
    np.testing.assert_array_equal(encoder.embed_texts(["a red dress"]), before)
    assert not encoder._loaded.model.token_embedding._forward_hooks


@pytest.mark.parametrize(
    ("template", "message"),
    [("a photo of it", "no \\*"), ("red " * 60 + "*", "nearer to the beginning"), ("v-*ed", "spaces around")],
)
def test_a_template_without_a_place_for_the_word_is_refused(encoder, template, message):
    with pytest.raises(InvalidRequestError, match=message):
        encoder.embed_pseudo(template, np.zeros((1, encoder.token_dim), np.float32))


def test_words_of_another_width_or_number_are_refused(encoder):
    for templates, shape in (("*", (1, 3)), (["*"], (2, encoder.token_dim)), ("*", (encoder.token_dim,))):
        with pytest.raises(InvalidRequestError, match="need words"):
            encoder.embed_pseudo(templates, np.zeros(shape, np.float32))


def test_an_encoder_that_takes_no_such_words_says_which_do():
    with pytest.raises(InvalidRequestError, match="open_clip:MODEL/PRETRAINED"):
        FakeEncoder().embed_pseudo("*", np.zeros((1, 4), np.float32))
    with pytest.raises(InvalidRequestError, match="open_clip"):
        Pic2WordTraining().fit(FakeEncoder(dim=128), np.eye(12, 128, dtype=np.float32), Path("nowhere"))


# ---- towers of every kind ----------------------------------------------------------------------------
VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 16, "vocab_size": 32, "width": 32, "heads": 2, "layers": 1}


def bert(folder: Path) -> dict:
    """The configuration of a text tower of transformers, without weights."""
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertConfig(vocab_size=32, **sizes).save_pretrained(folder)
    return {"hf_model_name": str(folder), "hf_model_pretrained": False, "hf_proj_type": "mlp"}


def coca(folder: Path):
    from open_clip.coca_model import CoCa

    text = TEXT | {"embed_cls": True, "output_tokens": True, "context_length": 15}
    vision = VISION | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
    return CoCa(24, {"context_length": 15, "width": 32, "heads": 2, "layers": 1}, text, vision)


def clip(custom: bool = False, **changes):
    import open_clip.model as models

    build = models.CustomTextCLIP if custom else models.CLIP
    return lambda folder: build(24, VISION, models.CLIPTextCfg(**TEXT | changes))


TOWERS = {
    "CLIP": clip(),
    "CLIP that looks at the padding": clip(no_causal_mask=True),
    "a tower of its own": clip(custom=True),
    "SigLIP": clip(custom=True, no_causal_mask=True, pool_type="last"),
    "BERT": lambda folder: clip(custom=True, **bert(folder))(folder),
    "CoCa": coca,
}


def word_tokenizer(length: int):
    """A tokenizer of 20 words; what does not fit is cut, and every text ends with the highest token."""

    def tokenize(texts: list[str]) -> torch.Tensor:
        rows = [[2 + sum(map(ord, word)) % 20 for word in text.split()][: length - 2] for text in texts]
        return torch.tensor([[1, *row, 31, *[0] * (length - 2 - len(row))] for row in rows])

    return tokenize


@pytest.mark.parametrize("name", TOWERS)
def test_any_text_tower_takes_words(name, tmp_path):
    torch.manual_seed(0)
    model, tokenizer = TOWERS[name](tmp_path).eval(), word_tokenizer(15 if name == "CoCa" else 16)
    pseudo = PseudoWords(model, tokenizer, "cpu", threading.RLock())
    word = pseudo._table(tokenizer(["red"])[:, 1]).detach()
    templates = ["a * dress", "the *" + " and a belt" * 9]  # the second fills its row
    with torch.no_grad():
        placed = pseudo.features(templates, word.expand(2, -1))
        spelled_out = model.encode_text(tokenizer([each.replace("*", "red") for each in templates]))
        other = pseudo.features(templates, torch.zeros(2, pseudo.dim))
    torch.testing.assert_close(*(torch.nn.functional.normalize(each) for each in (placed, spelled_out)))
    assert (torch.nn.functional.normalize(other) - torch.nn.functional.normalize(spelled_out)).abs().max() > 1e-3


@pytest.mark.parametrize("clean", ["lower", "canonicalize"])
def test_clips_own_tokenizer_keeps_the_place_also_where_it_drops_stars(clean):
    from open_clip.tokenizer import SimpleTokenizer

    asked = ["a photo of *, in blue", "* and" + " 2 * 2" * 50]
    sentences = tokenize_templates(SimpleTokenizer(clean=clean), asked, "cpu")
    assert sentences.places.tolist() == [4, 1]
    assert sentences.tokens.shape == (2, 77)
