"""What the tools' definitions cost a model, and that strict APIs and both faces take them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

from ipcir_tools.agents.toolkit import langchain_tool
from ipcir_tools.agents.tools import TOOLS

MAX_TOKENS = 1_800
CHARACTERS_PER_TOKEN = 4
"""Of compact JSON. tiktoken's o200k_base, which is no part of the tests, for it has to be downloaded, counts 6% fewer
tokens in these definitions."""
STRICT = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description"} | {
    "minimum", "maximum", "minItems", "maxItems",
}  # fmt: skip
"""Keywords of OpenAI's strict mode that the tools use. Not among those it takes: default, title, minLength."""


def definitions(strict: bool | None = None) -> list[dict[str, Any]]:
    """All tools as OpenAI's API gets them."""
    return [convert_to_openai_tool(langchain_tool(tool, None), strict=strict) for tool in TOOLS.values()]  # type: ignore[arg-type]


def inner(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all within it."""
    yield schema
    items = [schema["items"]] if "items" in schema else []
    for each in [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *items]:
        yield from inner(each)


def test_all_definitions_together_are_short():
    text = json.dumps(definitions(), ensure_ascii=False, separators=(",", ":"))
    assert len(text) / CHARACTERS_PER_TOKEN <= MAX_TOKENS


@pytest.mark.parametrize("tool", definitions(strict=True), ids=TOOLS)
def test_strict_mode_takes_them(tool):
    function = tool["function"]
    assert function["strict"] is True
    for schema in inner(function["parameters"]):
        assert set(schema) <= STRICT
        if schema.get("type") == "object":
            assert schema["required"] == list(schema["properties"])
            assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", TOOLS)
def test_what_a_strict_model_must_write_for_nothing_is_read_as_nothing(name):
    """Strict mode makes a model give every argument: null for a number, an empty text or list for the others."""
    arguments = TOOLS[name].arguments
    nothing = {"integer": None, "number": None, "string": "", "array": []}
    optional = {
        field: each
        for field, each in TOOLS[name].schema["properties"].items()
        if field not in TOOLS[name].schema["required"]
    }
    empty = {field: nothing[kind(each)] for field, each in optional.items() if "enum" not in each}
    given = dict.fromkeys(TOOLS[name].schema["required"], "a")
    if name in ("imagine_target", "encode"):
        given["reference"] = "a"
        empty.pop("reference")
    assert arguments.model_validate(given | empty) == arguments.model_validate(given)


def kind(schema: dict[str, Any]) -> str:
    return schema["type"][0] if isinstance(schema["type"], list) else schema["type"]


@pytest.mark.parametrize("name", TOOLS)
def test_no_titles_and_no_unions_with_null(name):
    tool = TOOLS[name]
    assert '"title"' not in json.dumps([tool.schema, tool.answer_schema])
    assert "anyOf" not in json.dumps(tool.schema)
    assert convert_to_openai_tool(langchain_tool(tool, None))["function"]["parameters"] == tool.schema  # type: ignore[arg-type]
