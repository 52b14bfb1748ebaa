"""The captions of pictures as features of texts, for scores by what a picture's caption says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ipcir_tools.types import FloatArray

MOST_HELD = 50_000
"""Pictures whose caption's feature is held in memory at most; others are read from the catalog again."""


class CaptionLookup:
    """Features ``[d]`` of the stored captions of pictures, by id. Safe for many threads.

    A caption is encoded once in the catalog's life; no picture is captioned for it.
    """

    def __init__(
        self, captions: Callable[[Sequence[str]], Mapping[str, str]], texts: Callable[[Sequence[str]], FloatArray]
    ) -> None:
        self._captions, self._texts = captions, texts
        self._held: dict[str, FloatArray] = {}

    def __call__(self, ids: Sequence[str]) -> dict[str, FloatArray]:
        """The features of those that have a caption."""
        held = self._held
        found = {id_: held[id_] for id_ in ids if id_ in held}
        if captions := self._captions([id_ for id_ in ids if id_ not in found]):
            texts = list(dict.fromkeys(captions.values()))
            features = dict(zip(texts, self._texts(texts), strict=True))
            more = {id_: features[text] for id_, text in captions.items()}
            self._held = more if len(held) + len(more) > MOST_HELD else {**held, **more}
            found |= more
        return found
