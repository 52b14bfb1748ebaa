"""Looking at pictures and at turns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from ipcir_tools.agents.tools.answers import HitBriefs, brief_folder, brief_hits, find_turn, fit_brief, names_of
from ipcir_tools.agents.tools.references import ReferenceBrief, brief_references
from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Tool
from ipcir_tools.arguments import Arguments
from ipcir_tools.display.results import (
    DATA_NOTICE,
    MAX_FEEDBACK,
    NAME_LIMIT,
    TextLimits,
    first_few,
    request_text,
    result_json,
    result_text,
    shown_steps,
)
from ipcir_tools.engine.file_names import FileNames
from ipcir_tools.engine.hit_files import as_they_are_now
from ipcir_tools.text import quote, shorten_json
from ipcir_tools.types import SearchResult, Turn

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


MAX_SCANNED = 1_000
"""How many of the last turns are searched for those below another one."""


_NO_TURN = "There is no turn yet: begin with find_images or compose_search."
_NO_TURN_BELOW = "So far no turn goes on from that one: refine_search makes one."


class ShowTurnArguments(Arguments):
    """Arguments of ``show_turn``."""

    turn: str = Field(description="A turn id.")


class ListTurnsArguments(Arguments):
    """Arguments of ``list_turns``."""

    limit: int = Field(default=10, ge=1, le=50, description="How many; 10 unless asked.")
    under: str | None = Field(default=None, description="Only turns below this turn id.")


class StepBrief(Brief):
    """One turn of a path."""

    turn: str
    request: str


class TurnBrief(Brief):
    """One turn, and the way to it: its root and the last steps; ``left_out`` counts those between."""

    turn: str
    parent: str | None
    reference: str | None
    references: list[ReferenceBrief]
    note: str = DATA_NOTICE
    request: str
    liked: list[str]
    disliked: list[str]
    imagined: str | None
    imagined_by: str | None
    path: list[StepBrief]
    left_out: int
    folder: str | None
    hits: HitBriefs


class TurnLineBrief(Brief):
    """One turn of a list."""

    turn: str
    parent: str | None
    request: str
    hits: int
    first: str | None


class ListTurnsBrief(Brief):
    """Turns, newest first."""

    note: str = DATA_NOTICE
    turns: list[TurnLineBrief]


def _show_turn(engine: Engine, arguments: ShowTurnArguments, context: CallContext) -> Answer:
    path = engine.path(find_turn(engine, arguments.turn).id)
    path[-1] = as_they_are_now(path[-1], engine.catalog)
    result = SearchResult(turn=path[-1])
    whole = result_json(result) | {"path": [turn.id for turn in path]}
    names = names_of(engine, path[-1].hits)
    return Answer(result_text(result, path, names), fit_brief(partial(_turn_brief, path, names), path[-1].hits), whole)


def _turn_brief(path: Sequence[Turn], names: FileNames, limits: TextLimits) -> TurnBrief:
    turn, shown = path[-1], shown_steps(path)
    return TurnBrief(
        turn=turn.id,
        parent=turn.parent,
        reference=turn.query.reference,
        references=brief_references(turn.query, limits.name),
        request=shorten_json(request_text(turn), limits.text // 2),
        liked=first_few(turn.query.liked, MAX_FEEDBACK),
        disliked=first_few(turn.query.disliked, MAX_FEEDBACK),
        imagined=shorten_json(turn.imagined.description, limits.text) if turn.imagined else None,
        imagined_by=turn.imagined.origin if turn.imagined else None,
        path=[StepBrief(turn=step.id, request=shorten_json(request_text(step), limits.name)) for step in shown],
        left_out=len(path) - len(shown),
        folder=brief_folder(names, limits),
        hits=brief_hits(turn.hits, limits, names),
    )


def _list_turns(engine: Engine, arguments: ListTurnsArguments, context: CallContext) -> Answer:
    if arguments.under:
        root = find_turn(engine, arguments.under).id
        turns = _turns_below(root, engine.visibility.turns(MAX_SCANNED))[: arguments.limit]
    else:
        turns = engine.turns(arguments.limit)
    brief = ListTurnsBrief(turns=[_turn_line(turn) for turn in turns])
    text = _turns_text(brief.turns) if turns else _NO_TURN_BELOW if arguments.under else _NO_TURN
    return Answer(text, brief, brief.model_dump(mode="json"))


def _turns_below(root: str, turns: Sequence[Turn]) -> list[Turn]:
    """Those of ``turns`` that go on from ``root``."""
    parents = {turn.id: turn.parent for turn in turns}

    def goes_on(id_: str | None) -> bool:
        while id_ is not None and id_ != root:
            id_ = parents.get(id_)
        return id_ is not None

    return [turn for turn in turns if goes_on(turn.parent)]


def _turn_line(turn: Turn) -> TurnLineBrief:
    return TurnLineBrief(
        turn=turn.id,
        parent=turn.parent,
        request=shorten_json(request_text(turn), NAME_LIMIT),
        hits=len(turn.hits),
        first=turn.hits[0].id if turn.hits else None,
    )


def _turns_text(turns: Sequence[TurnLineBrief]) -> str:
    return "\n".join([f"turns, newest first ({DATA_NOTICE}):", *map(_line, turns)])


def _line(turn: TurnLineBrief) -> str:
    after = f" after {turn.parent}" if turn.parent else ""
    found = f"{turn.hits} hits, first {turn.first}" if turn.first else "no hits"
    return f"{turn.turn}{after} {quote(turn.request, NAME_LIMIT)}: {found}"


SHOW_TURN = Tool(
    name="show_turn",
    title="Show a turn",
    description="Read an earlier turn again: request, hits, and the turns that led to it.",
    arguments=ShowTurnArguments,
    brief=TurnBrief,
    run=_show_turn,
    read_only=True,
    idempotent=True,
)

LIST_TURNS = Tool(
    name="list_turns",
    title="List turns",
    description="List this conversation's last turns, newest first, with their first hits. Use it to go back to one.",
    arguments=ListTurnsArguments,
    brief=ListTurnsBrief,
    run=_list_turns,
    read_only=True,
    idempotent=True,
)
