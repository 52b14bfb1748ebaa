"""Checking the JSON schema of a reply in the front matter of a prompt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from ipcir_tools.text import shorten

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


MAX_NUMBER = 2**53
"""The largest number that every JSON parser reads exactly."""

Type = Literal["string", "number", "integer", "boolean", "object", "array", "null"]
Types = Annotated[
    list[Type], BeforeValidator(lambda value: value if isinstance(value, list) else [value]), Field(min_length=1)
]


class JSONSchema(BaseModel):
    """The checked keywords of a JSON schema; a server is sent all others unchecked."""

    type: Types = ["object"]
    properties: dict[str, JSONSchema] = {}
    items: Annotated[JSONSchema | None, BeforeValidator(lambda value: value if isinstance(value, dict) else None)] = (
        None  # "items: true" is valid, too
    )


def check_reply_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, if a server can enforce it for a reply. Raises ``ValueError`` otherwise.

    Stricter than JSON Schema, like the strict mode of the servers: an object, in which each property has a type.
    """
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not properties:
        raise ValueError("write 'text', or a JSON schema with 'type: object' and 'properties'")
    untyped = [str(name) for name, each in properties.items() if not isinstance(each, dict) or "type" not in each]
    if untyped:
        raise ValueError(f"give each property a type: {', '.join(untyped)}")
    try:
        JSONSchema.model_validate(schema)
    except ValidationError as error:
        raise ValueError(describe_faults(error)) from error
    return schema


def describe_faults(error: ValidationError) -> str:
    """The faults that pydantic found on one line, each with its place."""
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {_message(fault)}" for fault in error.errors())


def _message(fault: ErrorDetails) -> str:
    """The message of a fault; for a value that is not one of a list, with the value, which pydantic leaves out."""
    if fault["type"] != "literal_error":
        return fault["msg"]
    return f"{fault['msg']}, not {shorten(json.dumps(fault['input'], default=str), 40)}"
