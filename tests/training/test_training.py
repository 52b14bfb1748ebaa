"""Textual inversion and alignment: words that are vectors, and the three networks that are trained."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from ipcir_tools.composers import fusion
from ipcir_tools.composers.aligned import move_proxies
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError, SpaceMismatchError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.models.network import DESCRIPTION, WEIGHTS, NetworkConfig, load_network
from ipcir_tools.models.presets import SETS
from ipcir_tools.models.pseudo_words import PseudoWords, _tokenized
from ipcir_tools.training import loop, oti
from ipcir_tools.training.aligned import AlignedTraining
from ipcir_tools.training.oti import Inversion, invert
from ipcir_tools.training.phrases import build_phrases, concepts_in
from ipcir_tools.training.pic2word import Pic2WordTraining
from ipcir_tools.training.searle import SearleTraining, distillation, length_error

CAPTIONS = ["a red dress with a belt", "a blue dress", "a green coat with buttons", "a black coat", "a red coat"]
CONCEPTS = ("dress", "coat")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(SETS["demo"].encoder, device="cpu")


@pytest.fixture(scope="module")
def features(encoder) -> np.ndarray:
    """Twelve directions that stand for pictures: each near the text of a garment."""
    looks = [
        f"a {colour} {kind}" for colour in ("red", "blue", "green", "black") for kind in ("dress", "coat", "skirt")
    ]
    noise = np.random.default_rng(0).normal(0, 0.03, (12, encoder.dim))
    return fusion.normalised(encoder.embed_texts(looks) + noise.astype(np.float32))


def vector_of(encoder: Encoder, word: str) -> np.ndarray:
    """The model's own embedding ``[1, token_dim]`` of a word that is one token."""
    token = encoder._loaded.tokenizer([word])[0, 1]
    return encoder._loaded.model.token_embedding.weight[token].numpy()[None]


# ---- words that are vectors --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "template",
    ["*", "a photo of *, make it blue", "* dress with * and 2 * 3", "a photo of a *" + " and a belt" * 40],
)
def test_a_words_own_embedding_in_its_place_gives_the_sentence_with_the_word(encoder, template):
    placed = encoder.embed_pseudo(template, vector_of(encoder, "red"))
    np.testing.assert_allclose(placed, encoder.embed_texts([template.replace("*", "red", 1)]), atol=1e-6)


def test_each_sentence_gets_its_own_word(encoder):
    words = np.concatenate([vector_of(encoder, word) for word in ("red", "blue")])
    said = encoder.embed_texts(["a red dress", "a photo of blue"])
    np.testing.assert_allclose(encoder.embed_pseudo(["a * dress", "a photo of *"], words), said, atol=1e-6)
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


def test_an_encoder_that_takes_no_such_words_says_which_do(features):
    with pytest.raises(InvalidRequestError, match="open_clip:MODEL/PRETRAINED"):
        FakeEncoder().embed_pseudo("*", np.zeros((1, 4), np.float32))
    with pytest.raises(InvalidRequestError, match="open_clip"):
        Pic2WordTraining().fit(FakeEncoder(dim=128), features, Path("nowhere"))


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


def spelt(length: int):
    """A tokenizer of 20 words; what does not fit is cut, and every text ends with the highest token."""

    def tokenize(texts: list[str]) -> torch.Tensor:
        rows = [[2 + sum(map(ord, word)) % 20 for word in text.split()][: length - 2] for text in texts]
        return torch.tensor([[1, *row, 31, *[0] * (length - 2 - len(row))] for row in rows])

    return tokenize


