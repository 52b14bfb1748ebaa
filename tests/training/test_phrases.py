"""Concepts and phrases of SEARLE's regulariser."""

from __future__ import annotations

import numpy as np
import pytest
from quick_trainings import CAPTIONS, CONCEPTS

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.training.phrases import build_phrases, concepts_in


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
