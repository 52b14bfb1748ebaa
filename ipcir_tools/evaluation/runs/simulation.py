"""Dialogues played in step, so that each round of all of them is one batch for the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ipcir_tools.chains.composition.chain import Composed
from ipcir_tools.chains.composition.requests import ComposeRequest, request_of
from ipcir_tools.evaluation.benchmarks import Query, Session
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.types import ComposedQuery, FloatArray, Turn

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.evaluation.runs.run import Run


@dataclass
class Dialogue:
    """A session up to the current round."""

    session: Session
    path: list[Turn] = field(default_factory=list)
    """The turns so far; feedback is a turn of its own."""
    scored: list[Scored] = field(default_factory=list)
    """The ranks after each round."""
    left_out: frozenset[str] = frozenset()
    """Pictures besides the reference that the last turn did not rank."""
    last: Composed | None = None
    """How the last turn was composed."""
    top: tuple[str, ...] = ()
    """The first hits of the last round, where they are kept."""
    failed: str = ""
    """Why it could not go on; empty where it could."""

    def query(self, number: int) -> Query:
        """The round as a query with its truth."""
        return replace(self.session[number], left_out=self.left_out)

    def after(self, number: int) -> Scored:
        """The ranks after a round; those of the last one where the session has ended."""
        return self.scored[min(number, len(self.scored) - 1)]


class Simulation:
    """Plays sessions in which each round names its reference: a round builds on the turns before."""

    label = "dialogues"
    """What progress is reported as."""

    def __init__(self, run: Run, composer: str, weight: float | None = None, *, verified: bool = False) -> None:
        """``run`` has the gallery and its rules; ``weight`` is that of the text, None: the composer's own.

        With ``verified`` the first hits of every turn are verified, as many as ``run`` says.
        """
        self.run, self._composer, self._weight, self._verified = run, composer, weight, verified

    def play(self, sessions: Sequence[Session], progress: Progress | None = None) -> list[Dialogue]:
        """Every session to its end. Raises whatever the models raise."""
        dialogues = [Dialogue(session) for session in sessions]
        longest = max(map(len, sessions), default=0)
        for number in range(longest):
            active = [each for each in dialogues if len(each.session) > number and not each.failed]
            scores = self.answer(active, [self._edit(each.session[number]) for each in active], number)
            active = [each for each in active if not each.failed]
            ranked = self.rank(active, scores, number) if active else []
            for each, scored in zip(active, self.after_round(active, scores, ranked, number), strict=True):
                each.scored.append(scored)
            if progress:
                progress(self.label, number + 1, longest)
        return dialogues

    def after_round(
        self, active: Sequence[Dialogue], scores: FloatArray, ranked: list[Scored], number: int
    ) -> list[Scored]:
        """The ranks that count for the round; a user who does more than edit changes them here."""
        return ranked

    def answer(self, active: Sequence[Dialogue], queries: Sequence[ComposedQuery], number: int) -> FloatArray:
        """One query of each dialogue in round ``number``: adds the turns to their paths.

        Gives the scores ``[dialogues, gallery]`` of those that have not failed.
        """
        requests = [request_of(query, each.path) for each, query in zip(active, queries, strict=True)]
        done: list[tuple[Dialogue, Composed]] = []
        composed = self.compose(active, requests)
        for each, query, request, made in zip(active, queries, requests, composed, strict=True):
            if made is not None:
                _add_turn(each, query, request, made)
                done.append((each, made))
        scores = self.run.scores([[made.probe] for _, made in done])
        if not (done and self._verified):
            return scores
        return self.run.verified_scores([each.query(number) for each, _ in done], [made for _, made in done], scores)

    def compose(self, active: Sequence[Dialogue], requests: Sequence[ComposeRequest]) -> Sequence[Composed | None]:
        """The requests of the active dialogues, composed; None for a dialogue that fails here."""
        return self.run.compose_requests(requests)

    def rank(self, active: Sequence[Dialogue], scores: FloatArray, number: int) -> list[Scored]:
        """Where the round's targets rank."""
        return self.run.ranker.rank([each.query(number) for each in active], scores)

    def _edit(self, query: Query) -> ComposedQuery:
        return ComposedQuery(
            reference=self.run.gallery.ids[query.reference],
            modification=query.modification,
            weight=self._weight,
            composer=self._composer,
        )


def _add_turn(dialogue: Dialogue, query: ComposedQuery, request: ComposeRequest, made: Composed) -> None:
    dialogue.left_out = request.left_out - {request.reference}
    dialogue.last = made
    parent = dialogue.path[-1].id if dialogue.path else None
    imagined = made.imagination.target if made.imagination else None
    turn = Turn(id=f"t{len(dialogue.path)}", parent=parent, query=query, imagined=imagined, created="")
    dialogue.path.append(turn)
