"""Fits a composer's parameters on a validation part, and never on a test.

The search goes through the parameters one after the other, each over a small grid, until none improves; between equal
values the present one stays. It is deterministic: the same data give the same parameters. The parts are computed once;
only the composition is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from ipcir_tools.chains.composition.chain import Composed
from ipcir_tools.composers import Composer, TrainedComposer, composer_named
from ipcir_tools.composers.composer import LARGEST
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import Measure, Scored
from ipcir_tools.evaluation.metrics.statistics import grouped_mean
from ipcir_tools.evaluation.runs.run import run_on
from ipcir_tools.images.reading import image_id, read_file
from ipcir_tools.types import Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings


ROUNDS = 4
_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Of the value so far, for parameters without an upper bound."""
_STEPS = tuple(step / 20 for step in range(21))
"""For parameters between 0 and 1."""

Block = list[tuple[Query, list[Composed]]]
Merit = tuple[float, float]
"""The measure, and among equals the mean reciprocal rank."""


class Tuned(Value):
    """The parameters that were found, and the data."""

    composer: str
    """As ``--composers`` takes it."""
    parameters: dict[str, float]
    benchmark: str
    queries: int
    failed: int
    """Queries that could not be scored; they were left out."""
    measure: str
    before: float
    """Percent, with the parameters that the search began with."""
    after: float
    """Percent, on the very queries that the parameters were fitted on: a test will show less."""
    tried: int
    """The number of settings that were tried."""


def tune(
    engine: Engine,
    benchmark: Benchmark,
    composer: str,
    measure: str | None = None,
    *,
    progress: Progress | None = None,
) -> Tuned:
    """Find the parameters of ``composer`` under which ``measure`` (None: the benchmark's first) is highest.

    Whole numbers, such as how many captions are made, stay as they are. Raises InvalidRequestError for a test, and
    for a composer that has nothing to fit.
    """
    refuse_test(benchmark.name, benchmark.is_test)
    start = composer_named(composer)
    if not fitted(start):
        raise InvalidRequestError(f"{start.name} has no parameter to fit: name another composer.")
    search = _Search(engine, benchmark, start, _measure(benchmark, measure), progress)
    found = search.climb(start)
    return Tuned(
        composer=found.spec,
        parameters=found.parameters,
        benchmark=benchmark.name,
        queries=len(benchmark.queries),
        failed=len(benchmark.queries) - sum(len(block) for block in search.blocks),
        measure=search.measure.name,
        before=search.merit(start)[0],
        after=search.merit(found)[0],
        tried=len(search.known),
    )


def refuse_test(name: str, is_test: bool) -> None:
    """Raise InvalidRequestError if the benchmark of this name is a test."""
    if is_test:
        raise InvalidRequestError(
            f"The final figures are measured on {name}, and are worth nothing with parameters that were tuned on it: "
            "tune on a validation part."
        )


def refuse_shared(benchmark: Benchmark, test: Benchmark, settings: Settings) -> None:
    """Raise InvalidRequestError if a query of ``benchmark`` is one of ``test``, too.

    Two queries are the same where the reference is, by content, and the modification or a target is.
    """
    in_test = {mark: query.id for query in test.queries for mark in _marks(query, test, settings)}
    shared = {q.id: in_test[m] for q in benchmark.queries for m in _marks(q, benchmark, settings) if m in in_test}
    if shared:
        ours, theirs = next(iter(shared.items()))
        raise InvalidRequestError(
            f"{len(shared)} of the queries of {benchmark.name} are in {test.name} as well (the first is {ours}, there "
            f"{theirs}), and a test must not be tuned on: take them out of {benchmark.name}."
        )


def _marks(query: Query, benchmark: Benchmark, settings: Settings) -> Iterator[tuple[str, str]]:
    reference = _content(query.reference, benchmark, settings)
    yield reference, "words:" + " ".join(query.modification.casefold().split())
    for target in query.targets:
        yield reference, "target:" + _content(target, benchmark, settings)


