"""Candidates scored twice: as pictures, and by what their own captions say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ipcir_tools.composers.composer import Composer, Part, Parts
from ipcir_tools.composers.edit import Edit
from ipcir_tools.types import FloatArray, Probe

PICTURE_SIDE: Composer = Edit()
"""The composer whose scores are those of the candidates as pictures."""
K = 60
"""Of reciprocal rank fusion (Cormack et al., SIGIR 2009): how little the first ranks stand out."""


class CaptionFusion(Composer):
    """WeiMoCIR (arXiv 2409.04918) and XR (arXiv 2601.14245): the imagined text is compared with captions, too.

    The ``pool`` best pictures of :data:`PICTURE_SIDE` get a second score, the cosine of the imagined text t with their
    own caption. ``rule=weighted`` (WeiMoCIR) adds both, each in units of its spread over the pool:
    ``(1 - share) * z(S_picture) + share * z(S_caption)``. ``rule=ranks`` (XR) adds reciprocal ranks:
    ``(1 - share) / (60 + rank_picture) + share / (60 + rank_caption)``; XR has a share of 0.15 and a pool of 100.

    On the wardrobe's validation part (516 queries, rules, R@1 / R@5 / R@10): the edit alone 59.7 / 99.0 / 100; weighted
    with a share of 0.15 63.2 / 98.6 / 100, of 0.3 65.3 / 96.7 / 99.4, of 0.5 68.0 / 95.7 / 98.3; by ranks with 0.15
    59.3 / 98.1 / 100, with 0.3 65.3 / 97.3 / 99.2. So captions help to decide for the first place and, weighed more,
    lose what a wrong caption hides.

    A picture without a caption keeps its picture's score, or rank, in the place of the other. Pictures outside of the
    pool come after it, in their order. It needs a gallery with captions: ``ipcir index --captions``.
    """

    name = "caption-fusion"
    needs: ClassVar[frozenset[Part]] = PICTURE_SIDE.needs | {"imagined", "gallery_captions"}
    rule: Literal["weighted", "ranks"] = "weighted"
    share: float = Field(default=0.15, ge=0.0, le=1.0)
    """The caption's share. On the development half of CIRR's captions R@1 / R@10 are 17.6 / 54.5 for the edit alone,
    17.8 / 54.4 with 0.15 and 16.9 / 54.0 with 0.3."""
    pool: int = Field(default=100, ge=2, le=1000)
    """How many pictures are compared by their captions."""
    weight: float = Field(default=PICTURE_SIDE.parameters["weight"], ge=0.0, le=1.0)

    def compose(self, parts: Parts) -> Probe:
        """``(1 - share) * z(S_picture) + share * z(S_caption)``, or the same with reciprocal ranks."""
        text, captions_of = parts.need("imagined"), parts.need_lookup("gallery_captions")

        def rescore(scores: FloatArray, ids: Sequence[str]) -> FloatArray:
            best = first_places(scores, self.pool)
            known = captions_of([ids[place] for place in best])
            fits = {i: known[ids[place]] @ text for i, place in enumerate(best) if ids[place] in known}
            fuse = fused_scores if self.rule == "weighted" else fused_ranks
            return in_front(scores, best, fuse(scores[best], list(fits), np.array([*fits.values()]), self.share))

        return replace(PICTURE_SIDE.compose(parts), rescore_by_id=rescore)


def first_places(scores: FloatArray, n: int) -> list[int]:
    """The places of the ``n`` best of ``scores`` ``[m]``, best first; those of ``-inf`` are never among them."""
    order = np.argsort(-scores, kind="stable")[:n]
    return [int(place) for place in order if np.isfinite(scores[place])]


def in_front(scores: FloatArray, places: Sequence[int], better: FloatArray) -> FloatArray:
    """``scores`` ``[n]`` with those at ``places`` replaced by ``better``, all others below them, in order."""
    if not len(places):
        return scores
    moved = np.asarray(scores - (scores[places].max() - better.min() + 1.0), np.float32)
    moved[places] = better
    return moved


def fused_scores(pictures: FloatArray, places: Sequence[int], captions: FloatArray, share: float) -> FloatArray:
    """``(1 - share) * z(pictures) + share * z(captions)`` ``[n]``.

    ``captions`` are the second scores of those at ``places``; the others have their first one in its place.
    """
    first = standardise(pictures)
    second = first.copy()
    second[list(places)] = standardise(captions)
    return np.asarray((1.0 - share) * first + share * second, np.float32)


def fused_ranks(pictures: FloatArray, places: Sequence[int], captions: FloatArray, share: float) -> FloatArray:
    """``(1 - share) / (K + rank(pictures)) + share / (K + rank(captions))`` ``[n]``; equal scores share a rank."""
    first = ranks(pictures)
    second = first.copy()
    second[list(places)] = ranks(captions)
    return np.asarray((1.0 - share) / (K + first) + share / (K + second), np.float32)


def standardise(scores: FloatArray) -> FloatArray:
    """Scores less their mean, in units of their standard deviation; zeros where all are alike."""
    spread = float(np.std(scores)) if len(scores) else 0.0
    return np.asarray((scores - np.mean(scores)) / spread if spread > 1e-9 else np.zeros(len(scores)), np.float32)


def ranks(scores: FloatArray) -> FloatArray:
    """The rank of each of ``scores`` ``[n]``, from 1; of equals the best."""
    rising = np.sort(scores)
    return np.asarray(1 + len(scores) - np.searchsorted(rising, scores, side="right"), np.float32)
