"""The trainings: their loop, their checkpoints, and the networks that they write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_trainings import CAPTIONS, CONCEPTS, aligned, mirrored, pic2word, searle, weights

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError, SpaceMismatchError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.models.network import DESCRIPTION, WEIGHTS, load_network
from ipcir_tools.training import loop, oti
from ipcir_tools.training.aligned import AlignedTraining
from ipcir_tools.training.checkpoint import CHECKPOINT
from ipcir_tools.training.oti import Inversion, invert
from ipcir_tools.training.phrases import build_phrases

TRAININGS = {"pic2word": pic2word, "searle": searle, "aligned": aligned}
each_training = pytest.mark.parametrize("method", TRAININGS)


@each_training
def test_training_lowers_its_loss_and_says_what_it_did(method, encoder, features, tmp_path):
    steps = []
    report = TRAININGS[method](encoder, features, tmp_path / "net", progress=lambda *step: steps.append(step))
    examples = 160 if method == "aligned" else 12  # a fifth of 200 triplets is held out
    assert (report.method, report.examples, report.folder) == (method, examples, tmp_path / "net")
    assert report.losses[-1] < 0.8 * report.losses[0]
    assert steps[-1] == ("training", report.steps, report.steps)
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
    path = tmp_path / CHECKPOINT
    damage(path, path.read_bytes())
    with pytest.raises(InvalidRequestError, match="delete it to begin anew, or choose another folder") as caught:
        pic2word(encoder, features, tmp_path)
    assert str(caught.value).startswith(f"{path} is no checkpoint of a training")
    assert "\n" not in str(caught.value)


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


def test_a_pseudo_word_identifies_its_picture(encoder, features, tmp_path):
    pic2word(encoder, features, tmp_path, steps=60, dropout=0.0)
    network = load_network(tmp_path, "pic2word", encoder.space)
    embedded = encoder.embed_pseudo("a photo of *", network.apply(features))
    assert (embedded @ features.T).argmax(axis=1).tolist() == list(range(12))


def test_a_query_is_the_word_in_the_template_with_the_users_text(encoder, features, tmp_path):
    pic2word(encoder, features, tmp_path, steps=2)
    network = load_network(tmp_path, "pic2word", encoder.space)
    asked = network.queries(encoder, features[:2], ["in blue", "{modification} * {}"])
    sentences = ["a photo of *, in blue", "a photo of *, {modification} * {}"]
    np.testing.assert_allclose(asked, encoder.embed_pseudo(sentences, network.apply(features[:2])), atol=1e-6)


def test_the_contrast_of_two_pairs_by_hand():
    one, other = torch.eye(2), torch.tensor([[2.0, 0.0], [3.0, 3.0]])
    half = 0.5**0.5
    rows = [-np.log(np.exp(1) / (np.exp(1) + np.exp(half))), -np.log(np.exp(half) / (np.exp(half) + 1))]
    columns = [-np.log(np.exp(1) / (np.exp(1) + 1)), np.log(2)]
    assert float(loop.symmetric_contrast(one, other, 1.0)) == pytest.approx(np.mean(rows + columns), rel=1e-5)


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
