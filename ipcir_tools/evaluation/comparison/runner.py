"""What measures an imagination: queries with a truth over pictures, or over captions that stand for pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from ipcir_tools.chains.composition.chain import Composed
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.runs.recorder import AskedOnce
from ipcir_tools.evaluation.runs.run import TOP, Run

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.evaluation.runs.gallery import Stock


if TYPE_CHECKING:
    Imagine = Runnable[ImagineRequest, Imagination]

AnyBenchmark = TypeVar("AnyBenchmark", bound=Benchmark)


@dataclass(frozen=True)
class Played:
    """What one imagination led to, by the ids of queries."""

    scored: Mapping[str, Scored]
    top: Mapping[str, tuple[str, ...]]
    failed: Mapping[str, str]
    """Why, of those that were not scored."""
    told: Mapping[str, tuple[str | None, Imagination]]
    """The reference in words, and the imagination."""


class Ground(Protocol):
    """Queries with a truth, on which an imagination can be measured."""

    @property
    def benchmark(self) -> Benchmark:
        """The queries, the gallery's names, the measures and the notes."""
        ...

    @property
    def composer(self) -> str:
        """How targets are searched for."""
        ...

    @property
    def models(self) -> Mapping[str, str]:
        """Who made the features and the captions."""
        ...

    def play(self, imagine: Imagine) -> Played:
        """Every query, with targets that ``imagine`` imagines. It never raises for a query."""
        ...


class RunGround:
    """A benchmark of pictures; with a ``stock``, of whatever stands for them."""

    def __init__(
        self,
        engine: Components,
        benchmark: Benchmark,
        composer: str,
        *,
        top: int = TOP,
        progress: Progress | None = None,
        stock: Stock | None = None,
    ) -> None:
        """Raises InvalidRequestError for a composer that imagines nothing, and where the truth is hidden."""
        chosen = composer_named(composer)
        if not chosen.imagines:
            raise InvalidRequestError(f"The composer {chosen.spec} imagines nothing, so every prompt does the same.")
        if benchmark.hidden:
            raise InvalidRequestError(f"The truth of {benchmark.name} is hidden: choose a part whose truth is known.")
        self.composer, self._engine = chosen.spec, engine
        self._run = _Telling(engine, benchmark, [chosen.spec], top=top, progress=progress, stock=stock)
        self._run.fused = None  # the fusion curve belongs to `ipcir eval`

    @property
    def benchmark(self) -> Benchmark:
        """What is asked."""
        return self._run.benchmark

    @property
    def stock(self) -> Stock:
        """What is at hand."""
        return self._run.stock

    @property
    def models(self) -> Mapping[str, str]:
        """The encoder's space, and who says what the reference shows."""
        return {"encoder": self._engine.features.space, "captioner": self._engine.captioner_id}

    def play(self, imagine: Imagine) -> Played:
        """Every query. Raises ModelUnavailableError where the composer itself cannot be run."""
        self._run.asked_once, self._run.told = AskedOnce(self._engine, imagine), {}
        measured = self._run.measure()
        (outcome,) = measured.outcomes
        if outcome.not_run:
            raise ModelUnavailableError(outcome.not_run)
        return Played(outcome.scored, outcome.top, {**measured.faults, **outcome.failed}, self._run.told)


class _Telling(Run):
    """A run that remembers what was imagined for each query."""

    told: dict[str, tuple[str | None, Imagination]]

    def compose(self, block: Sequence[Query], composer: str) -> list[tuple[Query, list[Composed]]]:
        done = super().compose(block, composer)
        for query, (first, *_) in done:
            if first.imagination is not None:
                self.told[query.id] = (first.caption, first.imagination)
        return done


def sampled(benchmark: AnyBenchmark, queries: int | None) -> AnyBenchmark:
    """The benchmark with so many of its queries, chosen by their ids: a larger sample holds every smaller one."""
    if queries is None or queries >= len(benchmark.queries):
        return benchmark
    order = sorted(benchmark.queries, key=lambda query: hashlib.sha256(query.id.encode()).digest())
    chosen = {query.id for query in order[:queries]}
    note = f"a sample of {queries:,} of the {len(benchmark.queries):,} queries that can be used, chosen by their ids"
    some = tuple(query for query in benchmark.queries if query.id in chosen)
    return replace(benchmark, queries=some, left_out=(), notes=(*benchmark.notes, note))
