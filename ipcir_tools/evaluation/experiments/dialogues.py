"""Dialogues with a simulated user: is the target found after each round, with and without feedback?

Protocol: as ChatIR's (arXiv 2305.20062). The user looks for one picture, the target of the last round, and each round
adds one more change: Hits@K of that picture after each round. A dialogue that ended keeps its last rank, so that every
round counts all dialogues. A second table takes as each round's target the picture with the edits so far.

The whole gallery is ranked exactly; the reference is left out, and so are pictures that were just judged, because the
engine shows neither again; ties count against the target. The user who gives feedback sees the first 10 hits of a round
and, unless the target is the first, likes the one that is most like the target and dislikes the one that is least like
it, never the target itself; no text is added. The round is then measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipcir_tools.evaluation.benchmarks import Query, Session
from ipcir_tools.evaluation.metrics.metrics import Scored, recall_at
from ipcir_tools.evaluation.runs.catalog_run import catalog_run
from ipcir_tools.evaluation.runs.simulation import Dialogue, Simulation
from ipcir_tools.types import ComposedQuery, FloatArray, Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.evaluation.runs.run import Run


CUTS = (1, 10)
SHOWN = 10
"""Hits that the simulated user may judge."""

Likeness = Callable[[str, str], float]
"""How much the first picture is like the second, by the truth; both by their ids."""


def session_of(reference: str, rounds: Sequence[tuple[str, str]]) -> Session:
    """A dialogue about one reference: (modification, target) of each round, by picture id."""
    return tuple(
        Query(str(number), reference, modification, (target,))
        for number, (modification, target) in enumerate(rounds, start=1)
    )


class Round(Value):
    """The result of one round over all dialogues: hits in percent at each of :data:`CUTS`."""

    round: int
    hits: dict[int, float]


class Rounds(Value):
    """The rounds without and with feedback."""

    plain: tuple[Round, ...]
    with_feedback: tuple[Round, ...]


class DialogueReport(Value):
    """What was measured and how."""

    final: Rounds
    """Of the picture that the user looks for."""
    so_far: Rounds
    """Of the picture with the edits so far."""
    dialogues: int
    gallery: int
    composer: str
    verified: int
    """How many first hits of each round the captioner scored again."""
    imaginer: str
    fallbacks: int
    """Imaginations that the rules made because the model failed."""


def run_dialogues(
    engine: Engine, sessions: Sequence[Session], likeness: Likeness, progress: Progress | None = None
) -> DialogueReport:
    """Simulate every dialogue, without and with feedback. KeyError if a target is not in the gallery."""
    settings = engine.settings
    run = catalog_run(engine.components, verify=settings.verify)
    plain = Simulation(run, settings.composer, settings.weight, verified=bool(run.verified))
    judged = _WithFeedback(run, settings.composer, settings.weight, likeness)
    final, so_far = (
        [simulation.play(some, progress) for simulation in (plain, judged)]
        for some in ([_one_target(session) for session in sessions], sessions)
    )
    origins = [turn.imagined.origin for some in final for each in some for turn in each.path if turn.imagined]
    return DialogueReport(
        final=Rounds(plain=_rounds(final[0]), with_feedback=_rounds(final[1])),
        so_far=Rounds(plain=_rounds(so_far[0]), with_feedback=_rounds(so_far[1])),
        dialogues=len(sessions),
        gallery=engine.catalog.size(),
        composer=engine.settings.composer,
        verified=run.verified,
        imaginer=(engine.settings.llm or "rules"),
        fallbacks=origins.count("fallback"),
    )


def report_json(report: DialogueReport) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        **_rounds_json(report.final),
        "dialogues": report.dialogues,
        "gallery": report.gallery,
        "edits_so_far": _rounds_json(report.so_far),
        "composer": report.composer,
        "verified": report.verified,
        "imaginer": report.imaginer,
        "fallbacks": report.fallbacks,
    }


def _rounds_json(rounds: Rounds) -> dict[str, Any]:
    return {
        name: [{"round": each.round, **{f"Hits@{k}": round(hits, 2) for k, hits in each.hits.items()}} for each in some]
        for name, some in (("rounds", rounds.plain), ("rounds_with_feedback", rounds.with_feedback))
    }


def _one_target(session: Session) -> Session:
    return tuple(replace(query, targets=session[-1].targets, main=session[-1].main) for query in session)


def _rounds(dialogues: Sequence[Dialogue]) -> tuple[Round, ...]:
    longest = max((len(each.scored) for each in dialogues), default=0)
    ranks = [[each.after(number).main for each in dialogues] for number in range(longest)]
    return tuple(
        Round(round=i, hits={k: recall_at(of_round, k) for k in CUTS}) for i, of_round in enumerate(ranks, start=1)
    )


class _WithFeedback(Simulation):
    """The user judges what a round showed, and the round is measured again."""

    label = "with feedback"

    def __init__(self, run: Run, composer: str, weight: float | None, likeness: Likeness) -> None:
        super().__init__(run, composer, weight, verified=bool(run.verified))
        self._likeness = likeness

    def after_round(
        self, active: Sequence[Dialogue], scores: FloatArray, ranked: list[Scored], number: int
    ) -> list[Scored]:
        """The ranks after the users judged the hits that they saw; as they were where the target is first."""
        places = [i for i, scored in enumerate(ranked) if scored.main > 1]
        judging = [active[i] for i in places]
        if not judging:
            return ranked
        again = self.answer(judging, self._judgements(judging, scores[places], number), number)
        better = dict(zip(places, self.rank(judging, again, number), strict=True))
        return [better.get(i, scored) for i, scored in enumerate(ranked)]

    def _judgements(self, judging: Sequence[Dialogue], scores: FloatArray, number: int) -> list[ComposedQuery]:
        """For each dialogue the hit to like and the one to dislike."""
        queries = [each.query(number) for each in judging]
        found = []
        for each, query, hits in zip(judging, queries, self.run.ranker.top(queries, scores, SHOWN), strict=True):
            rivals = self._by_likeness([id_ for id_ in hits if id_ != query.main], query.main)
            judged = {"modification": "", "liked": (rivals[0],), "disliked": (rivals[-1],)}
            found.append(each.path[-1].query.model_copy(update=judged))
        return found

    def _by_likeness(self, ids: Sequence[str], target: str) -> list[str]:
        return sorted(ids, key=lambda id_: self._likeness(id_, target), reverse=True)
