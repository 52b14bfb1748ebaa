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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipcir_tools.chains.composition.requests import request_of
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.metrics.metrics import recall_at
from ipcir_tools.evaluation.runs.catalog_run import catalog_run
from ipcir_tools.types import ComposedQuery, FloatArray, Turn, Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


CUTS = (1, 10)
SHOWN = 10
"""Hits that the simulated user may judge."""

Likeness = Callable[[str, str], float]
"""How much the first picture is like the second, by the truth; both by their ids."""


@dataclass(frozen=True)
class DialogueCase:
    """A reference and its rounds: (modification, target), by picture id."""

    reference: str
    rounds: tuple[tuple[str, str], ...]


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


@dataclass
class _State:
    """One dialogue up to the current round."""

    case: DialogueCase
    path: list[Turn] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    left_out: frozenset[str] = frozenset()
    """Pictures that the last turn did not rank."""

    def query(self, number: int) -> Query:
        """The round as a query with its truth."""
        modification, target = self.case.rounds[number]
        return Query(str(number), self.case.reference, modification, (target,), left_out=self.left_out)


def run_dialogues(
    engine: Engine, cases: Sequence[DialogueCase], likeness: Likeness, progress: Progress | None = None
) -> DialogueReport:
    """Simulate every dialogue, without and with feedback. KeyError if a target is not in the gallery."""
    simulation = _Simulation(engine, likeness)
    one_target = [_one_target(case) for case in cases]
    final, so_far = (
        [simulation.run(some, feedback=feedback, progress=progress) for feedback in (False, True)]
        for some in (one_target, cases)
    )
    origins = [turn.imagined.origin for states in final for each in states for turn in each.path if turn.imagined]
    return DialogueReport(
        final=Rounds(plain=_rounds(final[0]), with_feedback=_rounds(final[1])),
        so_far=Rounds(plain=_rounds(so_far[0]), with_feedback=_rounds(so_far[1])),
        dialogues=len(cases),
        gallery=engine.catalog.size(),
        composer=engine.settings.composer,
        verified=simulation.verified,
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


def _one_target(case: DialogueCase) -> DialogueCase:
    target = case.rounds[-1][1]
    return DialogueCase(case.reference, tuple((text, target) for text, _ in case.rounds))


def _rounds(states: Sequence[_State]) -> tuple[Round, ...]:
    longest = max((len(each.ranks) for each in states), default=0)
    by_round = [[each.ranks[min(i, len(each.ranks) - 1)] for each in states] for i in range(longest)]
    return tuple(
        Round(round=i, hits={k: recall_at(ranks, k) for k in CUTS}) for i, ranks in enumerate(by_round, start=1)
    )


class _Simulation:
    """Runs dialogues in step, so that each round is one batch for the models."""

    def __init__(self, engine: Engine, likeness: Likeness) -> None:
        self._settings = engine.settings
        self._likeness = likeness
        self._run = catalog_run(engine.components, verify=engine.settings.verify)

    @property
    def verified(self) -> int:
        """How many first hits of each round are verified."""
        return self._run.verified

    def run(self, cases: Sequence[DialogueCase], *, feedback: bool, progress: Progress | None) -> list[_State]:
        states = [_State(case) for case in cases]
        longest = max((len(case.rounds) for case in cases), default=0)
        for number in range(longest):
            active = [each for each in states if len(each.case.rounds) > number]
            scores = self._answer(active, [self._edit(each, number) for each in active])
            ranks = self._ranks(active, scores, number)
            if feedback:
                ranks = self._after_feedback(active, scores, ranks, number)
            for each, rank in zip(active, ranks, strict=True):
                each.ranks.append(rank)
            if progress:
                progress("with feedback" if feedback else "dialogues", number + 1, longest)
        return states

    def _edit(self, each: _State, number: int) -> ComposedQuery:
        return ComposedQuery(
            reference=each.case.reference,
            modification=each.case.rounds[number][0],
            weight=self._settings.weight,
            composer=self._settings.composer,
        )

    def _after_feedback(self, active: Sequence[_State], scores: FloatArray, ranks: list[int], number: int) -> list[int]:
        """The ranks after the users judged the hits that they saw; as they were where the target is first."""
        places = [i for i, rank in enumerate(ranks) if rank > 1]
        judging = [active[i] for i in places]
        if not judging:
            return ranks
        again = self._answer(judging, self._judgements(judging, scores[places], number))
        better = dict(zip(places, self._ranks(judging, again, number), strict=True))
        return [better.get(i, rank) for i, rank in enumerate(ranks)]

    def _judgements(self, judging: Sequence[_State], scores: FloatArray, number: int) -> list[ComposedQuery]:
        """For each dialogue the hit to like and the one to dislike."""
        queries = [each.query(number) for each in judging]
        found = []
        for each, query, hits in zip(judging, queries, self._run.ranker.top(queries, scores, SHOWN), strict=True):
            rivals = self._by_likeness([id_ for id_ in hits if id_ != query.main], query.main)
            judged = {"modification": "", "liked": (rivals[0],), "disliked": (rivals[-1],)}
            found.append(each.path[-1].query.model_copy(update=judged))
        return found

    def _by_likeness(self, ids: Sequence[str], target: str) -> list[str]:
        return sorted(ids, key=lambda id_: self._likeness(id_, target), reverse=True)

    def _answer(self, active: Sequence[_State], queries: Sequence[ComposedQuery]) -> FloatArray:
        """One query of each dialogue: adds the turns to their paths, and gives the scores ``[dialogues, gallery]``."""
        requests = [request_of(query, each.path) for each, query in zip(active, queries, strict=True)]
        composed = self._run.compose_requests(requests)
        for each, query, request, made in zip(active, queries, requests, composed, strict=True):
            each.left_out = request.left_out
            parent = each.path[-1].id if each.path else None
            imagined = made.imagination.target if made.imagination else None
            each.path.append(Turn(id=f"t{len(each.path)}", parent=parent, query=query, imagined=imagined, created=""))
        scores = self._run.scores([[made.probe] for made in composed])
        if not self._run.verified:
            return scores
        asked = [
            Query("", query.reference or "", query.modification, (), left_out=request.left_out)
            for query, request in zip(queries, requests, strict=True)
        ]
        return self._run.verified_scores(asked, composed, scores)

    def _ranks(self, active: Sequence[_State], scores: FloatArray, number: int) -> list[int]:
        return [scored.main for scored in self._run.ranker.rank([each.query(number) for each in active], scores)]
