"""The searches: from a picture and words, from an earlier turn, from words alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from ipcir_tools.agents.tools.answers import HitBriefs, brief_hits, find_turn, fit_brief
from ipcir_tools.agents.tools.references import (
    SEVERAL,
    ReferenceArgument,
    ReferenceBrief,
    brief_references,
    named,
    read_rank,
)
from ipcir_tools.agents.tools.tool import Answer, Arguments, Brief, Tool
from ipcir_tools.display.results import DATA_NOTICE, MAX_WARNINGS, TextLimits, result_json, result_notes, result_text
from ipcir_tools.store.filters import GRAMMAR
from ipcir_tools.text import shorten_json
from ipcir_tools.types import SearchResult

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


AGENT_K = 5
"""Hits without a number given: enough to choose from, short to read."""
MAX_AGENT_K = 50

WHERE = 'Leave out unless asked for. Example: {"width": {"$gte": 800}}. ' + GRAMMAR
K = "How many pictures to return."


class ComposeSearchArguments(Arguments):
    """Arguments of ``compose_search``."""

    reference: ReferenceArgument = Field(
        description="The picture to start from: a picture id from an earlier hit, or an allowed file path." + SEVERAL
    )
    modification: str = Field(
        description="What should be different, in plain words, such as 'in blue with long sleeves'. Empty only where "
        "the notes on several references say it all."
    )
    k: int = Field(default=AGENT_K, ge=1, le=MAX_AGENT_K, description=K)
    weight: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="0 follows only the reference picture, 1 only the text. Leave out for the default.",
    )
    where: dict[str, Any] | None = Field(default=None, description=WHERE)


class RefineSearchArguments(Arguments):
    """Arguments of ``refine_search``."""

    turn: str = Field(description="The turn id to build on. An earlier one undoes what came after it.")
    modification: str = Field(
        default="", description="A further edit, in plain words: 'and shorter'. The edits before still hold."
    )
    reference: ReferenceArgument | None = Field(
        default=None,
        description="Another picture as the new reference: a picture id, or a hit's rank in that turn. It replaces "
        "the references so far." + SEVERAL,
    )
    liked: list[str] = Field(
        default_factory=list, description="Pictures to find more like: ids, or ranks in that turn."
    )
    disliked: list[str] = Field(
        default_factory=list, description="Pictures to find less like: ids, or ranks in that turn."
    )
    k: int | None = Field(default=None, ge=1, le=MAX_AGENT_K, description=K + " Leave out for as many as before.")

    @field_validator("reference", mode="before")
    @classmethod
    def _read_nothing(cls, value: Any) -> Any:
        """Accept an empty list for no other reference."""
        return None if value in ([], "[]") else value

    @field_validator("liked", "disliked", mode="before")
    @classmethod
    def _read_ranks(cls, value: Any) -> Any:
        """Accept a rank as 3.0, and a single picture without its list; a list written as text is left as it is."""
        if isinstance(value, str) and value.lstrip().startswith("["):
            return value
        return [read_rank(each) for each in (value if isinstance(value, list | tuple) else [value])]


class FindImagesArguments(Arguments):
    """Arguments of ``find_images``."""

    text: str = Field(description="What the pictures should show, in plain words.")
    where: dict[str, Any] | None = Field(default=None, description=WHERE)
    k: int = Field(default=AGENT_K, ge=1, le=MAX_AGENT_K, description=K)


class SearchBrief(Brief):
    """A search's answer, for a model."""

    turn: str
    parent: str | None
    reference: str | None
    references: list[ReferenceBrief]
    note: str = DATA_NOTICE
    imagined: str | None
    imagined_by: str | None
    hits: HitBriefs
    warnings: list[str]


def search_answer(result: SearchResult) -> Answer:
    """A search's result as an answer."""
    return Answer(result_text(result), fit_brief(partial(_brief, result), result.turn.hits), result_json(result))


def _brief(result: SearchResult, limits: TextLimits) -> SearchBrief:
    turn = result.turn
    return SearchBrief(
        turn=turn.id,
        parent=turn.parent,
        reference=turn.query.reference,
        references=brief_references(turn.query, limits.name),
        imagined=shorten_json(turn.imagined.description, limits.text) if turn.imagined else None,
        imagined_by=turn.imagined.origin if turn.imagined else None,
        hits=brief_hits(turn.hits, limits),
        warnings=result_notes(result)
        + [shorten_json(warning, limits.text // 2) for warning in result.warnings[:MAX_WARNINGS]],
    )


def _compose_search(engine: Engine, arguments: ComposeSearchArguments) -> Answer:
    return search_answer(
        engine.search(
            named(arguments.reference),
            arguments.modification,
            k=arguments.k,
            weight=arguments.weight,
            where=arguments.where,
        )
    )


def _refine_search(engine: Engine, arguments: RefineSearchArguments) -> Answer:
    turn = find_turn(engine, arguments.turn).id
    return search_answer(
        engine.refine(
            turn,
            arguments.modification,
            reference=None if arguments.reference is None else named(arguments.reference),
            liked=arguments.liked,
            disliked=arguments.disliked,
            k=arguments.k,
        )
    )


def _find_images(engine: Engine, arguments: FindImagesArguments) -> Answer:
    return search_answer(engine.find(arguments.text, k=arguments.k, where=arguments.where))


COMPOSE_SEARCH = Tool(
    name="compose_search",
    title="Search with a picture and a change",
    description=(
        "Find pictures that are like a reference picture, but changed as a text describes: 'this one, but in blue'; or "
        "like parts of several: 'the pattern of this one on the cut of that one'. "
        "Returns a turn id and ranked picture ids; a picture id can be the reference of the next search."
    ),
    arguments=ComposeSearchArguments,
    brief=SearchBrief,
    run=_compose_search,
)

REFINE_SEARCH = Tool(
    name="refine_search",
    title="Go on from a search",
    description=(
        "Go on from an earlier turn of any search: a further edit, another hit as the new `reference`, more like "
        "some hits (`liked`), less like others (`disliked`), or all at once. Returns a new turn; earlier turns never "
        "change, so refining an older turn is an undo, and refining one turn twice makes a branch."
    ),
    arguments=RefineSearchArguments,
    brief=SearchBrief,
    run=_refine_search,
)

FIND_IMAGES = Tool(
    name="find_images",
    title="Search with words",
    description=(
        "Find pictures by words alone, for instance to get a first reference for compose_search. "
        "Returns a turn id, which refine_search can go on from, and ranked picture ids."
    ),
    arguments=FindImagesArguments,
    brief=SearchBrief,
    run=_find_images,
)
