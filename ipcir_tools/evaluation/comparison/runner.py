"""Measuring one imagination after the other on the same queries, over pictures or captions that stand for pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.runs.recorder import ImaginationRecorder
from ipcir_tools.evaluation.runs.run import TOP, Run

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery


AnyBenchmark = TypeVar("AnyBenchmark", bound=Benchmark)


@dataclass(frozen=True)
class ArmOutcome:
    """What the targets of one imagination led to, by the ids of queries."""

    scored: Mapping[str, Scored]
    top: Mapping[str, tuple[str, ...]]
    failed: Mapping[str, str]
    """Why, of those that were not scored."""
    imagined: Mapping[str, tuple[str | None, Imagination]]
    """The reference's caption, and the imagination."""


def check_comparable(benchmark: Benchmark, composer: str) -> str:
    """The composer's spec, where imaginations can be compared under it.

    Raises InvalidRequestError for a composer that imagines nothing, and where the truth is hidden.
    """
    chosen = composer_named(composer)
    if not chosen.imagines:
        raise InvalidRequestError(f"The composer {chosen.spec} imagines nothing, so every prompt does the same.")
    if benchmark.hidden:
        raise InvalidRequestError(f"The truth of {benchmark.name} is hidden: choose a part whose truth is known.")
    return chosen.spec


class ComparisonRunner:
    """Runs a benchmark under one composer with any imagination."""

    def __init__(
        self,
        components: Components,
        benchmark: Benchmark,
        composer: str,
        gallery: BenchmarkGallery,
        *,
        top: int = TOP,
        progress: Progress | None = None,
    ) -> None:
        """``gallery`` as :class:`Run` takes it. Raises what :func:`check_comparable` raises."""
        self.benchmark, self.composer = benchmark, check_comparable(benchmark, composer)
        self._components = components
        self._run = Run(components, benchmark, [self.composer], gallery, top=top, progress=progress, curve=False)

    @property
    def gallery(self) -> BenchmarkGallery:
        """The benchmark's pictures, and their features."""
        return self._run.gallery

    @property
    def models(self) -> Mapping[str, str]:
        """The encoder's space, and the captioner."""
        return {"encoder": self._components.features.space, "captioner": self._components.captioner_id}

    def run(self, recorder: ImaginationRecorder) -> ArmOutcome:
        """Score every query with the targets that ``recorder`` imagines. No query raises.

        Raises ModelUnavailableError where the composer itself cannot be run.
        """
        measured = self._run.measure(recorder)
        (outcome,) = measured.outcomes
        if outcome.not_run:
            raise ModelUnavailableError(outcome.not_run)
        return ArmOutcome(outcome.scored, outcome.top, {**measured.unusable, **outcome.failed}, measured.imagined)


def sampled(benchmark: AnyBenchmark, queries: int | None) -> AnyBenchmark:
    """The benchmark with so many of its queries, chosen by their ids: a larger sample holds every smaller one."""
    if queries is None or queries >= len(benchmark.queries):
        return benchmark
    order = sorted(benchmark.queries, key=lambda query: hashlib.sha256(query.id.encode()).digest())
    chosen = {query.id for query in order[:queries]}
    note = f"a sample of {queries:,} of the {len(benchmark.queries):,} queries that can be used, chosen by their ids"
    some = tuple(query for query in benchmark.queries if query.id in chosen)
    return replace(benchmark, queries=some, left_out=(), notes=(*benchmark.notes, note))
