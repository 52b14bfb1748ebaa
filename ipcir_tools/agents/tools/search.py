"""The searches: from a picture and words, from an earlier turn, from words alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from ipcir_tools.agents.tools.answers import HitBriefs, brief_folder, brief_hits, find_turn, fit_brief, names_of
from ipcir_tools.agents.tools.references import (
    SEVERAL,
    ReferenceArgument,
    ReferenceBrief,
    brief_references,
    named,
)
from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Tool
from ipcir_tools.arguments import Arguments
from ipcir_tools.display.results import DATA_NOTICE, MAX_WARNINGS, TextLimits, result_json, result_notes, result_text
from ipcir_tools.engine.file_names import FileNames
from ipcir_tools.engine.validation import filter_object
from ipcir_tools.store.filters import GRAMMAR
from ipcir_tools.text import shorten_json
from ipcir_tools.types import SearchResult

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


AGENT_K = 5
"""Hits without a number given: enough to choose from, short to read."""
MAX_AGENT_K = 50

K = f"How many pictures, 1 to {MAX_AGENT_K}; {AGENT_K} unless asked."


WhereArgument = Annotated[dict[str, Any] | None, BeforeValidator(filter_object), WithJsonSchema({"type": "string"})]
"""A filter. Its schema is a text alone, JSON: strict APIs take no free-form object."""

WHERE = f"JSON, only if asked for. {GRAMMAR}"
SAME_WHERE = "Filter, as in find_images."


class ComposeSearchArguments(Arguments):
    """Arguments of ``compose_search``."""

    reference: ReferenceArgument = Field(
        description=f"Picture to start from: id of a hit, or a file of the gallery. {SEVERAL}."
    )
    modification: str = Field(
        description="What should be different: 'in blue with long sleeves'. Empty if notes say it all."
    )
    k: int = Field(default=AGENT_K, ge=1, le=MAX_AGENT_K, description=K)
    weight: float | None = Field(
        default=None, ge=0.0, le=1.0, description="0: only the picture; 1: only the text. Usually null."
    )
    where: WhereArgument = Field(default=None, description=SAME_WHERE)


class RefineSearchArguments(Arguments):
    """Arguments of ``refine_search``."""

    turn: str = Field(description="Turn id to go on from; an earlier one undoes what came after it.")
    modification: str = Field(default="", description="A further edit: 'and shorter'. Earlier edits still hold.")
    reference: ReferenceArgument | None = Field(
        default=None, description="New reference(s): a hit's rank in that turn, or as in compose_search."
    )
    liked: list[str] = Field(default_factory=list, description="Find more like these: ids or ranks.")
    disliked: list[str] = Field(default_factory=list, description="Find less like these: ids or ranks.")
    k: int | None = Field(default=None, ge=1, le=MAX_AGENT_K, description="How many; null: as before.")


class FindImagesArguments(Arguments):
    """Arguments of ``find_images``."""

    text: str = Field(description="What the pictures should show.")
    where: WhereArgument = Field(default=None, description=WHERE)
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
    folder: str | None
    """The folder that all hits are in, as far as the settings show it."""
    hits: HitBriefs
    warnings: list[str]


def search_answer(engine: Engine, result: SearchResult) -> Answer:
    """A search's result as an answer."""
    names = names_of(engine, result.turn.hits)
    return Answer(
        result_text(result, names=names),
        fit_brief(partial(_brief, result, names), result.turn.hits),
        result_json(result),
    )


def _brief(result: SearchResult, names: FileNames, limits: TextLimits) -> SearchBrief:
    turn = result.turn
    return SearchBrief(
        turn=turn.id,
        parent=turn.parent,
        reference=turn.query.reference,
        references=brief_references(turn.query, limits.name),
        imagined=shorten_json(turn.imagined.description, limits.text) if turn.imagined else None,
        imagined_by=turn.imagined.origin if turn.imagined else None,
        folder=brief_folder(names, limits),
        hits=brief_hits(turn.hits, limits, names),
        warnings=result_notes(result)
        + [shorten_json(warning, limits.text // 2) for warning in result.warnings[:MAX_WARNINGS]],
    )


def _compose_search(engine: Engine, arguments: ComposeSearchArguments, context: CallContext) -> Answer:
    return search_answer(
        engine,
        engine.search(
            named(arguments.reference),
            arguments.modification,
            k=arguments.k,
            weight=arguments.weight,
            where=arguments.where,
        ),
    )


def _refine_search(engine: Engine, arguments: RefineSearchArguments, context: CallContext) -> Answer:
    turn = find_turn(engine, arguments.turn).id
    return search_answer(
        engine,
        engine.refine(
            turn,
            arguments.modification,
            reference=None if arguments.reference is None else named(arguments.reference),
            liked=arguments.liked,
            disliked=arguments.disliked,
            k=arguments.k,
        ),
    )


def _find_images(engine: Engine, arguments: FindImagesArguments, context: CallContext) -> Answer:
    return search_answer(engine, engine.find(arguments.text, k=arguments.k, where=arguments.where))


COMPOSE_SEARCH = Tool(
    name="compose_search",
    title="Search with a picture and a change",
    description=(
        "Find pictures like a reference picture, but changed as a text says: 'this one, but in blue'; or like parts of "
        "several. Returns a turn id and ranked hits; a hit's id can be the next reference."
    ),
    arguments=ComposeSearchArguments,
    brief=SearchBrief,
    run=_compose_search,
)

REFINE_SEARCH = Tool(
    name="refine_search",
    title="Go on from a search",
    description=(
        "Go on from the turn of any search: a further edit, another reference, liked or disliked hits. Returns a new "
        "turn. Turns never change: refine an earlier one to undo, refine one twice to branch."
    ),
    arguments=RefineSearchArguments,
    brief=SearchBrief,
    run=_refine_search,
)

FIND_IMAGES = Tool(
    name="find_images",
    title="Search with words",
    description="Find pictures by words alone, for instance a first reference. Returns a turn id and ranked hits.",
    arguments=FindImagesArguments,
    brief=SearchBrief,
    run=_find_images,
)
