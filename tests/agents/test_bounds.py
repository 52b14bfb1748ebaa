"""Whatever an agent writes is refused with the field's name before a store or a model is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ipcir_tools import bounds
from ipcir_tools.agents.toolkit import langchain_tool
from ipcir_tools.agents.tools import INDEX_PICTURES, TOOLS, ToolCallError
from ipcir_tools.bounds import BOUNDS, MAX_FILTER_VALUES, check_call
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.retriever import read_call
from ipcir_tools.store.filters import condition

EVERY = {**TOOLS, INDEX_PICTURES.name: INDEX_PICTURES}
DEEP: Any = []
for _ in range(5_000):
    DEEP = [DEEP]
LONG = {
    "a megabyte": "x" * 1_000_000,
    "a path without end": "a/" * 200_000,
    "a list without end": "a," * 200_000,
    "a list of bytes and more": "[" + '"data:image/png;base64,AAAA",' * 5_000 + "]",
    "deep JSON": "[" * 100_000,
    "deep JSON, closed": "[" * 50_000 + "]" * 50_000,
    "a number without end": "9" * 30_000,
}
MARKED = {
    "NUL": "a\0b",
    "a terminal's escape": "a\x1b[2Jb",
    "half a character": "a\ud800b",
    "right to left": "a\u202eb",
    "an isolate": "a\u2066b",
    "C1": "a\x9bb",
}
NUMBERS = {"65 bits": 2**64, "400 digits": 10**400, "5,000 digits": -(10**5_000)}
WIDE_FILTER = {"$and": [{"$or": [{"$or": [{"width": 1}] * 10}] * 500}] * 500}


class Untouched:
    """An engine of which nothing may be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


def fields_of(model: type[BaseModel], before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where every field of the arguments is, those of objects in lists included."""
    for name, field in model.model_fields.items():
        yield (*before, name)
        for inner in models_in(field.annotation):
            yield from fields_of(inner, (*before, name, 0))


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for each in get_args(kind):
        yield from models_in(each)


def placed(where: tuple[str | int, ...], value: Any) -> Any:
    """A call with a value at that place, and what else it needs."""
    for part in reversed(where):
        value = [value] if isinstance(part, int) else {part: value}
    return value


PLACES = [(name, where) for name, tool in EVERY.items() for where in fields_of(tool.arguments)]


def refused(name: str, call: Any) -> str:
    tool = EVERY[name]
    with pytest.raises(ToolCallError) as caught:
        tool.call(Untouched(), tool.read(call))
    told = str(caught.value)
    assert "failed inside" not in told
    assert len(told) <= 600
    assert told.isprintable()
    return told


@pytest.mark.parametrize(("name", "where"), PLACES, ids=lambda each: str(each))
def test_no_field_of_any_tool_takes_what_is_hostile(name, where):
    for kind, value in {**LONG, **MARKED, **NUMBERS, "deep": DEEP, "wide": ["a"] * 10_000}.items():
        told = refused(name, placed(where, value))
        assert where[0] in told, (kind, told)


@pytest.mark.parametrize("name", EVERY)
def test_no_call_as_a_whole_is_without_bounds(name):
    assert "arguments" in refused(name, {f"a{n}": 1 for n in range(1_000)})
    assert "name" in refused(name, {"x" * 1_000_000: 1})
    assert "the call" in refused(name, "{" + '"a": 1,' * 100_000)
    for value in (DEEP, None, b"x"):
        assert refused(name, value)


@pytest.mark.parametrize("name", [name for name, tool in EVERY.items() if "where" in tool.arguments.model_fields])
def test_a_filter_has_a_bounded_number_of_values(name):
    for where in (WIDE_FILTER, json.dumps({"name": {"$in": ["x"] * 600}}), {"width": float("nan")}, '{"width": NaN}'):
        assert "where" in refused(name, {"where": where})
    for where in ({"name": "x" * 1_001}, {"na\0me": 1}, {"name": "x\0"}, {"$and": DEEP}):
        assert "where" in refused(name, {"where": where})


@pytest.mark.parametrize(("name", "where"), PLACES, ids=lambda each: str(each))
def test_langchain_says_the_same(name, where):
    tool = langchain_tool(EVERY[name], Untouched())
    for value in ("x" * 1_000_000, "a\0b", 2**64, ["a"] * 10_000, DEEP):
        told = tool.invoke({"type": "tool_call", "id": "1", "name": name, "args": placed(where, value)})
        assert told.status == "error"
        assert where[0] in told.text


@pytest.mark.parametrize("field", ["reference", "turn", "liked", "where", "k", "composer", "verify"])
def test_a_retriever_says_the_same(field):
    for value in ("x" * 1_000_000, "a\0b", 2**64, ["a"] * 10_000, DEEP):
        with pytest.raises(InvalidRequestError, match=field):
            read_call({field: value})


def test_a_program_is_bounded_where_it_is_cheap():
    for where in (WIDE_FILTER, {"$and": [{"name": {"$in": ["x"] * 400}}] * 10}, {"name": {"$in": ["x"] * 600}}):
        with pytest.raises(InvalidRequestError, match="filter cannot be read"):
            condition(where)


# --- the table


def test_every_argument_has_a_row_or_is_a_number_a_choice_or_a_name():
    known = {name for _, where in PLACES for name in where if isinstance(name, str)}
    assert known - BOUNDS.keys() == {"k", "weight", "turn", "handle", "limit", "under", "layout", "captions"}


class Counted:
    """A list or an object that counts how much of it is looked at."""

    looked = 0


class CountedList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        for each in super().__iter__():
            Counted.looked += 1
            yield each


def test_a_refusal_looks_at_no_more_than_may_be_there():
    Counted.looked = 0
    for field in BOUNDS:
        with pytest.raises(ValueError, match=field):
            check_call({field: CountedList(CountedList(["a"] * 1_000) for _ in range(1_000))})
    assert Counted.looked == 0, "a list that is too long is refused by its length"
    with pytest.raises(ValueError, match="where"):
        check_call({"where": CountedList(CountedList(["a"] * 400) for _ in range(400))})
    assert Counted.looked <= 2 * MAX_FILTER_VALUES


def test_pictures_as_bytes_have_their_own_limit():
    picture = "data:image/png;base64," + "A" * 10_000_000
    for value in (picture, [picture, {"reference": picture, "note": "its collar"}], json.dumps([picture] * 4)):
        check_call({"reference": value})
    with pytest.raises(ValueError, match="liked: has"):
        check_call({"liked": "data:" + "a," * 1_000_000})
    with pytest.raises(ValueError, match="liked: has"):
        check_call({"liked": "data:image/png;base64," + "A\n" * 1_000_000})


ORDINARY = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Cn", "Co")), max_size=200)


@given(ORDINARY)
def test_ordinary_words_of_any_language_pass(text):
    check_call({"modification": text, "reference": text, "where": {"name": text}}, read=True)


MARKED_WORDS = {
    "Persian": "\u0645\u06cc\u200c\u062e",
    "an emoji of several": "\U0001f469\u200d\U0001f680",
    "lines": "in\nblue\t",
    "right to left": "\u200f\u0645",
}


@pytest.mark.parametrize("text", MARKED_WORDS.values(), ids=MARKED_WORDS)
def test_marks_that_writing_needs_pass(text):
    check_call({"modification": text}, read=True)


def test_the_walk_needs_no_recursion():
    assert sum(1 for _ in bounds._walk("where", DEEP)) == 5_001
