"""One pass of composers over a benchmark: every query ends as scored or as failed with a reason.

Protocol: scores are exact, over the benchmark's own gallery; ties count against the target. A query that fails counts
as a miss, so every mean is over all queries of the file, and nothing is gained by failing.

A composer is *not run* only where what it needs cannot be had at all: no image generator is chosen, a network or the
captioner cannot be loaded. A model that is there and does not answer fails the queries that need its answer,
wherever in the file they stand. After a few failures in a row it is asked nothing more: the queries that are left
are scored where all that they need is known already, and else fail with the same reason.

Queries are composed in blocks; features, captions, drawings and replies go to the catalog as they are made, so a run
that was killed goes on where it was, and its report is that of an uninterrupted one.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from ipcir_tools.batches import no_progress
from ipcir_tools.chains.composition.chain import Composed, compose_all
from ipcir_tools.chains.composition.derived_parts import require
from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import CatalogError, ModelUnavailableError, SpaceMismatchError
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.reports.report import CAPTIONER_MADE, FUSED, MADE
from ipcir_tools.evaluation.runs.fusion_curve import Curve
from ipcir_tools.evaluation.runs.gallery import Stock, stocked
from ipcir_tools.evaluation.runs.ranking import Ranker
from ipcir_tools.evaluation.runs.recorder import AskedOnce
from ipcir_tools.text import one_line
from ipcir_tools.types import FloatArray, Probe

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.engine import Engine


BLOCK = 64
"""Queries composed at a time."""
TOP = 6
"""Hits that are kept for the report."""


@dataclass
class Outcome:
    """What one composer made of the queries, by their ids."""

    composer: str
    weight: float | None = None
    not_run: str = ""
    scored: dict[str, Scored] = field(default_factory=dict)
    top: dict[str, tuple[str, ...]] = field(default_factory=dict)
    top_of_subset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Why, of those that failed under this composer alone."""


@dataclass
class Measured:
    """All that a run found, before it is put into a report."""

    benchmark: Benchmark
    outcomes: list[Outcome]
    faults: dict[str, str]
    """Why queries failed before any composer saw them."""
    imagined: dict[str, str] = field(default_factory=dict)
    """The imagined descriptions by query."""
    origins: dict[str, str] = field(default_factory=dict)
    curve: Curve = field(default_factory=Curve)