@pytest.mark.parametrize("name", TOWERS)
def test_any_text_tower_takes_words(name, tmp_path):
    torch.manual_seed(0)
    model, tokenizer = TOWERS[name](tmp_path).eval(), spelt(15 if name == "CoCa" else 16)
    pseudo = PseudoWords(model, tokenizer, "cpu", threading.RLock())
    word = pseudo._table(tokenizer(["red"])[:, 1]).detach()
    templates = ["a * dress", "the *" + " and a belt" * 9]  # the second fills its row
    with torch.no_grad():
        placed = pseudo.features(templates, word.expand(2, -1))
        said = model.encode_text(tokenizer([each.replace("*", "red") for each in templates]))
        other = pseudo.features(templates, torch.zeros(2, pseudo.dim))
    torch.testing.assert_close(*(torch.nn.functional.normalize(each) for each in (placed, said)))
    assert (torch.nn.functional.normalize(other) - torch.nn.functional.normalize(said)).abs().max() > 1e-3


@pytest.mark.parametrize("clean", ["lower", "canonicalize"])
def test_clips_own_tokenizer_keeps_the_place_also_where_it_drops_stars(clean):
    from open_clip.tokenizer import SimpleTokenizer

    asked = ["a photo of *, in blue", "* and" + " 2 * 2" * 50]
    sentences = _tokenized(SimpleTokenizer(clean=clean), asked, "cpu")
    assert sentences.places.tolist() == [4, 1]
    assert sentences.tokens.shape == (2, 77)


# ---- phrases -----------------------------------------------------------------------------------------
def test_concepts_are_the_common_words_of_captions():
    assert concepts_in(CAPTIONS, least=2) == ["coat", "red", "dress"]  # equals in the order of the captions


def test_phrases_are_captions_that_name_the_concept(encoder):
    phrases = build_phrases(encoder, [*CAPTIONS, "a 2 * 3 dress", "a dress-like thing"], CONCEPTS)
    first, behind = phrases.spans[0]
    assert set(phrases.templates[first:behind]) == {"a red * with a belt", "a blue *", "a 2   3 *"}
    np.testing.assert_allclose(phrases.features[[first]], encoder.embed_texts(["a red dress with a belt"]), atol=1e-6)


def test_a_concept_that_no_caption_names_gets_sentences_of_our_own(encoder):
    phrases = build_phrases(encoder, [], ["bottle"])
    assert all(template.count("*") == 1 for template in phrases.templates)
    with pytest.raises(InvalidRequestError, match="give captions"):
        build_phrases(encoder, [])


def test_a_picture_is_held_by_phrases_of_its_nearest_concepts(encoder):
    phrases = build_phrases(encoder, CAPTIONS, CONCEPTS)
    pictures = encoder.embed_texts(["a photo of a dress", "a photo of a coat"])
    near = phrases.nearest(pictures, 1)
    assert near.tolist() == [[0], [1]]
    drawn = np.stack([phrases.choose(near, np.random.default_rng(i)) for i in range(50)])
    assert {phrases.templates[i] for i in drawn[:, 0]} == {"a red * with a belt", "a blue *"}
    assert phrases.nearest(pictures, 99).shape == (2, 2)


# ---- trainings ---------------------------------------------------------------------------------------
QUICK = {"steps": 30, "batch": 8, "rate": 3e-3}


def pic2word(encoder, features, folder, progress=None, **changes):
    return Pic2WordTraining(**QUICK | changes).fit(encoder, features, folder, progress)


def searle(encoder, features, folder, progress=None, **changes):
    training = SearleTraining(**QUICK | {"inversion": Inversion(steps=5, block=6)} | changes)
    return training.fit(encoder, features, folder, CAPTIONS, CONCEPTS, progress)


