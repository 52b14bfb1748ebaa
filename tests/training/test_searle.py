"""SEARLE: the words by optimisation, the regulariser and the losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from quick_trainings import CAPTIONS, CONCEPTS, searle, vector_of

from ipcir_tools.models.network import NetworkConfig
from ipcir_tools.training import oti
from ipcir_tools.training.oti import Inversion, invert
from ipcir_tools.training.phrases import build_phrases
from ipcir_tools.training.searle import distillation, length_error


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
        made = config.apply(config.layers(), torch.from_numpy(features))
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
