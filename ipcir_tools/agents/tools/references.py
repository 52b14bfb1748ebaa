"""The references of a search as a model writes them: one, or a list with a note on what is meant of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, WithJsonSchema

from ipcir_tools.agents.tools.tool import Brief
from ipcir_tools.arguments import Arguments
from ipcir_tools.bounds import MAX_NOTE, MAX_REFERENCES
from ipcir_tools.display.results import references_json
from ipcir_tools.text import shorten_json
from ipcir_tools.types import ComposedQuery

SEVERAL = (
    f"Up to {MAX_REFERENCES} come as a JSON list, each with a note on what is meant of it: "
    '[ID, {"reference": ID, "note": "its collar"}]'
)
"""Part of the description of an argument that takes several references."""


class NotedPicture(Arguments):
    """A picture, and what is meant of it."""

    reference: str = Field(description="The picture, as a single reference is named.")
    note: str = Field(default="", max_length=MAX_NOTE, description="What is meant of it, such as 'its collar'.")


ReferenceArgument = Annotated[str | list[str | NotedPicture], WithJsonSchema({"type": "string"})]
"""An argument that takes one reference or a list. Its schema is a text alone: a list may come as JSON in it."""


def named(argument: str | Sequence[str | NotedPicture]) -> str | list[str | tuple[str, str]]:
    """The argument as the engine takes references."""
    if isinstance(argument, str):
        return argument
    return [each if isinstance(each, str) else (each.reference, each.note) for each in argument]


class ReferenceBrief(Brief):
    """One of several references, as the next search may name it again."""

    reference: str
    note: str


def brief_references(query: ComposedQuery, limit: int) -> list[ReferenceBrief]:
    """The references of a query, each note within ``limit`` characters; none where one says it all by its id."""
    return [
        ReferenceBrief(reference=each["reference"], note=shorten_json(each["note"], limit))
        for each in references_json(query)
    ]
