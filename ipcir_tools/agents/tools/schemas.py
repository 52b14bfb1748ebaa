"""JSON schemas as models and strict APIs take them: short, without references, titles and defaults."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_DROPPED = ("title", "default", "minLength", "maxLength")
"""What costs a model tokens or is refused by OpenAI's strict mode; the arguments are checked in any case."""


def argument_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's arguments.

    It holds to OpenAI's strict mode as langchain-openai completes it: no references, no free-form objects, closed
    objects. What may be left out is null where it is a number (a list of types), empty where it is a text or a list.
    """
    whole = model.model_json_schema()
    defined = whole.pop("$defs", {})
    whole.pop("description", None)
    schema: dict[str, Any] = _clean(whole, defined)
    return schema | {"required": whole.get("required", [])}


def answer_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's answer, without titles."""
    schema: dict[str, Any] = _untitled(model.model_json_schema(mode="serialization"))
    return schema


def _clean(schema: dict[str, Any], defined: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        referred = dict(defined[schema["$ref"].rpartition("/")[2]])
        referred.pop("description", None)  # the docstring of a class is for programmers
        schema = referred | {name: value for name, value in schema.items() if name != "$ref"}
    if "anyOf" in schema:
        schema = _without_null(schema)
    made = {name: value for name, value in schema.items() if name not in _DROPPED}
    if "properties" in made:
        made["properties"] = {name: _clean(each, defined) for name, each in made["properties"].items()}
    if "items" in made:
        made["items"] = _clean(made["items"], defined)
    return made


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of something or null: numbers may be null, an empty text or list is nothing anyway."""
    given = [each for each in schema["anyOf"] if each != {"type": "null"}]
    others = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(given) != 1:
        return others | {"anyOf": given}
    one = dict(given[0])
    if one.get("type") in ("integer", "number"):
        one["type"] = [one["type"], "null"]
    return one | others


def _untitled(value: Any, *, names: bool = False) -> Any:
    """A schema without titles. ``names``: the keys of ``value`` are names of properties or definitions."""
    if isinstance(value, list):
        return [_untitled(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _untitled(each, names=name in ("properties", "$defs") and not names)
        for name, each in value.items()
        if names or name != "title"
    }
