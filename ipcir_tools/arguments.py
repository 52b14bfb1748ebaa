"""Arguments as language models and their clients write them, read by the types that are declared for them.

Models write ``"5"`` for 5, ``"1, 2"`` for a list, a list or an object as JSON in a string, ``""`` or ``"null"`` for
nothing. Every face reads them here: LangChain's tools, the retriever and the MCP server.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ipcir_tools.bounds import check_call
from ipcir_tools.text import shorten_json

ERROR_CAP = 600
"""Characters of an error message."""

_NOTHING = {"", "null", "none", "undefined"}
_BOOLEANS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
_WHOLE = re.compile(r"([+-]?\d{1,18})(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_NAMES = re.compile(
    r"#?(?:\d{1,4}|[0-9a-f]{6,16})(?:(?:\s*(?:[,;]|\band\b)\s*|\s+)#?(?:\d{1,4}|[0-9a-f]{6,16}))+", re.IGNORECASE
)
_INSTANCE = re.compile(r"Input should be a valid dictionary(?: or instance of \w+)?")
"""What pydantic says of anything but an object."""
_MAX_LITERAL = 2_000
"""Characters of a list or object in Python's notation, with single quotes, that is read."""


class Arguments(BaseModel):
    """Named arguments. Each is read by its declared type; unknown ones are an error, which names those that exist."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        check_call(values)
        values = _parsed(values)
        required = [name for name, field in cls.model_fields.items() if field.is_required()]
        if isinstance(values, str | int | float) and len(required) == 1:
            values = {required[0]: values}
        if not isinstance(values, dict):
            return values
        check_names(values, cls.model_fields)
        check_call(values)
        read = {name: read_value(cls.model_fields[name].annotation, value) for name, value in values.items()}
        check_call(read, read=True)
        return {name: value for name, value in read.items() if value is not None or name in required}


def check_names(given: Collection[Any], known: Collection[str]) -> None:
    """Raises ValueError for names that are not among the ``known``; it lists them, and the one that is meant."""
    unknown = [str(name) for name in given if name not in known]
    if not unknown:
        return
    names = ", ".join(f"'{shorten_json(name, 40)}'" for name in unknown[:3])
    near = get_close_matches(unknown[0][:40].strip().lower(), known, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"there is no argument {names}{meant}: there are {', '.join(known) or 'none'}")


# --- reading by type


def read_value(kind: Any, value: Any) -> Any:
    """``value`` as the type ``kind`` has it where it is another way to write one; None for nothing; else unchanged."""
    kinds = _kinds(kind)
    if Any in kinds:
        return value
    others = [each for each in kinds if each is not NoneType]
    if isinstance(value, str) and str not in others and value.strip().lower() in _NOTHING:
        return None
    read = _read_as(others[0], value) if len(others) == 1 else _read_union(others, value)
    is_empty = read == [] or (isinstance(read, str) and read.strip().lower() in _NOTHING)
    return None if NoneType in kinds and is_empty else read


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The members of a union; a type that is none alone."""
    if get_origin(kind) is Annotated:
        return _kinds(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(each for member in get_args(kind) for each in _kinds(member))
    return (kind,)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple, Sequence) or kind is list


def _is_object(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping) or (isinstance(kind, type) and issubclass(kind, dict | BaseModel))


def _read_union(kinds: Sequence[Any], value: Any) -> Any:
    value, lists = _parsed(value), next(filter(_is_list, kinds), None)
    if isinstance(value, str) and lists is not None and _NAMES.fullmatch(value.strip()):
        value = _split(value)
    is_several = isinstance(value, list | tuple | dict)
    if lists is not None and is_several and not (isinstance(value, dict) and any(map(_is_object, kinds))):
        return _read_as(lists, value)
    if int in kinds and isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return _read_whole(value)
    return _read_text(value) if str in kinds and int not in kinds else value


def _read_as(kind: Any, value: Any) -> Any:
    if _is_list(kind):
        return _read_list(get_args(kind)[0] if get_args(kind) else Any, value)
    if isinstance(value, list | tuple) and len(value) == 1:  # a list of one for a single value
        value = value[0]
    if kind is str and isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        value = ", ".join(value)  # several texts for one
    if _is_object(kind):
        return _parsed(value)
    if get_origin(kind) is Literal:
        return _read_choice(get_args(kind), value)
    read = {bool: _read_boolean, int: _read_whole, float: _read_number, str: _read_text}.get(kind)
    return read(value) if read else value


