"""Measures an encoder on a gallery, without labels: the units of the composers' weights.

From the features of up to :data:`SAMPLE` pictures and the captions of the first :data:`TEXTS` of them. Those
that are missing are made where that is cheap; where it is not, and half of them are missing, :data:`STOCK_TEXTS` stand
for all: the few that earlier searches left would make a ranking depend on what was searched for before. The figures are
kept in the catalog until the gallery changes.

How well a modification is understood is read off the captions: a part of one ("with a dog") is a modification in
small. ``heard`` is the correlation, over the sample, of the part's cosines with those of its own caption, less that
with other captions. Measured: 0.02 to 0.06 for the demo's CLIP on the wardrobe, which has only ever read whole
captions; 0.45 to 0.55 for a sentence encoder on CIRR's captions, 0.50 there with the stock texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.composers.calibration import UNCALIBRATED, Calibration
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.once import Once
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from ipcir_tools.store.catalog import Catalog
    from ipcir_tools.store.features import Features


SAMPLE = 512
"""Pictures of the sample at most."""
LEAST_PICTURES = 4
"""Pictures without which nothing is measured."""
TEXTS, LEAST_TEXTS = 64, 4
"""Captions at most, and different ones at least."""
STOCK_TEXTS = (
    "a dog running on the grass",
    "a red car parked on a street",
    "two people sitting at a table with food",
    "a woman in a black dress with long sleeves",
    "a man riding a bicycle in a city",
    "a white cat lying on a sofa",
    "a bowl of fruit on a wooden table",
    "a mountain lake under a blue sky with clouds",
    "a child with a yellow umbrella in the rain",
    "a pair of brown leather shoes with laces",
    "a bird on a branch with green leaves",
    "a kitchen with white cabinets and a window",
    "a train at a station at night",
    "a blue shirt with long sleeves and a collar",
    "a laptop and a cup of coffee on a desk",
    "a group of people on a beach with umbrellas",
    "a small boat on a river near a bridge",
    "a plate with a slice of chocolate cake",
    "a brown horse in a field with a fence",
    "a tall building with glass windows",
    "a striped sweater with a round neck",
    "a bottle of water beside a glass",
    "a vase with pink flowers on a table",
    "a snowy road in a forest",
)

_BORDER = re.compile(r"\s*(?:[,;:]|\band\b|(?=\b(?:with|in|on|at|near|under|beside|holding|wearing)\b))\s*")


class Calibrator:
    """The calibration of one encoder on one gallery. Safe for many threads."""

    def __init__(
        self, catalog: Catalog, features: Callable[[], Features], captions_are_cheap: Callable[[], bool]
    ) -> None:
        """``captions_are_cheap`` says whether captions of the sample may be made where too few are known."""
        self._catalog, self._features, self._cheap = catalog, features, captions_are_cheap
        self._once = Once[Calibration]()
        self._known: tuple[str, Calibration] | None = None

    def current(self) -> Calibration:
        """The calibration of the gallery as it is; measured where it has changed, else one look at its revision."""
        features = self._features()
        revision = features.revision()
        known = self._known
        if known is not None and known[0] == revision:
            return known[1]
        return self._once.get(revision, lambda: self._made(features, revision))

    def forget(self) -> None:
        """Measure again at the next use, as after captions were made."""
        self._known = None
        self._catalog.set_note(_note(self._features()), "")

    def _made(self, features: Features, revision: str) -> Calibration:
        known = self._known
        if known is None or known[0] != revision:
            known = self._known = revision, self._found(features, revision)
        return known[1]

    def _found(self, features: Features, revision: str) -> Calibration:
        """What the catalog holds of this revision, else measured and stored there."""
        ids = features.sample(SAMPLE)
        if len(ids) < LEAST_PICTURES:
            return UNCALIBRATED
        known = features.stored(ids)  # all that are not damaged
        pictures = np.stack([known[id_] for id_ in ids if id_ in known]) if known else np.zeros((0, 0), np.float32)
        if len(pictures) < LEAST_PICTURES:
            return UNCALIBRATED
        stored = self._stored(features, revision, pictures)
        return stored or self._measured(features, revision, ids, pictures)

    def _stored(self, features: Features, revision: str, pictures: FloatArray) -> Calibration | None:
        try:
            found: dict[str, Any] = json.loads(self._catalog.note(_note(features)) or "{}")
            return Calibration(**found, sample=pictures) if found.pop("revision", None) == revision else None
        except (ValueError, TypeError, AttributeError):  # written by another version, or damaged
            return None

    def _measured(self, features: Features, revision: str, ids: Sequence[str], pictures: FloatArray) -> Calibration:
        own = self._captions(features, ids)
        found = measure(pictures, own or STOCK_TEXTS, features.texts)
        source = f"{len(own)} captions" if own else f"{len(STOCK_TEXTS)} stock texts"
        figures: dict[str, Any] = {**found, "source": f"{source} and {len(ids)} pictures of the gallery"}
        self._catalog.set_note(_note(features), json.dumps({"revision": revision, **figures}))
        return Calibration(**figures, sample=pictures)

    def _captions(self, features: Features, ids: Sequence[str]) -> list[str]:
        """The different captions of the first of these pictures; none where there are too few.

        A picture that cannot be opened is left out.
        """
        some = ids[:TEXTS]
        try:
            captions = features.known_captions(some)
            if len(captions) < len(some) and self._cheap():
                features.caption_each(some)
                captions = features.known_captions(some)
            elif 2 * len(captions) < len(some):
                return []
        except (InvalidRequestError, ModelUnavailableError):  # of the captioner, which the search itself may not need
            return []
        own = list(dict.fromkeys(captions[id_] for id_ in some if id_ in captions))
        return own if len(own) >= LEAST_TEXTS else []


def measure(
    pictures: FloatArray, texts: Sequence[str], encode: Callable[[Sequence[str]], FloatArray]
) -> dict[str, float]:
    """``image_spread``, ``text_spread`` and ``heard``, from features ``[n, d]`` of pictures and texts as captions."""
    pairs = [(i, part) for i, text in enumerate(texts) for part in parts_of(text)]
    whole = encode(texts) @ pictures.T
    among = pictures @ pictures.T
    np.fill_diagonal(among, np.nan)  # a picture's cosine with itself is no part of the spread
    return {
        "image_spread": float(np.nanstd(among, axis=1).mean()),
        "text_spread": float(whole.std(axis=1).mean()),
        "heard": _heard(encode([part for _, part in pairs]) @ pictures.T, whole, [i for i, _ in pairs])
        if pairs
        else 0.0,
    }


def parts_of(caption: str) -> list[str]:
    """The parts of a caption after its first, of two words and more: what a modification could add."""
    return [part for part in _BORDER.split(caption.lower().rstrip(" ."))[1:] if len(part.split()) > 1]


def _heard(parts: FloatArray, whole: FloatArray, own: Sequence[int]) -> float:
    """Mean correlation of ``parts`` ``[p, n]`` with their own row of ``whole`` ``[t, n]``, less that with others."""
    found = _standardised(parts) @ _standardised(whole).T
    with_own = found[np.arange(len(own)), own]
    others = (found.sum(axis=1) - with_own) / max(found.shape[1] - 1, 1)
    return float((with_own - others).mean())


def _standardised(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9), np.float32)


def _note(features: Features) -> str:
    return f"calibration:{features.space}"
