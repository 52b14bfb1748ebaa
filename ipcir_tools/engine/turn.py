"""One turn: from a query to the result that is stored."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from ipcir_tools.engine.verification import HitVerifier, VerifiedHits
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.store.search_parts import timing_parts
from ipcir_tools.text import excerpt
from ipcir_tools.types import ComposedQuery, Hit, SearchResult, Turn

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from PIL import Image

    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.composition.requests import ComposeRequest
    from ipcir_tools.chains.imagination.results import Imagination
    from ipcir_tools.chains.reranking.results import RerankResult
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.confidence import Background
    from ipcir_tools.engine.ranking import HitRanker


NONE_LEFT = "the filter {} leaves no picture: loosen it"
SAME_DESCRIPTION = "the edit left the description as it was, so that the first hit of the turn before is left out"
GONE = "pictures left out because their files are gone: {}"


class TurnMaker:
    """Answers queries: composes, ranks, verifies, reranks, and describes how the answer was made."""

    def __init__(self, components: Components, ranker: HitRanker, background: Background) -> None:
        self._components, self._ranker, self._background = components, ranker, background
        self._verification = HitVerifier(components, ranker.known)
        self._said_read_only = False

    def check(self, query: ComposedQuery) -> None:
        """Raises InvalidRequestError where the query asks for what these models can never do."""
        self._verification.check(query)

    def answer(
        self,
        query: ComposedQuery,
        path: Sequence[Turn],
        *,
        pixels: Mapping[str, Image.Image] | None = None,
        composed: Composed | None = None,
        config: RunnableConfig | None = None,
        began: float | None = None,
    ) -> SearchResult:
        """The result of a query that builds on the turns of ``path``; it is not stored.

        ``pixels`` are the images that are open, by id; ``composed`` is used where it is there already; ``began`` is
        when the work on the query began, by ``time.perf_counter``.
        """
        from ipcir_tools.chains.composition.requests import request_of

        began = time.perf_counter() if began is None else began
        request = request_of(query, path, pixels)
        composed = composed or self._components.compose.invoke(request, config)
        searching = time.perf_counter()
        amount = self._verification.amount(query, request, composed)
        with timing_parts() as parts:
            ranked = self._ranker.hits(query, request, composed, max(query.k, amount, query.rerank))
        verifying = time.perf_counter()
        verified = self._verification.verify(query, amount, ranked.hits, request, composed, config)
        judging = time.perf_counter()
        imagined = composed.imagination
        judged = self._reranked(query, verified.hits, request, imagined, config)
        ended, counts = time.perf_counter(), Counter({**composed.counts, **verified.counts})
        surprise = None
        if composed.parts.imagined is not None:  # other texts fit pictures otherwise than captions do
            surprise = self._background.surprise([hit.text_score for hit in judged.hits], counts, encode=not path)
        sources = tuple(ranked.sources.get(each.id, "") for each in query.references)
        turn = Turn(
            id="t" + uuid4().hex[:11],
            parent=path[-1].id if path else None,
            query=query,
            reference_source=(sources[0] or None) if sources else None,
            other_sources=sources[1:],
            caption=composed.caption,
            imagined=imagined.target if imagined else None,
            hits=judged.hits,
            prompt=prompt_behind(imagined, path),
            models=self._models_used(composed, verified, judged),
            created=datetime.now(UTC).isoformat(),
        )
        candidates = parts.get("candidates", 0.0)
        timings = {
            **composed.timings,
            "candidates": candidates,
            "rescoring": parts.get("nearest", 0.0) - candidates,
            "search": verifying - searching,
            "total": time.perf_counter() - began,
        }
        if amount:
            timings["verify"] = judging - verifying
        if query.rerank:
            timings["rerank"], counts["rerank_calls"] = ended - judging, judged.calls
        repeated = (SAME_DESCRIPTION,) if composed.left_out - request.left_out else ()
        gone = (GONE.format(ranked.gone),) if ranked.gone else ()
        damage = self._components.catalog.damage.lines()
        said = (*(imagined.warnings if imagined else ()), *self._read_only_once(), *damage)
        empty = (NONE_LEFT.format(excerpt(json.dumps(query.where), 160)),) if query.where and not judged.hits else ()
        warnings = (*said, *composed.warnings, *empty, *repeated, *gone, *verified.warnings, *judged.warnings)
        return SearchResult(
            turn=turn,
            timings=timings,
            counts=dict(counts),
            warnings=warnings,
            near_copies=ranked.copies,
            surprise=surprise,
        )

    def _read_only_once(self) -> tuple[str, ...]:
        """That turns are kept elsewhere; empty where they are not, and after the first turn."""
        catalog, said = self._components.catalog, self._said_read_only
        self._said_read_only = True
        if catalog.read_only is None or said:
            return ()
        return (f"the gallery in {catalog.read_only} cannot be written: turns are kept in {catalog.folder}",)

    def _reranked(
        self,
        query: ComposedQuery,
        hits: tuple[Hit, ...],
        request: ComposeRequest,
        imagination: Imagination | None,
        config: RunnableConfig | None,
    ) -> RerankResult:
        """The ``query.k`` best hits, reordered by a vision model where the query wants that."""
        from ipcir_tools.chains.reranking.results import RerankRequest, RerankResult
        from ipcir_tools.chains.reranking.sheet_reader import ORDER_UNCHANGED

        if not query.rerank:
            return RerankResult(hits[: query.k])
        words = request.words
        to_judge = RerankRequest(
            hits=hits[: query.rerank],
            load_image=partial(self._components.load_image, request.pixels),
            modification=" ".join([*words[-1:], *_notes(query)]),
            reference=request.reference,
            others=tuple(each.id for each in request.others),
            description=imagination.target.description if imagination else "",
            history=words[:-1],
        )
        try:
            judged = self._components.rerank.invoke(to_judge, config)
        except ModelUnavailableError as error:
            judged = RerankResult(to_judge.hits, warnings=(f"{error}; {ORDER_UNCHANGED}",))
        return replace(judged, hits=(*judged.hits, *hits[query.rerank :])[: query.k])

    def _models_used(self, composed: Composed, verified: VerifiedHits, judged: RerankResult) -> dict[str, str]:
        """The models behind one composition and the order of its hits, by part."""
        used = {"encoder": self._components.features.space}
        if composed.imagination is not None:
            used["captioner"] = self._components.captioner_id
            used["imaginer"] = self._imaginer_of(composed.imagination)
        if verified.verifier is not None:
            used["verifier"] = verified.verifier
        if judged.prompt is not None:
            used["reranker"] = f"{self._components.reranker} ({judged.prompt})"
        return used

    def _imaginer_of(self, imagination: Imagination) -> str:
        if imagination.target.origin == "person":
            return "person"
        if imagination.target.origin != "llm":
            return "rules"
        return imagination.model or self._components.settings.llm or "rules"


def _notes(query: ComposedQuery) -> list[str]:
    """What is meant of each of several references, for a model that sees them by number."""
    noted = [f"{i}: {each.note}" for i, each in enumerate(query.references, start=1) if each.note]
    return [f"(of reference {'; of reference '.join(noted)})"] if noted and query.others else []


def prompt_behind(imagined: Imagination | None, path: Sequence[Turn]) -> str | None:
    """The prompt behind an imagination; where the target is the turn's before, that turn's prompt."""
    if imagined is None or imagined.prompt is not None or not path:
        return imagined.prompt if imagined else None
    return path[-1].prompt if imagined.target == path[-1].imagined else None
