"""Reading annotation files: errors name the file, the entry and its fields, and where to get the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ipcir_tools.errors import InvalidRequestError, NotFoundError


class Item(BaseModel):
    """One entry of an annotation file; fields that are not needed are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


ItemT = TypeVar("ItemT", bound=Item)
NAMES = TypeAdapter(list[str])
PATHS = TypeAdapter(dict[str, str])
Content = TypeVar("Content")


def find_annotation(folder: Path, names: Sequence[str], source: str) -> Path:
    """The first of ``names`` that is a file below ``folder``.

    Raises NotFoundError, which names the file and ``source``, where to get it.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    other = f" (or as {', '.join(names[1:])})" if names[1:] else ""
    raise NotFoundError(f"{names[0]} is missing in {folder}{other}: get it from {source}.")


def read_json(path: Path, source: str) -> Any:
    """The content of a JSON file. Raises InvalidRequestError where it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{path} cannot be read as JSON ({error}): get it again from {source}.") from error


def read_items(path: Path, kind: type[ItemT], source: str, name: str = "id") -> list[ItemT]:
    """The entries of a JSON list.

    Raises InvalidRequestError, which names the first wrong entry, by its place and its field ``name``, and its fields.
    """
    content = read_json(path, source)
    if not isinstance(content, list) or not content:
        raise InvalidRequestError(f"{path} should be a list of queries: get it again from {source}.")
    items, wrong = [], []
    for i, each in enumerate(content):
        try:
            items.append(kind.model_validate(each))
        except ValidationError as error:
            named = f" ({each[name]})" if isinstance(each, dict) and name in each else ""
            wrong.append(f"item {i}{named}: {field_errors(error)}")
    check_none(path, wrong, source)
    return items


def read_as(path: Path, kind: TypeAdapter[Content], source: str) -> Content:
    """A JSON file of one type. Raises InvalidRequestError."""
    try:
        return kind.validate_python(read_json(path, source))
    except ValidationError as error:
        raise InvalidRequestError(f"{path}: {field_errors(error)}: get it again from {source}.") from error


def field_errors(error: ValidationError) -> str:
    """Which fields are wrong, and why, on one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'the entry'}: {each['msg'].lower()}"
        for each in error.errors(include_url=False)[:4]
    )


def check_none(path: Path, wrong: Sequence[str], source: str) -> None:
    """Raise InvalidRequestError if anything is ``wrong``, with the first, and how many more there are."""
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        raise InvalidRequestError(f"{path}, {wrong[0]}{more}: get it again from {source}.")


def unknown(named: Iterable[tuple[str, Iterable[str]]], known: Mapping[str, Any], where: str) -> list[str]:
    """A line for each name, of the pairs (place, names), that is not among the ``known``."""
    return [f"{place}: {name} is not in {where}" for place, names in named for name in names if name not in known]


def repeated(ids: Iterable[str]) -> list[str]:
    """A line for each id that occurs more than once."""
    return [f"the id {id_} occurs {count} times" for id_, count in Counter(ids).items() if count > 1]


# --- pictures

PossiblePaths = Callable[[str], Sequence[str]]
"""The relative paths that a picture of this name may have; the first is the official one."""


def locate(names: Iterable[str], possible_paths: PossiblePaths, folder: Path | None, source: str) -> dict[str, str]:
    """The relative path of each picture: the first of its possible paths that exists.

    Without a folder the official one. Raises NotFoundError where the folder, or any picture in it, is missing.
    """
    if folder is None:
        return {name: possible_paths(name)[0] for name in names}
    check_folder(folder)
    if not folder.is_dir():
        raise NotFoundError(f"The folder of pictures {folder} does not exist: get them from {source}.")
    present, paths, missing = _Present(folder), {}, []
    for name in names:
        found = next((path for path in possible_paths(name) if path in present), None)
        if found is None:
            missing.append(possible_paths(name)[0])
        else:
            paths[name] = found
    if missing:
        total = len(paths) + len(missing)
        raise NotFoundError(
            f"{len(missing):,} of {total:,} pictures are missing in {folder}, the first is {missing[0]}:"
            f" get them from {source}."
        )
    return paths


def check_folder(pictures: Path) -> None:
    """Raise InvalidRequestError where a file was given instead of a folder of pictures."""
    if pictures.is_file():
        raise InvalidRequestError(f"{pictures} is a file: name the folder that the pictures are in with --pictures.")


class _Present:
    """The files below a folder; every folder is listed once, because checking each file is slow."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[str, set[str]] = {}

    def __contains__(self, path: str) -> bool:
        parent, _, name = path.rpartition("/")
        if parent not in self._listed:
            folder = self._root / parent
            self._listed[parent] = {each.name for each in folder.iterdir()} if folder.is_dir() else set()
        return name in self._listed[parent]


def pictures_or(folder: Path, given: Path | None, *official: str) -> Path | None:
    """The folder of pictures: the given one, else the official one below ``folder`` if it is there."""
    if given is not None:
        return given
    return next((folder / name for name in official if (folder / name).is_dir()), None)
