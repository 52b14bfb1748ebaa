"""The engine: owns the catalog, the gallery and the models, and answers searches as turns."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack
from uuid import uuid4

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.composers import fusion
from ipcir_tools.engine.components import Components
from ipcir_tools.engine.confidence import Background
from ipcir_tools.engine.ranking import _cosine, without_copies
from ipcir_tools.engine.references import Reference, hit_id
from ipcir_tools.engine.turn import prompt_behind
from ipcir_tools.engine.validation import (
    check_judged,
    check_k,
    checked_query,
    checked_text,
    default_options,
    refined_options,
)
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError, NotFoundError
from ipcir_tools.search_options import SearchKeywords, SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.indexing import index_folders
from ipcir_tools.types import ComposedQuery, FloatArray, Hit, ImageRecord, IndexReport, Probe, SearchResult, Turn, Where

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from PIL import Image

    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.composition.requests import ComposeRequest
    from ipcir_tools.chains.imagination.results import Imagination
    from ipcir_tools.models.encoder import Encoder


def _options(options: SearchOptions | None, keywords: SearchKeywords) -> SearchOptions:
    return (options or SearchOptions()).updated(**keywords)


class Engine(Components):
    """Composed image search over one home folder. Safe for many threads; models load when first needed.

    Searches raise the typed errors of :mod:`ipcir_tools.errors`. A reference is a string that an agent may name, or a
    ``Path`` or PIL image from a program, which is trusted: see :mod:`ipcir_tools.engine.references`.
    """

    def __init__(self, settings: Settings, catalog: Catalog, gallery: Gallery) -> None:
        super().__init__(settings, catalog)
        self.gallery = gallery
        self.background = Background(catalog, self.features)

    @classmethod
    def open(cls, settings: Settings | None = None, progress: Progress | None = None) -> Self:
        """Open the home folder; a damaged or lagging index is repaired from the catalog, without encoding anything."""
        settings = settings or Settings()
        home = settings.home.expanduser().absolute()
        catalog = Catalog.open(home)
        return cls(settings, catalog, Gallery.open(catalog, home / "index", progress))

    def close(self) -> None:
        """Let go of the files."""
        self.gallery.close()
        self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def index(self, paths: Sequence[Path], progress: Progress | None = None) -> IndexReport:
        """Put the pictures in files and folders into the gallery; see :func:`index_folders`."""
        self.check_space()
        report = index_folders(
            paths,
            catalog=self.catalog,
            gallery=self.gallery,
            encoder=self._noted_encoder,
            settings=self.settings,
            progress=progress,
        )
        if self.catalog.space() is not None:
            self.note_models()
        return report

    def _noted_encoder(self) -> Encoder:
        """The encoder, with its name written down before its first feature is: a run may be killed at any moment."""
        encoder = self.encoder
        self.note_models()
        return encoder

    # --- searches: each is stored as a turn

    def search(
        self,
        reference: Reference,
        modification: str,
        options: SearchOptions | None = None,
        *,
        config: RunnableConfig | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Find pictures like the reference, but as the modification says; the root of a dialogue.

        ``options`` and ``keywords`` say how to search: :class:`SearchOptions`; a keyword replaces the option's field.
        """
        return self.take_turn(None, modification, _options(options, keywords), reference=reference, config=config)

    def find(
        self,
        text: str,
        options: SearchOptions | None = None,
        *,
        config: RunnableConfig | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Find pictures by words alone; a root too, from which a hit can be picked as the reference."""
        return self.take_turn(None, checked_text(text, "text"), _options(options, keywords), config=config)

    def refine(
        self,
        turn: str,
        modification: str = "",
        options: SearchOptions | None = None,
        *,
        reference: Reference | None = None,
        liked: Sequence[Reference] = (),
        disliked: Sequence[Reference] = (),
        imagination: Imagination | None = None,
        config: RunnableConfig | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Build on an earlier turn: a further edit, another reference, feedback, or all at once.

        ``reference``, ``liked`` and ``disliked`` are ids, or ranks in that turn's hits ("3"). Options that are not
        given are that turn's, except ``rerank``. Refining one turn twice makes a branch.
        """
        return self.take_turn(
            turn, modification, _options(options, keywords),
            reference=reference, liked=liked, disliked=disliked, imagination=imagination, config=config,
        )  # fmt: skip

    def take_turn(
        self,
        turn: str | None,
        modification: str,
        options: SearchOptions,
        *,
        reference: Reference | None = None,
        liked: Sequence[Reference] = (),
        disliked: Sequence[Reference] = (),
        imagination: Imagination | None = None,
        config: RunnableConfig | None = None,
    ) -> SearchResult:
        """The next turn of a dialogue, stored: a refinement of ``turn``, or a new search where it is None.

        Every way to search comes here: ``search``, ``find``, ``refine`` and the retriever; the dialogue graph takes the
        same steps, ``prepare`` and ``answer``, in nodes of its own.
        """
        began = time.perf_counter()
        self._require_gallery()
        path = self.catalog.path(turn) if turn is not None else ()
        query, pixels = self.prepare(path, modification, options, reference=reference, liked=liked, disliked=disliked)
        return self._stored(
            self.answer(query, path, pixels=pixels, imagination=imagination, config=config, began=began)
        )

    def prepare(
        self,
        path: Sequence[Turn],
        modification: str,
        options: SearchOptions,
        *,
        reference: Reference | None = None,
        liked: Sequence[Reference] = (),
        disliked: Sequence[Reference] = (),
    ) -> tuple[ComposedQuery, dict[str, Image.Image]]:
        """The query of a refinement of the last turn of ``path``, or of a new search where it is empty.

        With it come the pixels, by id, of its images that had to be opened.
        """
        if path:
            return self.prepare_refinement(
                path[-1], modification, options, reference=reference, liked=liked, disliked=disliked
            )
        if liked or disliked:
            raise InvalidRequestError(
                "Only an earlier answer can be judged: search first, then pass its `turn` beside what is liked or not."
            )
        return self.prepare_search(reference, modification, options)

    def prepare_search(
        self, reference: Reference | None, modification: str, options: SearchOptions
    ) -> tuple[ComposedQuery, dict[str, Image.Image]]:
        """The query of a new search, and the reference's pixels by id where it had to be opened."""
        text = checked_text(modification)
        record, pixels = self.resolve(reference) if reference is not None else (None, {})
        options = options.or_else(default_options(self.settings))
        query = checked_query(record.id if record else None, text, options)
        self.catalog.remember([record] if record else [])
        return query, pixels

    def prepare_refinement(
        self,
        parent: Turn,
        modification: str,
        options: SearchOptions,
        *,
        reference: Reference | None = None,
        liked: Sequence[Reference] = (),
        disliked: Sequence[Reference] = (),
    ) -> tuple[ComposedQuery, dict[str, Image.Image]]:
        """The query of a refinement, and those of its pictures that had to be opened, by id."""
        check_judged(liked, disliked)
        if not (modification.strip() or reference or liked or disliked):
            raise InvalidRequestError(
                "The modification is empty, and nothing else is given to refine by: say what should be different, "
                'such as "make it blue", or name a reference, or what is liked or disliked.'
            )
        last, pixels, records = parent.query, dict[str, "Image.Image"](), list[ImageRecord]()

        def resolved_id(named: Reference) -> str:
            record, opened = self.resolve(hit_id(named, parent))
            records.append(record)
            pixels.update(opened)
            return record.id

        chosen = resolved_id(reference) if reference else last.reference
        if reference and chosen == last.reference and not (modification.strip() or liked or disliked):
            raise InvalidRequestError(f"{chosen} is the reference already: start over from it with a new search.")
        query = checked_query(
            chosen,
            checked_text(modification) if modification.strip() else "",
            options.or_else(refined_options(last, self.settings)),
            liked=tuple(dict.fromkeys(map(resolved_id, liked))),
            disliked=tuple(dict.fromkeys(map(resolved_id, disliked))),
        )
        self.catalog.remember(records)
        return query, pixels

    def answer(
        self,
        query: ComposedQuery,
        path: Sequence[Turn],
        *,
        pixels: Mapping[str, Image.Image] | None = None,
        imagination: Imagination | None = None,
        composed: Composed | None = None,
        config: RunnableConfig | None = None,
        began: float | None = None,
    ) -> SearchResult:
        """Answer a query that builds on the turns of ``path``, without storing the answer.

        ``imagination`` and ``composed`` are used where they are there already.
        """
        from ipcir_tools.chains.composition.requests import request_of

        began = time.perf_counter() if began is None else began
        request = request_of(query, path, pixels, imagination)
        composed = composed or self.compose.invoke(request, config)
        searching = time.perf_counter()
        found, copies = self._hits(query, request, composed)
        judging = time.perf_counter()
        imagined, judged = composed.imagination, self.reranked(query, found, request, composed.imagination, config)
        ended, counts = time.perf_counter(), Counter(composed.counts)
        surprise = None
        if composed.parts.imagined is not None:  # other texts fit pictures otherwise than captions do
            surprise = self.background.surprise([hit.text_score for hit in judged.hits], counts, encode=not path)
        turn = Turn(
            id="t" + uuid4().hex[:11],
            parent=path[-1].id if path else None,
            query=query,
            reference_source=self._source(query.reference),
            caption=composed.caption,
            imagined=imagined.target if imagined else None,
            hits=judged.hits,
            prompt=prompt_behind(imagined, path),
            models=self.models_used(composed, judged),
            created=datetime.now(UTC).isoformat(),
        )
        timings = {**composed.timings, "search": judging - searching, "total": time.perf_counter() - began}
        if query.rerank:
            timings["rerank"], counts["rerank_calls"] = ended - judging, judged.calls
        warnings = (*(imagined.warnings if imagined else ()), *judged.warnings)
        return SearchResult(
            turn=turn, timings=timings, counts=dict(counts), warnings=warnings, near_copies=copies, surprise=surprise
        )

    def _stored(self, result: SearchResult) -> SearchResult:
        self.catalog.put_turn(result.turn)
        return result

    def _require_gallery(self) -> None:
        if not self.catalog.size():
            raise EmptyGalleryError(
                f"The gallery in {self.settings.home} is empty: put pictures into it first with `ipcir index FOLDER`, "
                "or name another --home."
            )
        self.check_space()

    def _source(self, reference: str | None) -> str | None:
        record = self.catalog.records([reference]).get(reference) if reference else None
        return record.source if record else None

    def _hits(self, query: ComposedQuery, request: ComposeRequest, composed: Composed) -> tuple[tuple[Hit, ...], int]:
        """The ranking without the reference, its near-copies and what was just judged; and the copies' number."""
        image = composed.image  # one that was not needed is not made for this
        if image is None and query.reference is not None:
            image = self._known([query.reference]).get(query.reference)
        rank = partial(self.gallery.nearest, composed.probe, where=query.where, exclude=request.left_out)
        k, threshold = max(query.k, query.rerank), self.settings.duplicates
        ranking, copies = without_copies(rank, self._known, k, image, threshold)
        return self._described(ranking, composed.image, composed.text), copies

    def _known(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        return self.catalog.features(ids, self.features.space)

    def _described(
        self, ranking: Sequence[tuple[str, float]], image: FloatArray | None = None, text: FloatArray | None = None
    ) -> tuple[Hit, ...]:
        ids = [id_ for id_, _ in ranking]
        vectors, records, captions = self._known(ids), self.catalog.records(ids), self.features.known_captions(ids)
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

    def fused_search(
        self, weights: Mapping[str, float], *, k: int | None = None, where: Where | None = None
    ) -> tuple[Hit, ...]:
        """Search with the weighted sum of features, by handle; weights may be negative. No turn is kept."""
        self._require_gallery()
        k = self.settings.k if k is None else k
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
        return self._described(self.gallery.nearest(Probe(vector), k, where, exclude=set(weights)))