def _content(name: str, benchmark: Benchmark, settings: Settings) -> str:
    try:
        return image_id(read_file(benchmark.file(name), settings))
    except IPCIRError:
        return f"unreadable:{name}"


def _measure(benchmark: Benchmark, name: str | None) -> Measure:
    by_name = {measure.name: measure for measure in benchmark.measures}
    if not by_name:
        raise InvalidRequestError(f"The truth of {benchmark.name} is hidden: tune on a part whose truth is known.")
    if name is not None and name not in by_name:
        raise InvalidRequestError(f"{benchmark.name} is not measured by {name!r}; there are: {', '.join(by_name)}.")
    return by_name[name] if name else benchmark.measures[0]


# --- the search


def fitted(composer: Composer) -> list[str]:
    """The parameters that can be fitted: real numbers on which only the composition depends."""
    if isinstance(composer, TrainedComposer):
        return []  # its network fits the parameters that it was trained with
    return [name for name, each in type(composer).model_fields.items() if each.annotation is float]


def grid(composer: Composer, name: str) -> list[float]:
    """The values to try for a parameter, within its bounds."""
    field, now = type(composer).model_fields[name], float(composer.parameters[name])
    if any(isinstance(bound, Le) for bound in field.metadata):
        return list(_STEPS)
    around = [factor * (now or float(field.default) or 1.0) for factor in _FACTORS]
    around = [value for value in around if abs(value) <= LARGEST]
    if any(isinstance(bound, Gt) for bound in field.metadata):
        return [value for value in around if value > 0]
    if any(isinstance(bound, Ge) for bound in field.metadata):
        return around
    return [-value for value in around[1:4]] + around


class _Search:
    """The search over the parameters of one composer; the merit of each setting is computed at most once."""

    def __init__(
        self, engine: Engine, benchmark: Benchmark, start: Composer, measure: Measure, progress: Progress | None
    ) -> None:
        self.measure = measure
        self.known: dict[str, Merit] = {}
        self._progress = progress
        self._run = run_on(engine, benchmark, [start.spec], progress=progress)
        if not self._run.queries:
            raise InvalidRequestError(f"No query of {benchmark.name} can be scored, so nothing can be fitted on it.")
        self.blocks: list[Block] = list(self._run.composed(start.spec))

    def climb(self, best: Composer) -> Composer:
        """The best setting that can be reached by changing one parameter at a time."""
        for _ in range(ROUNDS):
            before = best
            for name in fitted(best):
                settings = [best, *(best.with_options({name: float(f"{value:.4g}")}) for value in grid(best, name))]
                best = max(settings, key=self.merit)  # the first of equals: the present one
            if best == before:
                break
        return best

    def merit(self, composer: Composer) -> Merit:
        """The merit of a setting, computed at the first call."""
        if composer.spec not in self.known:
            self.known[composer.spec] = self._measured(composer)
            if self._progress:
                self._progress("fitting", len(self.known), len(self.known))
        return self.known[composer.spec]

    def _measured(self, composer: Composer) -> Merit:
        scored: list[Scored] = []
        for block in self.blocks:
            probes = [[composer.compose(_reweighted(each, composer)) for each in made] for _, made in block]
            scored += self._run.ranker.rank([query for query, _ in block], self._run.scores(probes))
        groups = [query.group for block in self.blocks for query, _ in block]
        value = grouped_mean([self.measure.of(each) for each in scored], groups)
        return value, float(np.mean([1.0 / each.main for each in scored]))


def _reweighted(composed: Composed, composer: Composer) -> Any:
    return replace(composed.parts, weight=composer.parameters.get("weight", composed.parts.weight))


def tuned_rows(tuned: Tuned) -> Sequence[tuple[str, str]]:
    """The rows of a table: label and text."""
    return (
        (f"{tuned.measure} before", f"{tuned.before:.2f} %"),
        (f"{tuned.measure} after", f"{tuned.after:.2f} % (on the queries that it was fitted on)"),
        ("settings tried", f"{tuned.tried:,}"),
        ("fitted on", f"{tuned.benchmark}, {tuned.queries:,} queries, {tuned.failed:,} left out"),
    )
