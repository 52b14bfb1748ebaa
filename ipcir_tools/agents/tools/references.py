"""The references of a search as a model writes them: one, or a list with a note on what is meant of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ipcir_tools.agents.tools.tool import Arguments, Brief
from ipcir_tools.display.results import references_json
from ipcir_tools.engine.reference_list import MAX_REFERENCES
from ipcir_tools.engine.validation import MAX_NOTE
from ipcir_tools.text import shorten_json
from ipcir_tools.types import ComposedQuery

SEVERAL = (
    f" Several pictures, up to {MAX_REFERENCES}, come as a list, each with a note on what is meant of it: "
    'for a picture like the first with the collar of the second, [ID, {"reference": ID, "note": "its collar"}].'
)
"""Part of the description of an argument that takes several references."""


def read_rank(value: Any) -> Any:
    """A rank that was written as 3.0, as 3; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class NotedPicture(Arguments):
    """A picture, and what is meant of it."""

    reference: Annotated[str, BeforeValidator(read_rank)] = Field(
        description="The picture, as a single reference is named."
    )
    note: str = Field(default="", max_length=MAX_NOTE, description="What is meant of it, such as 'its collar'.")


def _read(value: Any) -> Any:
    """Accept a list or an object that is written as text, an object without its list, and a rank as 3.0."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, dict):
        value = [value]
    return [read_rank(each) for each in value] if isinstance(value, list | tuple) else read_rank(value)


ReferenceArgument = Annotated[str | list[str | NotedPicture], BeforeValidator(_read)]
"""An argument that takes one reference or a list."""


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
