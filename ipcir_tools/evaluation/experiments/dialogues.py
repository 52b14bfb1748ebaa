"""Dialogues with a simulated user: is the target found after each round, with and without feedback?

Protocol: as ChatIR's (arXiv 2305.20062). The user has one picture in mind, the target of the last round, and each round
tells one more change: Hits@K of that picture after each round. A dialogue that ended keeps its last rank, so that every
round counts all dialogues. A second table takes as each round's target the picture that carries the edits so far.

The whole gallery is ranked exactly; the reference is left out, and so is what was just judged, because the engine shows
neither again; ties count against the target. The user who gives feedback sees the first 10 hits of a round and, unless
the target is the first, likes the one that is most like the target and dislikes the one that is least like it, never
the target itself; no word is added. The round is then measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.chains.composition.chain import compose_all
from ipcir_tools.chains.composition.requests import request_of
from ipcir_tools.evaluation.metrics.metrics import rank_of, recall_at
from ipcir_tools.types import ComposedQuery, FloatArray, Turn, Value

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


CUTS = (1, 10)
SHOWN = 10
"""Hits that the simulated user looks at."""

Likeness = Callable[[str, str], float]
"""How much the first picture is like the second, by the truth that the user has in mind; ids."""


@dataclass(frozen=True)
class DialogueCase:
    """A reference and its rounds: (modification, target), by picture id."""

    reference: str
    rounds: tuple[tuple[str, str], ...]


class Round(Value):
    """What was found after one round, over all dialogues: hits in percent at each of :data:`CUTS`."""

    round: int
    hits: dict[int, float]


class Rounds(Value):
    """The rounds without and with feedback."""

    plain: tuple[Round, ...]
    with_feedback: tuple[Round, ...]


class DialogueReport(Value):
    """What was measured and how."""

    final: Rounds
    """Of the picture that the user has in mind."""
    so_far: Rounds
    """Of the picture that carries the edits so far."""
    dialogues: int
    gallery: int
    composer: str
    imaginer: str
    fallbacks: int
    """Imaginations that the rules wrote because the model failed."""


@dataclass
class _Played:
    """One dialogue as far as it was played."""

    case: DialogueCase
    path: list[Turn] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    left_out: frozenset[str] = frozenset()
    """What the last turn did not rank."""


def run_dialogues(
    engine: Engine, cases: Sequence[DialogueCase], likeness: Likeness, progress: Progress | None = None
) -> DialogueReport:
    """Play every dialogue, without and with feedback. LookupError if a picture is not in the gallery."""
    stage = _Stage(engine, likeness)
    one_target = [_one_target(case) for case in cases]
    final, so_far = (
        [stage.play(some, feedback=feedback, progress=progress) for feedback in (False, True)]
        for some in (one_target, cases)
    )
    origins = [turn.imagined.origin for played in final for each in played for turn in each.path if turn.imagined]
    return DialogueReport(
        final=Rounds(plain=_rounds(final[0]), with_feedback=_rounds(final[1])),
        so_far=Rounds(plain=_rounds(so_far[0]), with_feedback=_rounds(so_far[1])),
        dialogues=len(cases),
        gallery=engine.catalog.size(),
        composer=engine.settings.composer,
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


def _rounds(played: Sequence[_Played]) -> tuple[Round, ...]:
    longest = max((len(each.ranks) for each in played), default=0)
    by_round = [[each.ranks[min(i, len(each.ranks) - 1)] for each in played] for i in range(longest)]
    return tuple(
        Round(round=i, hits={k: recall_at(ranks, k) for k in CUTS}) for i, ranks in enumerate(by_round, start=1)
    )


class _Stage:
    """Plays dialogues in step, so that each round is one batch for the models."""

    def __init__(self, engine: Engine, likeness: Likeness) -> None:
        self._engine = engine
        self._likeness = likeness
        self._ids, self._matrix = engine.catalog.matrix(engine.features.space)
        self._place = {id_: i for i, id_ in enumerate(self._ids)}

    def play(self, cases: Sequence[DialogueCase], *, feedback: bool, progress: Progress | None) -> list[_Played]:
        played = [_Played(case) for case in cases]
        longest = max((len(case.rounds) for case in cases), default=0)
        for number in range(longest):
            active = [each for each in played if len(each.case.rounds) > number]
            scores = self._turns(active, [self._edit(each, number) for each in active])
            if feedback:
                scores = self._after_feedback(active, scores, number)
            for each, row in zip(active, scores, strict=True):
                each.ranks.append(self._rank(each, row, number))
            if progress:
                progress("with feedback" if feedback else "dialogues", number + 1, longest)
        return played

    def _edit(self, each: _Played, number: int) -> ComposedQuery:
        settings = self._engine.settings
        return ComposedQuery(
            reference=each.case.reference,
            modification=each.case.rounds[number][0],
            weight=settings.weight,
            composer=settings.composer,
        )

    def _after_feedback(self, active: Sequence[_Played], scores: list[FloatArray], number: int) -> list[FloatArray]:
        """The scores after the users said what they like of what they saw; as they were where the target is first."""
        judging = [i for i, each in enumerate(active) if self._rank(each, scores[i], number) > 1]
        queries = [self._judgement(active[i], scores[i], number) for i in judging]
        scores = list(scores)
        for i, row in zip(judging, self._turns([active[i] for i in judging], queries), strict=True):
            scores[i] = row
        return scores

    def _judgement(self, each: _Played, row: FloatArray, number: int) -> ComposedQuery:
        target = each.case.rounds[number][1]
        best = [self._ids[i] for i in np.argsort(-row, kind="stable")[: SHOWN + len(each.left_out)]]
        shown = [id_ for id_ in best if id_ not in each.left_out][:SHOWN]
        shown = [id_ for id_ in shown if id_ != target]
        shown.sort(key=lambda id_: self._likeness(id_, target), reverse=True)
        last = each.path[-1].query
        return last.model_copy(update={"modification": "", "liked": (shown[0],), "disliked": (shown[-1],)})

    def _turns(self, active: Sequence[_Played], queries: Sequence[ComposedQuery]) -> list[FloatArray]:
        """Answer one query of each dialogue, add the turns to their paths, and give the scores of the gallery."""
        engine = self._engine
        requests = [request_of(query, each.path) for each, query in zip(active, queries, strict=True)]
        composed = compose_all(requests, engine)
        for each, query, request, made in zip(active, queries, requests, composed, strict=True):
            each.left_out = request.left_out
            parent = each.path[-1].id if each.path else None
            imagined = made.imagination.target if made.imagination else None
            each.path.append(Turn(id=f"t{len(each.path)}", parent=parent, query=query, imagined=imagined, created=""))
        return [made.probe.score(self._matrix) for made in composed]

    def _rank(self, each: _Played, row: FloatArray, number: int) -> int:
        left_out = [self._place[id_] for id_ in each.left_out if id_ in self._place]
        return rank_of(row, self._place[each.case.rounds[number][1]], left_out)
