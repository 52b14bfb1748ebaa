"""The hits of a query: the gallery's ranking without the reference and its near copies, each hit with its scores.

A near copy is a reference saved again, resized or cropped a little: it answers no modification.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.composers import fusion
from ipcir_tools.engine.validation import check_k
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.types import ComposedQuery, FloatArray, Hit, Probe, Where

if TYPE_CHECKING:
    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.composition.requests import ComposeRequest
    from ipcir_tools.engine.components import Components
    from ipcir_tools.store.index import Gallery


WIDER = 4
"""By how much a search is widened that copies left short."""

Ranking = list[tuple[str, float]]
"""Ids with their scores, best first."""


class HitRanker:
    """Ranks the gallery by a probe and describes the hits."""

    def __init__(self, components: Components, gallery: Gallery) -> None:
        self._components, self._gallery = components, gallery

    def hits(
        self, query: ComposedQuery, request: ComposeRequest, composed: Composed, amount: int
    ) -> tuple[tuple[Hit, ...], int]:
        """``amount`` hits without references, near copies and what was just judged; and the number of copies."""
        references = self._known([each.id for each in query.references])  # one that was not needed is not made here
        rank = partial(self._gallery.nearest, composed.probe, where=query.where, exclude=composed.left_out)
        threshold = self._components.settings.duplicates
        ranking, copies = without_copies(rank, self._known, amount, [*references.values()], threshold)
        return self._described(ranking, composed.image, composed.text), copies

    def fused_hits(self, weights: Mapping[str, float], k: int | None, where: Where | None) -> tuple[Hit, ...]:
        """The hits of the weighted sum of features, by handle; the summands are left out.

        Raises InvalidRequestError where nothing can be searched by, and NotFoundError for an unknown handle.
        """
        k = self._components.settings.k if k is None else k
        check_k(k)
        if not weights or not all(map(math.isfinite, weights.values())):
            raise InvalidRequestError("There is nothing to search by: give at least one handle with a finite weight.")
        vectors = self._known(weights)
        if unknown := [handle for handle in weights if handle not in vectors]:
            raise NotFoundError(
                f"There is no vector {unknown[0][:60]!r}: "
                "take handles that `encode` gave, or whole ids of pictures in the gallery."
            )
        vector = fusion.weighted_sum(np.stack([vectors[handle] for handle in weights]), np.array([*weights.values()]))
        if not vector.any():
            raise InvalidRequestError("The weighted vectors cancel each other out: give one of them another weight.")
        if where:
            self._gallery.check_filter(where)
        return self._described(self._gallery.nearest(Probe(vector), k, where, exclude=set(weights)))

    def _known(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        return self._components.catalog.features(ids, self._components.features.space)

    def _described(
        self, ranking: Sequence[tuple[str, float]], image: FloatArray | None = None, text: FloatArray | None = None
    ) -> tuple[Hit, ...]:
        ids = [id_ for id_, _ in ranking]
        records, captions = self._components.catalog.records(ids), self._components.features.known_captions(ids)
        vectors = self._known(ids)
        return tuple(
            Hit(
                id=id_,
                rank=rank,
                score=score,
                image_score=_cosine(vectors[id_], image),
                text_score=_cosine(vectors[id_], text),
                source=records[id_].source,
                caption=captions.get(id_),
            )
            for rank, (id_, score) in enumerate(ranking, start=1)
        )


def without_copies(
    rank: Callable[[int], Ranking],
    features: Callable[[Sequence[str]], Mapping[str, FloatArray]],
    k: int,
    references: Sequence[FloatArray],
    threshold: float | None,
) -> tuple[Ranking, int]:
    """The ``k`` best of a ranking that are no near copies of ``references``, and how many copies they passed.

    ``rank`` gives the first n of the ranking, ``features`` their unit-norm features ``[d]`` by id, as ``references``
    are. A copy is an image whose cosine with a reference is at least ``threshold``; where there is neither, none is.
    """
    if not references or threshold is None:
        return rank(k), 0
    originals = np.stack(references)
    breadth = k
    while True:
        ranking = rank(breadth)
        vectors = features([id_ for id_, _ in ranking])
        places = [i for i, (id_, _) in enumerate(ranking) if (originals @ vectors[id_]).max() < threshold]
        if len(places) >= k or len(ranking) < breadth:
            break
        breadth *= WIDER
    kept = places[:k]
    passed = kept[-1] + 1 if len(places) >= k else len(ranking)
    return [ranking[i] for i in kept], passed - len(kept)


def _cosine(a: FloatArray, b: FloatArray | None) -> float | None:
    return None if b is None else float(a @ b)