class Run:
    """One pass over a benchmark."""

    def __init__(
        self,
        engine: Components,
        benchmark: Benchmark,
        composers: Sequence[str],
        *,
        top: int = TOP,
        progress: Progress | None = None,
        stock: Stock | None = None,
    ) -> None:
        """``stock`` is what is at hand; None: the benchmark's pictures, brought into the gallery of an ``Engine``."""
        self.seconds: Counter[str] = Counter()
        for name in composers:
            composer_named(name)
        self.engine, self.benchmark, self.composers = engine, benchmark, tuple(dict.fromkeys(composers))
        self.fused = next((name for name in self.composers if composer_named(name).name == FUSED), None)
        self.asked_once = AskedOnce(engine)
        self._top, self._progress = top, progress or no_progress
        self.ranker = Ranker(benchmark)
        self._before = Counter(engine.features.made)
        with self._timed("pictures"):
            self.stock: Stock = stock or stocked(cast("Engine", engine), benchmark, self._progress)
        self.faults = {query.id: why for query in benchmark.queries if (why := self.stock.fault(query, benchmark))}
        """Why queries cannot be scored, by id."""
        self.asked = [query for query in benchmark.queries if query.id not in self.faults]

    @property
    def made(self) -> dict[str, int]:
        """What was really made in this run, by the names of :data:`MADE`.

        Where a chat model captions, what that cost too, by the names of :data:`CAPTIONER_MADE`.
        """
        made = self.engine.features.made - self._before
        encoded = self.stock.added + made["images"]
        counts = (self.asked_once.made_now, made["captions"], encoded, made["texts"], made["drawings"])
        paid = {name: made[name] for name in CAPTIONER_MADE} if self._chat_captions else {}
        return dict(zip(MADE, counts, strict=True)) | paid

    @property
    def _chat_captions(self) -> bool:
        try:
            imagines = any(composer_named(name).imagines for name in self.composers)
            return imagines and self.engine.captioner_id.startswith("chat:")
        except ModelUnavailableError:
            return False

    def measure(self) -> Measured:
        """Compose, score and rank every query under every composer."""
        outcomes = [Outcome(name, not_run=self._lacking(name)) for name in self.composers]
        found = Measured(self.benchmark, outcomes, self.faults)
        asked = self.asked
        with self.engine.features.shared_failures():
            for start in range(0, len(asked), BLOCK):
                block = asked[start : start + BLOCK]
                for outcome in found.outcomes:
                    if not outcome.not_run:
                        self._block(block, outcome, found)
                self._progress("composing", start + len(block), len(asked))
        for outcome in outcomes:
            self._without_captioner(outcome)
        return found

    def _lacking(self, composer: str) -> str:
        """What a composer needs and cannot have, before anything is asked; empty where nothing is missing."""
        try:
            require(self.engine, [composer_named(composer)])
        except (ModelUnavailableError, SpaceMismatchError) as error:
            return str(error)
        return ""

    def _without_captioner(self, outcome: Outcome) -> None:
        """Not run, where no query could go without a captioner that cannot be had. It is loaded only when needed."""
        why = self.engine.features.captioner_error
        if why and outcome.failed and not outcome.top and composer_named(outcome.composer).imagines:
            outcome.not_run, outcome.failed = why, {}

    def _block(self, block: Sequence[Query], outcome: Outcome, found: Measured) -> None:
        with self._timed("composing"):
            done = self._composed(block, outcome)
        if not done:
            return
        queries, composed = [query for query, _ in done], [each for _, each in done]
        self._note(done, outcome, found)
        with self._timed("ranking"):
            self._ranked(queries, composed, outcome)
        if outcome.composer == self.fused and not self.benchmark.hidden:
            with self._timed("curve"):
                self._curve(queries, composed, found.curve)

    # --- composing

    def _composed(self, block: Sequence[Query], outcome: Outcome) -> list[tuple[Query, list[Composed]]]:
        """The queries that could be composed, each with its wordings."""
        try:
            return self.compose(block, outcome.composer)
        except CatalogError:
            raise
        except Exception:  # noqa: BLE001 - a model raises anything; which query it was is found out below
            pass
        return self._one_by_one(block, outcome)

    def _one_by_one(self, block: Sequence[Query], outcome: Outcome) -> list[tuple[Query, list[Composed]]]:
        done: list[tuple[Query, list[Composed]]] = []
        for query in block:
            try:
                done += self.compose([query], outcome.composer)
            except CatalogError:
                raise
            except Exception as error:  # noqa: BLE001 - as above; it is told in the report
                outcome.failed[query.id] = one_line(f"{type(error).__name__}: {error}")
        return done

    def compose(self, block: Sequence[Query], composer: str) -> list[tuple[Query, list[Composed]]]:
        """One :class:`Composed` for each wording of each query. Raises whatever the models raise."""
        wordings = [(query, text) for query in block for text in (query.modification, *query.wordings)]
        # No weight is given: it is a parameter of the composer, and its spelling in the report must be the whole truth.
        requests = [ComposeRequest(self.stock.ids[query.reference], text, composer) for query, text in wordings]
        composed = iter(compose_all(requests, self.engine, imagine=self.asked_once.imagine))
        return [(query, [next(composed) for _ in (query.modification, *query.wordings)]) for query in block]

    @staticmethod
    def _note(done: Sequence[tuple[Query, list[Composed]]], outcome: Outcome, found: Measured) -> None:
        for query, (first, *_) in done:
            outcome.weight = first.weight if "weight" in composer_named(outcome.composer).parameters else None
            if first.imagination is not None:
                found.imagined[query.id] = first.imagination.target.description
                found.origins[query.id] = first.imagination.target.origin

    # --- scoring

    def _ranked(self, queries: Sequence[Query], composed: Sequence[Sequence[Composed]], outcome: Outcome) -> None:
        scores = self.scores([[each.probe for each in wordings] for wordings in composed])
        known = [i for i, query in enumerate(queries) if query.targets]
        some = scores if len(known) == len(queries) else scores[known]
        for scored in self.ranker.rank([queries[i] for i in known], some):
            outcome.scored[scored.query] = scored
        for query, names in zip(queries, self.ranker.top(queries, scores, self._top), strict=True):
            outcome.top[query.id] = tuple(name for name in names if name in self.stock.ids)
        if all(query.subset for query in queries):
            for query, names in zip(queries, self.ranker.top_of_subset(queries, scores, 3), strict=True):
                outcome.top_of_subset[query.id] = names

    def scores(self, probes: Sequence[Sequence[Probe]]) -> FloatArray:
        """Scores ``[queries, gallery]``; the mean over a query's wordings."""
        flat = [probe for wordings in probes for probe in wordings]
        rows = np.empty((len(flat), len(self.stock.matrix)), np.float32)
        linear = [i for i, probe in enumerate(flat) if probe.rescore is None]
        if linear:
            rows[linear] = np.stack([flat[i].vector for i in linear]) @ self.stock.matrix.T
        for i, probe in enumerate(flat):
            if probe.rescore is not None:
                rows[i] = probe.score(self.stock.matrix)
        if len(flat) > len(probes):
            ends = np.cumsum([0, *(len(wordings) for wordings in probes)])
            rows = np.stack([rows[a:b].mean(axis=0) for a, b in itertools.pairwise(ends)])
        return self.stock.scores(rows)

    def _curve(self, queries: Sequence[Query], composed: Sequence[Sequence[Composed]], curve: Curve) -> None:
        counts = [len(wordings) for wordings in composed]
        flat = [each for wordings in composed for each in wordings]
        texts = [each.text for each in flat if each.text is not None]
        images = [each.image for each in flat if each.image is not None]

        def rank(probes: Sequence[Probe]) -> list[Scored]:
            each = iter(probes)
            return self.ranker.rank(queries, self.scores([[next(each) for _ in range(n)] for n in counts]))

        curve.add(queries, texts, images, rank)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began  # type: ignore[assignment]
