"""The hits of a query: the gallery's ranking without the reference, near-copies folded, each hit with its scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.composers import fusion
from ipcir_tools.engine.hit_files import HitFile, files_of, files_to_show
from ipcir_tools.engine.near_copies import Different, LeftOut, different_pictures
from ipcir_tools.engine.validation import check_k
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.store.catalog import ShownFacts
from ipcir_tools.types import ComposedQuery, FloatArray, Hit, Probe, Where

if TYPE_CHECKING:
    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.composition.requests import ComposeRequest
    from ipcir_tools.engine.components import Components
    from ipcir_tools.store.index import Gallery


@dataclass(frozen=True)
class RankedHits:
    """The hits of a query, and how many pictures above the last of them were left out."""

    hits: tuple[Hit, ...]
    copies: int = 0
    """Near-copies of a reference."""
    gone: int = 0
    """Pictures whose files are gone, where the settings leave them out."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The files, or other origins, of the query's references that the catalog knows, by id."""


class HitRanker:
    """Ranks the gallery by a probe and describes the hits."""

    def __init__(self, components: Components, gallery: Gallery) -> None:
        self._components, self._gallery = components, gallery

    def hits(self, query: ComposedQuery, request: ComposeRequest, composed: Composed, amount: int) -> RankedHits:
        """``amount`` hits that look different, without references, what was just judged, and near-copies of either."""
        references = [each.id for each in query.references]
        known = _Known(self.known)
        known.of([*references, *composed.left_out])  # one that was not needed is not made here
        rank = partial(self._gallery.nearest, composed.probe, where=query.where, exclude=composed.left_out)
        left_out = LeftOut(
            references=known.some(references),
            others=known.some(sorted(composed.left_out.difference(references))),
            gone=partial(self._gone, where=query.where),
        )
        found = different_pictures(rank, known.of, amount, left_out, self._components.settings.duplicates)
        facts = self._facts([*references, *(each.id for each in found.pictures)])
        hits = self._described(found.pictures, facts, known, query.where, composed.image, composed.text)
        sources = {id_: facts[id_].source for id_ in references if id_ in facts}
        return RankedHits(hits, found.copies, found.gone, sources)

    def fused_hits(self, weights: Mapping[str, float], k: int | None, where: Where | None) -> tuple[Hit, ...]:
        """The hits of the weighted sum of features, by handle; the summands are left out.

        Raises InvalidRequestError where nothing can be searched by, and NotFoundError for an unknown handle.
        """
        k = self._components.settings.k if k is None else k
        check_k(k)
        if not weights or not all(map(math.isfinite, weights.values())):
            raise InvalidRequestError("There is nothing to search by: give at least one handle with a finite weight.")
        known = _Known(self.known)
        vectors = known.of(list(weights))
        if unknown := [handle for handle in weights if handle not in vectors]:
            raise unknown_handle(unknown[0])
        vector = fusion.weighted_sum(np.stack([vectors[handle] for handle in weights]), np.array([*weights.values()]))
        if not vector.any():
            raise InvalidRequestError("The weighted vectors cancel each other out: give one of them another weight.")
        if where:
            self._gallery.check_filter(where, tell_folders=self._components.settings.show_paths != "name")
        rank = partial(self._gallery.nearest, Probe(vector), where=where, exclude=set(weights))
        threshold = self._components.settings.duplicates
        left_out = LeftOut(gone=partial(self._gone, where=where))
        found = different_pictures(rank, known.of, k, left_out, threshold).pictures
        return self._described(found, self._facts([each.id for each in found]), known, where)

    def known(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        """The features ``[d]`` that there are: of the gallery's pictures from memory, of others from the catalog."""
        wanted = list(ids)
        found = self._gallery.vectors(wanted)
        return found | self._components.features.stored([id_ for id_ in wanted if id_ not in found])

    def _facts(self, ids: Sequence[str]) -> dict[str, ShownFacts]:
        return self._components.catalog.shown_facts(ids, self._components.captioner_id)

    def _gone(self, ids: Sequence[str], where: Where | None) -> set[str]:
        if not self._components.settings.existing:
            return set()
        return {id_ for id_, file in self._files(ids, where).items() if file.gone}

    def _files(self, ids: Sequence[str], where: Where | None) -> dict[str, HitFile]:
        return files_to_show(self._components.catalog, ids, where, self._components.captioner_id)

    def _described(
        self,
        ranking: Sequence[Different],
        facts: Mapping[str, ShownFacts],
        known: _Known,
        where: Where | None,
        image: FloatArray | None = None,
        text: FloatArray | None = None,
    ) -> tuple[Hit, ...]:
        ids = [each.id for each in ranking]
        shown = {id_: facts[id_] for id_ in ids if id_ in facts}
        for id_ in (each for each in ids if each not in shown):  # no record is ever deleted
            self._components.catalog.damage.add("pictures", (id_,), "it is missing")
        files = files_of(shown, self._components.catalog, where, self._components.captioner_id)
        vectors = known.of(ids)
        return tuple(
            Hit(
                id=each.id,
                rank=rank,
                score=each.score,
                image_score=_cosine(vectors[each.id], image),
                text_score=_cosine(vectors[each.id], text),
                source=files[each.id].source,
                gone=files[each.id].gone,
                alike=each.alike,
                caption=files[each.id].caption,
            )
            for rank, each in enumerate((each for each in ranking if each.id in files), start=1)
        )


class _Known:
    """The features ``[d]`` that one search asks for, each read once."""

    def __init__(self, read: Callable[[Sequence[str]], Mapping[str, FloatArray]]) -> None:
        self._read = read
        self._found: dict[str, FloatArray] = {}
        self._asked: set[str] = set()

    def of(self, ids: Sequence[str]) -> Mapping[str, FloatArray]:
        """All that were found so far, those of ``ids`` among them."""
        if new := [id_ for id_ in ids if id_ not in self._asked]:
            self._asked.update(new)
            self._found.update(self._read(new))
        return self._found

    def some(self, ids: Sequence[str]) -> list[FloatArray]:
        """Those of ``ids`` that there are."""
        found = self.of(ids)
        return [found[id_] for id_ in ids if id_ in found]


def unknown_handle(handle: str) -> NotFoundError:
    """The error for a handle of no vector."""
    return NotFoundError(
        f"There is no vector {handle[:60]!r}: take handles that `encode` gave, or whole ids of pictures in the gallery."
    )


def _cosine(a: FloatArray, b: FloatArray | None) -> float | None:
    return None if b is None else float(a @ b)