def mirrored(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Proxies and targets ``[n, 8]``: as if what is wanted were always the proxy read backwards."""
    proxies = fusion.normalised(np.random.default_rng(1).normal(size=(n, 8)).astype(np.float32))
    return proxies, proxies[:, ::-1].copy()


def aligned(encoder, features, folder, progress=None, **changes):
    how = {"steps": 120, "batch": 50, "rate": 1e-2, "dropout": 0.0, "hidden": 64}
    return AlignedTraining(**how | changes).fit(encoder.space, *mirrored(), folder, progress=progress)


TRAININGS = {"pic2word": pic2word, "searle": searle, "aligned": aligned}
each_training = pytest.mark.parametrize("method", TRAININGS)


@each_training
def test_training_lowers_its_loss_and_says_what_it_did(method, encoder, features, tmp_path):
    told = []
    report = TRAININGS[method](encoder, features, tmp_path / "net", progress=lambda *said: told.append(said))
    examples = 160 if method == "aligned" else 12  # a fifth of 200 triplets is held out
    assert (report.method, report.examples, report.folder) == (method, examples, tmp_path / "net")
    assert report.losses[-1] < 0.8 * report.losses[0]
    assert told[-1] == ("training", report.steps, report.steps)
    trained = load_network(tmp_path / "net", method, encoder.space).config.trained
    assert (trained.steps, trained.loss) == (report.steps, report.losses[-1])
    assert sorted(path.name for path in (tmp_path / "net").iterdir()) == [DESCRIPTION, WEIGHTS]


class Killed(BaseException):
    """As a kill it passes every handler."""


def killer(during: str, at: int):
    def progress(what: str, done: int, total: int) -> None:
        if what == during and done >= at:
            raise Killed

    return progress


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


@each_training
def test_a_killed_training_ends_as_an_uninterrupted_one(method, encoder, features, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY", 7)
    run = TRAININGS[method]
    whole = run(encoder, features, tmp_path / "whole")
    for what, at in [("inverting", 6)] * (method == "searle") + [("training", 5), ("training", 18)]:
        with pytest.raises(Killed):
            run(encoder, features, tmp_path / "killed", progress=killer(what, at))
    steps = []
    resumed = run(encoder, features, tmp_path / "killed", progress=lambda what, done, _: steps.append((what, done)))
    assert min(done for what, done in steps if what == "training") == 15  # behind the checkpoint of step 14
    assert resumed.losses == whole.losses
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_the_seed_decides(encoder, features, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(len(name) + seed * 7)  # what else was drawn before does not matter
        torch.rand(seed + 1)
        pic2word(encoder, features, tmp_path / name, steps=5, seed=seed)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_training_leaves_torchs_random_numbers_alone(encoder, features, tmp_path):
    before = torch.get_rng_state()
    pic2word(encoder, features, tmp_path, steps=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_checkpoint_of_another_training_is_not_gone_on_with(encoder, features, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY", 1)
    with pytest.raises(Killed):
        pic2word(encoder, features, tmp_path, progress=killer("training", 2))
    with pytest.raises(InvalidRequestError, match="choose another folder"):
        pic2word(encoder, features[:11], tmp_path)
    with pytest.raises(InvalidRequestError, match="choose another folder"):
        pic2word(encoder, features, tmp_path, rate=1e-4)


def half_of_a_checkpoint(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: len(whole) // 2])


def junk(path: Path, whole: bytes) -> None:
    path.write_bytes(b"no checkpoint")


def nothing(path: Path, whole: bytes) -> None:
    path.write_bytes(b"")


def a_tensor(path: Path, whole: bytes) -> None:
    torch.save(torch.zeros(3), path)


def weights_of_something_else(path: Path, whole: bytes) -> None:
    torch.save({"layers": {"0.weight": torch.zeros(3)}}, path)


def no_losses(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    torch.save({key: each for key, each in torch.load(path).items() if key != "losses"}, path)


@pytest.mark.parametrize(
    "damage", [half_of_a_checkpoint, junk, nothing, a_tensor, weights_of_something_else, no_losses]
)
def test_a_damaged_checkpoint_is_named_with_the_way_out(damage, encoder, features, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY", 1)
    with pytest.raises(Killed):
        pic2word(encoder, features, tmp_path, progress=killer("training", 2))
    path = tmp_path / loop.CHECKPOINT
    damage(path, path.read_bytes())
    with pytest.raises(InvalidRequestError, match="delete it to begin anew, or choose another folder") as told:
        pic2word(encoder, features, tmp_path)
    assert str(told.value).startswith(f"{path} is no checkpoint of a training")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("damage", ["half", "nothing", "junk", "other words", "no numbers", "an archive"])
def test_a_damaged_block_of_words_is_made_anew(damage, encoder, features, tmp_path):
    phrases, how = build_phrases(encoder, CAPTIONS, CONCEPTS), Inversion(steps=2, block=6)
    words = invert(encoder, features, phrases, tmp_path, how)
    first, second = sorted((tmp_path / oti.FOLDER).glob("*/*.npy"))
    untouched, whole = second.stat().st_mtime_ns, first.read_bytes()
    damaged = {"half": whole[: len(whole) // 2], "nothing": b"", "junk": b"no words", "an archive": b"PK\x03\x04"}
    if damage in damaged:
        first.write_bytes(damaged[damage])
    else:
        np.save(first, words[:5] if damage == "other words" else np.full_like(words[:6], np.nan))
    np.testing.assert_array_equal(invert(encoder, features, phrases, tmp_path, how), words)
    assert (first.read_bytes(), second.stat().st_mtime_ns) == (whole, untouched)


def test_the_rate_rises_and_then_falls_to_nothing():
    recipe = loop.Recipe(steps=100, batch=1, rate=2.0, decay=0.0, warmup=0.1)
    rates = [recipe.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert rates[9] == max(rates)
    assert rates[54] == pytest.approx(1.0), "half way down"
    assert rates[99] == pytest.approx(0.0)
    assert sorted(rates[9:], reverse=True) == rates[9:]


@pytest.mark.parametrize("shape", [(1, 128), (4, 64), (128,)])
def test_features_that_cannot_be_trained_on_are_refused(shape, encoder, tmp_path):
    with pytest.raises(InvalidRequestError):
        pic2word(encoder, np.ones(shape, np.float32), tmp_path)
    with pytest.raises(InvalidRequestError, match="not one for one"):
        AlignedTraining().fit(encoder.space, np.ones((13, 4), np.float32), np.ones((12, 4), np.float32), tmp_path)
    with pytest.raises(InvalidRequestError, match="at least 10"):
        AlignedTraining().fit(encoder.space, *mirrored(9), tmp_path)


# ---- what the trained networks do --------------------------------------------------------------------
def test_a_pseudo_word_says_which_picture_it_is(encoder, features, tmp_path):
    pic2word(encoder, features, tmp_path, steps=60, dropout=0.0)
    network = load_network(tmp_path, "pic2word", encoder.space)
    said = encoder.embed_pseudo("a photo of *", network.mapped(features))
    assert (said @ features.T).argmax(axis=1).tolist() == list(range(12))


def test_a_query_is_the_word_in_the_template_with_the_users_text(encoder, features, tmp_path):
    pic2word(encoder, features, tmp_path, steps=2)
    network = load_network(tmp_path, "pic2word", encoder.space)
    asked = network.queries(encoder, features[:2], ["in blue", "{modification} * {}"])
    sentences = ["a photo of *, in blue", "a photo of *, {modification} * {}"]
    np.testing.assert_allclose(asked, encoder.embed_pseudo(sentences, network.mapped(features[:2])), atol=1e-6)


def test_words_by_optimisation_come_nearer_to_their_pictures(encoder, features, tmp_path):
    phrases = build_phrases(encoder, CAPTIONS, CONCEPTS)

    def cosines(how: Inversion) -> np.ndarray:
        words = invert(encoder, features, phrases, tmp_path, how)
        return (encoder.embed_pseudo("a photo of *", words) * features).sum(axis=1)

    first, later = cosines(Inversion(steps=1)), cosines(Inversion(steps=40, average=0.9))
    assert later.mean() > first.mean() + 0.2


def test_the_regulariser_holds_words_to_their_concepts(encoder, features, tmp_path):
    phrases = build_phrases(encoder, CAPTIONS, CONCEPTS)

    def off(held: float) -> float:
        """How far phrases with the words are from the same ones with their concepts, over all phrases."""
        words = invert(
            encoder, features, phrases, tmp_path, Inversion(steps=30, average=0.9, regularisation=held, concepts=1)
        )
        near = phrases.nearest(features, 1)
        drawn = [phrases.choose(near, np.random.default_rng(i)) for i in range(5)]
        return float(np.mean([oti.regulariser(encoder, phrases, each, torch.from_numpy(words)) for each in drawn]))

    assert off(held=5.0) < 0.8 * off(held=0.0)


def test_searles_loss_is_what_its_docstring_adds_up(encoder, features, tmp_path):
    """The first step of a training without dropout, whose loss is that of the first weights."""
    whole, taught = (
        searle(encoder, features, tmp_path / f"{held}", steps=1, batch=12, dropout=0.0, regularisation=held).losses[0]
        for held in (0.75, 0.0)
    )
    phrases = build_phrases(encoder, CAPTIONS, CONCEPTS)
    words = torch.from_numpy(invert(encoder, features, phrases, tmp_path, Inversion(steps=5, block=6)))
    scale = float(words.square().mean().sqrt())
    config = NetworkConfig(
        method="searle", space=encoder.space, wide_in=encoder.dim, hidden=4 * encoder.dim,
        wide_out=encoder.token_dim, dropout=0.0, activation="gelu", scale_out=scale,
    )  # fmt: skip
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        made = config.mapped(config.layers(), torch.from_numpy(features))
        terms = float(distillation(made, words, 0.25)), float(length_error(made, words))
        drawn = phrases.choose(phrases.nearest(features, 150), np.random.default_rng([0, 0, 1]))
        held = float(oti.regulariser(encoder, phrases, drawn, made))
    assert taught == pytest.approx(sum(terms), abs=1e-4)
    # Which phrase is drawn for which picture depends on the order of the batch.
    assert whole - taught == pytest.approx(0.75 * held, rel=0.3)
    assert min(*terms, held) > 0.05


def test_the_average_of_a_words_steps_holds_nothing_of_the_random_start(encoder, features, tmp_path):
    phrases = build_phrases(encoder, CAPTIONS, CONCEPTS)

    def words(steps: int, average: float) -> np.ndarray:
        return invert(encoder, features[:2], phrases, tmp_path, Inversion(steps=steps, average=average))

    first, second, third = (words(steps, average=0.0) for steps in (1, 2, 3))  # the steps themselves
    np.testing.assert_allclose(words(1, average=0.99), first, atol=1e-6)
    # The weights 0.5^2, 0.5 and 1, by their sum.
    np.testing.assert_allclose(words(3, average=0.5), (0.25 * first + 0.5 * second + third) / 1.75, atol=1e-6)


def test_the_regulariser_is_nothing_where_the_word_is_the_concept(encoder):
    phrases = build_phrases(encoder, CAPTIONS, ["dress"])
    dress = torch.from_numpy(vector_of(encoder, "dress")).expand(2, -1)
    assert float(oti.regulariser(encoder, phrases, np.array([0, 1]), dress)) == pytest.approx(0, abs=1e-6)
    assert float(oti.regulariser(encoder, phrases, np.array([0, 1]), torch.zeros_like(dress))) > 0.01


def test_the_distillation_of_two_pairs_by_hand():
    made, wanted = torch.eye(2), 3 * torch.eye(2)  # lengths do not count
    # Each of the four has its partner at cosine 1 and two others at 0.
    expected = -np.log(np.exp(2) / (np.exp(2) + 2))
    assert float(distillation(made, wanted, 0.5)) == pytest.approx(expected, rel=1e-5)
    assert float(length_error(made, wanted)) == pytest.approx((2 / 3) ** 2)


def test_the_contrast_of_two_pairs_by_hand():
    one, other = torch.eye(2), torch.tensor([[2.0, 0.0], [3.0, 3.0]])
    half = 0.5**0.5
    rows = [-np.log(np.exp(1) / (np.exp(1) + np.exp(half))), -np.log(np.exp(half) / (np.exp(half) + 1))]
    columns = [-np.log(np.exp(1) / (np.exp(1) + 1)), np.log(2)]
    assert float(loop.symmetric_contrast(one, other, 1.0)) == pytest.approx(np.mean(rows + columns), rel=1e-5)


def test_an_alignment_moves_proxies_to_their_targets(encoder, tmp_path):
    report = aligned(encoder, None, tmp_path)
    proxies, targets = mirrored(300)
    new = slice(200, 300)
    moved = move_proxies(load_network(tmp_path, "aligned", encoder.space), proxies[new])
    assert (moved @ targets[new].T).argmax(axis=1).tolist() == list(range(100))
    assert report.before < 0.2
    assert report.after > 0.9


def test_an_alignment_that_helps_nobody_leaves_the_proxies_as_they_are(encoder, tmp_path):
    proxies = mirrored()[0]
    report = AlignedTraining(steps=20, rate=0.1).fit(encoder.space, proxies, proxies, tmp_path)
    assert report.before == report.after == 1.0
    network = load_network(tmp_path, "aligned", encoder.space)
    assert network.config.scale_out == 0
    np.testing.assert_allclose(move_proxies(network, proxies), proxies, atol=1e-6)


def test_how_far_an_alignment_goes_is_found_on_triplets_that_it_has_not_seen(encoder, tmp_path):
    """The network learns a mirror well, and the last fifth, which is held out, needs none."""
    proxies, targets = mirrored()
    targets[160:] = proxies[160:]
    how = {"steps": 120, "batch": 50, "rate": 1e-2, "dropout": 0.0, "hidden": 64}
    report = AlignedTraining(**how).fit(encoder.space, proxies, targets, tmp_path)
    assert report.losses[-1] < 0.5 * report.losses[0]
    assert (report.before, report.after) == (1.0, 1.0)
    assert load_network(tmp_path, "aligned", encoder.space).config.scale_out == 0


def test_what_an_alignment_is_worth_is_measured_among_the_gallery(encoder, tmp_path):
    proxies, targets = mirrored()
    twins = fusion.normalised(0.9 * proxies + 0.1 * targets)  # each nearer to its proxy than the target is
    report = AlignedTraining(steps=1).fit(encoder.space, proxies, proxies, tmp_path, gallery=proxies)
    assert report.before == 1.0  # a picture that is the target itself is no rival
    report = AlignedTraining(steps=1, rate=0.0).fit(encoder.space, proxies, targets, tmp_path, gallery=twins)
    assert report.before < AlignedTraining(steps=1, rate=0.0).fit(encoder.space, proxies, targets, tmp_path).before


# ---- networks on disk --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def kept(encoder, features, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("net")
    pic2word(encoder, features, folder, steps=2)
    return folder


def test_a_network_of_another_space_is_refused(kept, encoder, features):
    with pytest.raises(SpaceMismatchError, match=r"was trained for .*clip@.* not for open_clip:other"):
        load_network(kept, "pic2word", "open_clip:other/128d-0")
    with pytest.raises(SpaceMismatchError):
        load_network(kept, "pic2word", encoder.space).queries(FakeEncoder(), features[:1], ["in blue"])


def test_a_network_of_another_method_is_refused(kept, encoder):
    with pytest.raises(ModelUnavailableError, match="of the method pic2word, not searle"):
        load_network(kept, "searle", encoder.space)


@pytest.mark.parametrize("broken", ["nothing", "no weights", "half the weights", "no json", "other sizes"])
def test_a_folder_that_holds_no_network_says_what_is_wrong(broken, kept, encoder, tmp_path):
    text, raw = (kept / DESCRIPTION).read_text(), weights(kept)
    if broken == "other sizes":
        text = json.dumps(json.loads(text) | {"hidden": 7})
    if broken != "nothing":
        (tmp_path / DESCRIPTION).write_text("{" if broken == "no json" else text)
    if broken in ("half the weights", "other sizes"):
        (tmp_path / WEIGHTS).write_bytes(raw[:500] if broken == "half the weights" else raw)
    with pytest.raises(ModelUnavailableError, match="network") as caught:
        load_network(tmp_path, "pic2word", encoder.space)
    assert "\n" not in str(caught.value)