def _read_list(kind: Any, value: Any) -> list[Any]:
    value = _parsed(value)
    if isinstance(value, str):
        value = _split(value)
    items = list(value) if isinstance(value, list | tuple) else [value]
    read = (read_value(kind, item) for item in items)
    return [item for item in read if item is not None and item != ""]


def _split(text: str) -> list[str]:
    """The parts of ``1, 2`` and of ``1 and 2``; a text that is no row of ids and ranks is split at commas alone."""
    if _NAMES.fullmatch(text.strip()):
        return [part for part in re.split(r"[,;\s]+|\band\b", text) if part]
    parts = re.split(r"[,;\n]", text)
    return [part.strip().strip("'\"") for part in parts]


def _read_choice(choices: Sequence[Any], value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return next((each for each in choices if str(each).lower() == value.strip().lower()), value)


def _read_boolean(value: Any) -> Any:
    return _BOOLEANS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _read_whole(value: Any) -> Any:
    if isinstance(value, str) and (found := _WHOLE.fullmatch(value.strip())):
        return int(found[1])
    return int(value) if isinstance(value, float) and value.is_integer() else _without_boolean(value)


def _read_number(value: Any) -> Any:
    is_number = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    return float(value) if is_number else _without_boolean(value)


def _without_boolean(value: Any) -> Any:
    """``true`` as a word, which is refused as a number; Python would take it for 1."""
    return str(value).lower() if isinstance(value, bool) else value


def _read_text(value: Any) -> Any:
    """A number, such as a rank, as text, 3.0 as 3; ``null`` as nothing."""
    if isinstance(value, str) and value.strip().lower() in ("null", "undefined"):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else value


def _parsed(value: Any) -> Any:
    """The list or object that a text holds, in JSON or in Python's notation, or that text in JSON again."""
    text = value.strip() if isinstance(value, str) else ""
    if text[:1] == '"' and text[1:2] in ("[", "{"):
        text = _loaded(text) if isinstance(_loaded(text), str) else ""
    if text[:1] not in ("[", "{") or text[-1:] not in ("]", "}"):
        return value
    found = _loaded(text)
    return found if isinstance(found, list | dict) else value


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text) if len(text) <= _MAX_LITERAL else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


# --- what is wrong


def validation_message(error: ValidationError) -> str:
    """What is wrong with the arguments of a call, for the model, without repeating their values."""
    errors = [(each["loc"], each["msg"]) for each in error.errors(include_input=False, include_url=False)]
    problems = dict.fromkeys(_problem(*each) for each in _nearest(errors)[:8])
    return wrong_arguments("; ".join(problems))


def wrong_arguments(problems: str) -> str:
    """The same of what is known to be wrong."""
    return shorten_json(f"The arguments are wrong; correct them and call again. {problems}", ERROR_CAP)


Location = tuple[int | str, ...]


def _nearest(errors: list[tuple[Location, str]]) -> list[tuple[Location, str]]:
    """Of an argument with several forms, only what is wrong with the form that was written: the deepest errors."""
    forms = {location[0] for location, _ in errors if any(map(_is_form, location[1:]))}
    deepest = {name: max(len(location) for location, _ in errors if location[:1] == (name,)) for name in forms}
    return [each for each in errors if not each[0] or len(each[0]) == deepest.get(each[0][0], len(each[0]))]


def _is_form(part: int | str) -> bool:
    """Whether a part of pydantic's location names a member of a union: ``str``, ``list[...]``, ``NotedPicture``."""
    return isinstance(part, str) and (part == "str" or "[" in part or part[:1].isupper())


def _problem(location: Location, message: str) -> str:
    named = location[:1] + tuple(part for part in location[1:] if not _is_form(part))
    where = shorten_json(".".join(map(str, named)), 60)
    text = _INSTANCE.sub("Input should be a JSON object", message.removeprefix("Value error, "))
    return f"{where}: {text}" if where else text
