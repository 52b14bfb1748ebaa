"""Concepts and phrases of SEARLE's regulariser: a pseudo word should behave in a sentence as a real noun does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.pseudo_words import PLACEHOLDER
from ipcir_tools.types import FloatArray

TEMPLATES = (
    "*",
    "a *",
    "a photo of *",
    "a photo of a *",
    "a picture of *",
    "an image of a *",
    "this photo shows a *",
    "there is a * in this picture",
)
"""Sentences without more content than that the thing is there."""

_CONTEXTS = (
    "a * seen from the side",
    "two people are looking at a *",
    "a * lies on the table",
    "a small * beside a large one",
    "a * in front of a white wall",
    "somebody has bought a *",
)
"""For a concept that no caption names."""

_STOP = frozenset(
    re.findall(
        r"\w+",
        "and are for from has have her his into its not one out over that the their them they this two with was were "
        "which while who you photo picture image",
    )
)
_LONGEST = 20
"""Words of a phrase; CLIP's 77 tokens then hold all of it."""
_PER_CONCEPT = 32


@dataclass(frozen=True)
class Phrases:
    """Phrases with a ``*`` in the place of their concept, and their features with the concept in its place."""

    templates: tuple[str, ...]
    features: FloatArray
    """Text features ``[n, d]`` of the phrases with their concepts, unit norm."""
    spans: NDArray[np.int64]
    """``[concepts, 2]``: each concept's first phrase, and the one behind its last."""
    concepts: FloatArray
    """Text features ``[concepts, d]`` of "a photo of a CONCEPT", unit norm."""

    def nearest(self, features: FloatArray, k: int) -> NDArray[np.int64]:
        """The ``k`` concepts ``[n, k]`` that fit images ``[n, d]`` best, by cosine."""
        k = min(k, len(self.concepts))
        return np.argpartition(-(features @ self.concepts.T), k - 1, axis=1)[:, :k]

    def choose(self, nearest: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each row of concepts one phrase ``[n]`` of one of them, at random."""
        spans = self.spans[nearest[np.arange(len(nearest)), rng.integers(nearest.shape[1], size=len(nearest))]]
        return np.asarray(rng.integers(spans[:, 0], spans[:, 1]), dtype=np.int64)


def build_phrases(encoder: Encoder, captions: Sequence[str], concepts: Sequence[str] = ()) -> Phrases:
    """The phrases of ``concepts``: captions that name them, at most 32 each, or contexts of our own where none does.

    Without ``concepts`` they are found in the captions; see :func:`concepts_in`. Raises InvalidRequestError where there
    are neither.
    """
    names = list(dict.fromkeys(concepts)) or concepts_in(captions)
    if not names:
        raise InvalidRequestError(
            "There are no concepts for the regulariser of pseudo words: give captions, or name some concepts."
        )
    templates = [_templates(name, captions) for name in names]
    ends = np.cumsum([len(each) for each in templates])
    flat = [template for each in templates for template in each]
    texts = [t.replace(PLACEHOLDER, name, 1) for name, each in zip(names, templates, strict=True) for t in each]
    return Phrases(
        tuple(flat),
        encoder.embed_texts(texts),
        np.stack([ends - [len(each) for each in templates], ends], axis=1).astype(np.int64),
        encoder.embed_texts([f"a photo of a {name}" for name in names]),
    )


def _templates(concept: str, captions: Sequence[str]) -> list[str]:
    named = re.compile(rf"(?<![\w-]){re.escape(concept)}(?![\w-])", re.IGNORECASE)
    found: dict[str, None] = {}
    for caption in captions:
        text = caption.replace(PLACEHOLDER, " ")  # else the caption's own * would be taken for the word's place
        if len(text.split()) <= _LONGEST and named.search(text):
            found[named.sub(PLACEHOLDER, text, count=1)] = None
        if len(found) == _PER_CONCEPT:
            break
    return list(found) or list(_CONTEXTS)


def concepts_in(captions: Sequence[str], least: int = 3, most: int = 200) -> list[str]:
    """The commonest words of the captions first, of three letters or more: at most ``most`` in ``least`` captions."""
    counts = Counter(
        word for caption in captions for word in dict.fromkeys(re.findall(r"[^\W\d_][\w-]{2,}", caption.lower()))
    )
    return [word for word, n in counts.most_common() if n >= least and word not in _STOP][:most]
