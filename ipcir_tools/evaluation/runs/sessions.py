"""A benchmark of dialogues, measured: what is found after each round, under each composer.

The sessions are fixed: each round names the reference that the user picked and what should change about it, and builds
on the rounds before, as turns of the engine do. The report's figures are those of the last round of each session; its
rounds give the same measures after each round, over all sessions, of which one that ended keeps its last ranks. A
session that fails in any round is a miss in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ipcir_tools.batches import chunked
from ipcir_tools.chains.composition.chain import Composed
from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import CatalogError
from ipcir_tools.evaluation.benchmarks import Session, SessionBenchmark
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.metrics.statistics import SAMPLES
from ipcir_tools.evaluation.reports.report import Round
from ipcir_tools.evaluation.runs.figures import Ranks, estimates
from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery
from ipcir_tools.evaluation.runs.outcomes import Measured, Outcome
from ipcir_tools.evaluation.runs.run import BLOCK, Run
from ipcir_tools.evaluation.runs.simulation import Dialogue, Simulation
from ipcir_tools.text import one_line
from ipcir_tools.types import FloatArray


def play_sessions(run: Run, benchmark: SessionBenchmark, samples: int = SAMPLES) -> Measured:
    """Play every session under every composer of ``run``, which is over ``benchmark``."""
    unusable = _unusable(run.gallery, benchmark)
    sessions = {id_: session for id_, session in benchmark.sessions.items() if id_ not in unusable}
    measured = Measured(benchmark, run.outcomes(), unusable)
    played: dict[str, dict[str, Dialogue]] = {}
    with run.components.features.shared_failures(), run.timed("dialogues"):
        for outcome in measured.outcomes:
            if not outcome.not_run:
                played[outcome.label] = _play(run, outcome, sessions, measured)
    for outcome in measured.outcomes:
        run.without_captioner(outcome)
    ran = {outcome.label: played[outcome.label] for outcome in measured.outcomes if not outcome.not_run}
    measured.rounds = _rounds(benchmark, ran, samples)
    return measured


def _unusable(gallery: BenchmarkGallery, benchmark: SessionBenchmark) -> dict[str, str]:
    """Why sessions cannot be played, by id: the first problem of each."""
    found: dict[str, str] = {}
    for id_, session in benchmark.sessions.items():
        for number, query in enumerate(session, start=1):
            why = gallery.problem(query, benchmark)
            if why and id_ not in found:
                found[id_] = f"round {number}: {why}"
    return found


def _play(run: Run, outcome: Outcome, sessions: Mapping[str, Session], measured: Measured) -> dict[str, Dialogue]:
    """All sessions under one composer, in blocks; their last rounds become the outcome."""
    simulation = _Sessions(run, outcome.composer, verified=bool(outcome.verified))
    played: dict[str, Dialogue] = {}
    for ids in chunked(list(sessions), BLOCK):
        played |= zip(ids, simulation.play([sessions[id_] for id_ in ids]), strict=True)
        run.progress(f"{outcome.label}: sessions", len(played), len(sessions))
    fuses = "weight" in composer_named(outcome.composer).parameters
    for id_, dialogue in played.items():
        if dialogue.failed:
            outcome.failed[id_] = dialogue.failed
        elif dialogue.last is not None:
            outcome.scored[id_], outcome.top[id_] = dialogue.scored[-1], dialogue.top
            outcome.weight = dialogue.last.weight if fuses else None
            if dialogue.last.imagination is not None:
                measured.imagined[id_] = dialogue.last.caption, dialogue.last.imagination
    return played


class _Sessions(Simulation):
    """Fixed sessions: one that fails does so alone, and the first hits of the last round are kept."""

    def compose(self, active: Sequence[Dialogue], requests: Sequence[ComposeRequest]) -> Sequence[Composed | None]:
        """The requests composed; None for each that fails, whose dialogue then says why. Raises CatalogError."""
        try:
            return self.run.compose_requests(requests)
        except CatalogError:
            raise
        except Exception:  # noqa: BLE001 - a model may raise anything; the session that failed is found below
            return [self._alone(each, request) for each, request in zip(active, requests, strict=True)]

    def _alone(self, dialogue: Dialogue, request: ComposeRequest) -> Composed | None:
        try:
            return self.run.compose_requests([request])[0]
        except CatalogError:
            raise
        except Exception as error:  # noqa: BLE001 - as above; the report holds it
            dialogue.failed = one_line(f"round {len(dialogue.scored) + 1}: {type(error).__name__}: {error}")
            return None

    def after_round(
        self, active: Sequence[Dialogue], scores: FloatArray, ranked: list[Scored], number: int
    ) -> list[Scored]:
        """The ranks as they are; what a session's last round shows is kept."""
        ending = [i for i, each in enumerate(active) if number == len(each.session) - 1]
        queries = [active[i].query(number) for i in ending]
        if ending:
            for i, names in zip(ending, self.run.ranker.top(queries, scores[ending], self.run.top), strict=True):
                active[i].top = tuple(name for name in names if name in self.run.gallery.ids)
        return ranked


def _rounds(
    benchmark: SessionBenchmark, played: Mapping[str, Mapping[str, Dialogue]], samples: int
) -> tuple[Round, ...]:
    """The figures after each round, by composer."""
    longest = max(map(len, benchmark.sessions.values()), default=0)

    def ranks(dialogues: Mapping[str, Dialogue], number: int) -> Ranks:
        return {id_: each.after(number) for id_, each in dialogues.items() if not each.failed}

    return tuple(
        Round(
            round=number + 1,
            sessions=sum(len(session) > number for session in benchmark.sessions.values()),
            figures={name: estimates(benchmark, ranks(some, number), samples) for name, some in played.items()},
        )
        for number in range(longest)
    )
