"""One pass of composers over a benchmark: every query ends as scored or as failed with a reason.

Protocol: scores are exact, over the benchmark's own gallery; ties count against the target. A query that fails counts
as a miss, so every mean is over all queries of the file, and nothing is gained by failing.

A composer is *not run* only where what it needs is not available at all: no image generator is chosen, a network or
the captioner cannot be loaded. A model that is loaded and does not answer fails the queries that need its answer,
wherever in the file they are. After a few failures in a row it is not called again: the remaining queries are scored
where all that they need is known already, and else fail with the same reason.

Queries are composed in blocks; features, captions, drawings and replies go to the catalog as they are made, so a run
that was killed continues where it was, and its report is that of an uninterrupted one.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import chunked, no_progress
from ipcir_tools.chains.composition.chain import Composed, compose_all
from ipcir_tools.chains.composition.derived_parts import require
from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import (
    CatalogError,
    EmptyGalleryError,
    InvalidRequestError,
    ModelUnavailableError,
    SpaceMismatchError,
)
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.metrics.violations import FIRST
from ipcir_tools.evaluation.reports.report import CAPTIONER_MADE, FUSED, MADE
from ipcir_tools.evaluation.runs.fusion_curve import Curve
from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery, load_gallery
from ipcir_tools.evaluation.runs.outcomes import Measured, Outcome
from ipcir_tools.evaluation.runs.ranking import Ranker
from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder
from ipcir_tools.evaluation.runs.verifying import verified_amount, verified_scores
from ipcir_tools.evaluation.runs.violations import truth_is_known
from ipcir_tools.text import one_line
from ipcir_tools.types import DEFAULT_COMPOSER, FloatArray, Probe, Verify

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.engine import Engine


BLOCK = 64
"""Queries composed at a time."""
TOP = 6
"""Hits that are kept for the report."""


class Run:
    """One pass over a benchmark."""

    def __init__(
        self,
        components: Components,
        benchmark: Benchmark,
        composers: Sequence[str],
        gallery: BenchmarkGallery,
        *,
        top: int = TOP,
        progress: Progress | None = None,
        curve: bool = True,
        verify: Verify = 0,
    ) -> None:
        """``gallery`` holds what the benchmark can find: see :func:`load_gallery` and :func:`run_on`. (Nine
        parameters, of which most callers give four.)

        With ``verify`` the default composer, or each that imagines where it is not among them, has a second outcome
        with so many first hits verified by the captioner.

        ``top`` is how many hits of a query are kept, and ``curve`` whether the fusion curve is measured where
        ``imagined+reference`` is one of the composers. Raises InvalidRequestError for an unknown composer.
        """
        self.seconds: Counter[str] = Counter(gallery.seconds)
        for name in composers:
            composer_named(name)
        self.components, self.benchmark, self.composers = components, benchmark, tuple(dict.fromkeys(composers))
        fused = (name for name in self.composers if curve and composer_named(name).name == FUSED)
        self.fused = next(fused, None)
        """The composer that the fusion curve belongs to."""
        self.recorder = ImaginationRecorder(lambda: components.imagine)
        self.top, self.progress = top, progress or no_progress
        self.verified = verified_amount(components, verify)
        """How many first hits are verified."""
        self.ranker = Ranker(benchmark)
        self._before = Counter(components.features.made)
        self.gallery = gallery
        self._ids = [gallery.ids.get(name, "") for name in benchmark.gallery]
        problems = {query.id: self.gallery.problem(query, benchmark) for query in benchmark.queries}
        self.unusable = {id_: why for id_, why in problems.items() if why}
        """Why queries cannot be scored, by id."""
        self.queries = [query for query in benchmark.queries if query.id not in self.unusable]
        """Those that can be scored."""

    @property
    def made(self) -> dict[str, int]:
        """What was really made in this run, by the names of :data:`MADE`.

        Where a chat model captions, what that cost too, by the names of :data:`CAPTIONER_MADE`.
        """
        made = self.components.features.made - self._before
        encoded = self.gallery.added + made["images"]
        counts = (self.recorder.calls_reported, made["captions"], encoded, made["texts"], made["drawings"])
        paid = {name: made[name] for name in CAPTIONER_MADE} if self._chat_captions else {}
        return dict(zip(MADE, counts, strict=True)) | paid

    @property
    def _chat_captions(self) -> bool:
        try:
            imagines = any(composer_named(name).imagines for name in self.composers)
            return imagines and self.components.captioner_id.startswith("chat:")
        except ModelUnavailableError:
            return False

    def measure(self, recorder: ImaginationRecorder | None = None) -> Measured:
        """Compose, score and rank every query under every composer; ``recorder`` imagines instead."""
        self.recorder = recorder or self.recorder
        outcomes = self.outcomes()
        found = Measured(self.benchmark, outcomes, self.unusable)
        with self.components.features.shared_failures():
            for block in self._blocks():
                for outcome in found.outcomes:
                    if not outcome.not_run and not outcome.verified:
                        self._block(block, outcome, found)
        for outcome in outcomes:
            self.without_captioner(outcome)
        return found

    def outcomes(self) -> list[Outcome]:
        """One for each composer, and one more where its first hits are also verified; nothing is measured yet."""
        return [
            Outcome(name, verified, not_run=self._missing_need(name) or (self._missing_verifier() if verified else ""))
            for name in self.composers
            for verified in ((0, self.verified) if name in self._verified_composers() else (0,))
        ]

    def _missing_verifier(self) -> str:
        try:
            self.components.verifier.require()
            _ = self.components.captioner
        except (ModelUnavailableError, InvalidRequestError) as error:
            return str(error)
        return ""

    def _verified_composers(self) -> Sequence[str]:
        if not self.verified:
            return ()
        names = [name for name in self.composers if composer_named(name).imagines]
        return [name for name in names if composer_named(name).name == DEFAULT_COMPOSER] or names

    def composed(self, composer: str) -> Iterator[list[tuple[Query, list[Composed]]]]:
        """Every query composed, block by block, as :meth:`compose`. Raises whatever the models raise."""
        for block in self._blocks():
            yield self.compose(block, composer)

    def _blocks(self) -> Iterator[list[Query]]:
        done = 0
        for block in chunked(self.queries, BLOCK):
            yield block
            done += len(block)
            self.progress("composing", done, len(self.queries))

    def _missing_need(self, composer: str) -> str:
        """What a composer needs and is not available, before anything is composed; empty where nothing is missing."""
        try:
            require(self.components, [composer_named(composer)])
        except (EmptyGalleryError, ModelUnavailableError, SpaceMismatchError) as error:
            return str(error)
        return ""

    def without_captioner(self, outcome: Outcome) -> None:
        """Not run, where every query needed a captioner that is not available. It is loaded only when needed."""
        why = self.components.features.captioner_error
        if why and outcome.failed and not outcome.top and composer_named(outcome.composer).imagines:
            outcome.not_run, outcome.failed = why, {}

    def _block(self, block: Sequence[Query], outcome: Outcome, found: Measured) -> None:
        with self.timed("composing"):
            done = self._composed(block, outcome)
        if not done:
            return
        queries, composed = [query for query, _ in done], [each for _, each in done]
        verified = next((each for each in found.outcomes if each.verified and each.composer == outcome.composer), None)
        self._note(done, outcome, found)
        with self.timed("ranking"):
            scores = self.scores([[each.probe for each in paraphrases] for paraphrases in composed])
            self._ranked(queries, scores, outcome)
        if verified is not None and not verified.not_run:
            verified.weight, verified.failed = outcome.weight, outcome.failed
            with self.timed("verifying"):
                self._ranked(
                    queries, self.verified_scores(queries, [first for first, *_ in composed], scores), verified
                )
        if outcome.composer == self.fused and not self.benchmark.hidden:
            with self.timed("curve"):
                self._curve(queries, composed, found.curve)

    # --- composing

    def _composed(self, block: Sequence[Query], outcome: Outcome) -> list[tuple[Query, list[Composed]]]:
        """The queries that could be composed, each with its paraphrases."""
        try:
            return self.compose(block, outcome.composer)
        except CatalogError:
            raise
        except Exception:  # noqa: BLE001 - a model may raise anything; the query that failed is found below
            pass
        return self._one_by_one(block, outcome)

    def _one_by_one(self, block: Sequence[Query], outcome: Outcome) -> list[tuple[Query, list[Composed]]]:
        done: list[tuple[Query, list[Composed]]] = []
        for query in block:
            try:
                done += self.compose([query], outcome.composer)
            except CatalogError:
                raise
            except Exception as error:  # noqa: BLE001 - as above; the report holds it
                outcome.failed[query.id] = one_line(f"{type(error).__name__}: {error}")
        return done

    def compose(self, block: Sequence[Query], composer: str) -> list[tuple[Query, list[Composed]]]:
        """One :class:`Composed` for each query's modification and paraphrases. Raises whatever the models raise."""
        texts = [(query, text) for query in block for text in (query.modification, *query.paraphrases)]
        # No weight is given: it is a parameter of the composer, and the spec in the report must be the whole truth.
        requests = [self._request(query, text, composer) for query, text in texts]
        composed = iter(self.compose_requests(requests))
        return [(query, [next(composed) for _ in (query.modification, *query.paraphrases)]) for query in block]

    def _request(self, query: Query, text: str, composer: str) -> ComposeRequest:
        ids = self.gallery.ids
        others = tuple(each.model_copy(update={"id": ids[each.id]}) for each in query.others)
        return ComposeRequest(ids[query.reference], text, composer, others=others, note=query.note)

    def compose_requests(self, requests: Sequence[ComposeRequest]) -> list[Composed]:
        """Requests in one batch, with the imaginations of this run. Raises whatever the models raise."""
        at_a_time = self.components.settings.llm_concurrency
        imagine = self.recorder.imagine
        return compose_all(requests, self.components, {"max_concurrency": at_a_time}, imagine=imagine)

    @staticmethod
    def _note(done: Sequence[tuple[Query, list[Composed]]], outcome: Outcome, found: Measured) -> None:
        for query, (first, *_) in done:
            outcome.weight = first.weight if "weight" in composer_named(outcome.composer).parameters else None
            if first.imagination is not None:
                found.imagined[query.id] = first.caption, first.imagination

    # --- scoring

    def verified_scores(self, queries: Sequence[Query], composed: Sequence[Composed], scores: FloatArray) -> FloatArray:
        """``scores`` ``[queries, gallery]`` with the first hits of each query as the captioner orders them."""
        verifier = self.components.verifier
        return verified_scores(verifier, self.ranker, self.gallery, queries, composed, scores, self.verified)

    def _ranked(self, queries: Sequence[Query], scores: FloatArray, outcome: Outcome) -> None:
        known = [i for i, query in enumerate(queries) if query.targets]
        some = scores if len(known) == len(queries) else scores[known]
        for scored in self.ranker.rank([queries[i] for i in known], some):
            outcome.scored[scored.query] = scored
        judged = truth_is_known(self.benchmark)
        for query, names in zip(
            queries, self.ranker.top(queries, scores, max(self.top, FIRST) if judged else self.top), strict=True
        ):
            readable = tuple(name for name in names if name in self.gallery.ids)
            outcome.top[query.id] = readable[: self.top]
            outcome.first |= {query.id: readable[:FIRST]} if judged else {}
        if all(query.subset for query in queries):
            for query, names in zip(queries, self.ranker.top_of_subset(queries, scores, 3), strict=True):
                outcome.top_of_subset[query.id] = names

    def scores(self, probes: Sequence[Sequence[Probe]]) -> FloatArray:
        """Scores ``[queries, gallery]``; the mean over a query's paraphrases."""
        flat = [probe for paraphrases in probes for probe in paraphrases]
        rows = np.empty((len(flat), len(self.gallery.matrix)), np.float32)
        linear = [i for i, probe in enumerate(flat) if probe.rescore is None]
        if linear:
            rows[linear] = np.stack([flat[i].vector for i in linear]) @ self.gallery.matrix.T
        for i, probe in enumerate(flat):
            if probe.rescore is not None:
                rows[i] = probe.score(self.gallery.matrix)
        rows = self.gallery.scores(rows)
        for i, probe in enumerate(flat):
            if probe.rescore_by_id is not None:
                rows[i] = probe.rescore_by_id(rows[i], self._ids)
        if len(flat) > len(probes):
            ends = np.cumsum([0, *(len(paraphrases) for paraphrases in probes)])
            rows = np.stack([rows[a:b].mean(axis=0) for a, b in itertools.pairwise(ends)])
        return rows

    def _curve(self, queries: Sequence[Query], composed: Sequence[Sequence[Composed]], curve: Curve) -> None:
        counts = [len(paraphrases) for paraphrases in composed]
        flat = [each for paraphrases in composed for each in paraphrases]
        texts = [each.text for each in flat if each.text is not None]
        images = [each.image for each in flat if each.image is not None]

        def rank(probes: Sequence[Probe]) -> list[Scored]:
            each = iter(probes)
            return self.ranker.rank(queries, self.scores([[next(each) for _ in range(n)] for n in counts]))

        curve.add(queries, texts, images, flat[0].parts.calibration.image_scale, rank)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Counts the seconds of what is done in it as those of ``part``."""
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began  # type: ignore[assignment]


def run_on(
    engine: Engine,
    benchmark: Benchmark,
    composers: Sequence[str],
    *,
    top: int = TOP,
    progress: Progress | None = None,
    verify: Verify = 0,
) -> Run:
    """A run over a benchmark's pictures, which are brought into the gallery of ``engine`` first.

    Raises InvalidRequestError for an unknown composer.
    """
    for name in composers:
        composer_named(name)
    gallery = load_gallery(engine, benchmark, progress or no_progress)
    return Run(engine.components, benchmark, composers, gallery, top=top, progress=progress, verify=verify)
