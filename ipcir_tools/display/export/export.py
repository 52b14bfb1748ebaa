"""Export of a turn's hits, by the name of the target: a folder, or a CSV, HTML or JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from ipcir_tools.display.export.folder import copy_hits
from ipcir_tools.display.export.page import page_html
from ipcir_tools.display.export.table import hits_csv
from ipcir_tools.display.results import result_json
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.files import output
from ipcir_tools.settings import Settings
from ipcir_tools.types import SearchResult, Skip, Turn, Value

_ADVICE = "name a folder, or a file of another name"


class ExportReport(Value):
    """What an export did; for a folder ``written + known + len(skipped) == hits``."""

    to: str
    hits: int
    written: int
    known: int = 0
    """Files that were there already, from an export before."""
    skipped: tuple[Skip, ...] = ()
    """Hits that could not be copied or drawn, and why."""


def export_turn(turn: Turn, to: Path, settings: Settings) -> ExportReport:
    """Copy the hits into the folder ``to``, or write the file ``to`` that lists or draws them.

    A file that is there is never overwritten: a copy gets another name. Raises InvalidRequestError for a target that
    cannot be written, or is there already.
    """
    place = to.expanduser()
    kind = place.suffix.lower()
    if kind in _FILES and not place.is_dir():
        return _write(turn, place, *_FILES[kind](turn, settings))
    if kind and not place.is_dir() and not str(to).endswith(("/", os.sep)):
        kinds = ", ".join(_FILES)
        raise InvalidRequestError(
            f"{to} is no folder, and no file that ends in {kinds}: name one, or a folder as {to}/."
        )
    written, known, skipped = copy_hits(turn.hits, place, settings)
    return ExportReport(to=str(place), hits=len(turn.hits), written=written, known=known, skipped=skipped)


def exported(turn: Turn, kind: str, settings: Settings) -> tuple[bytes, tuple[Skip, ...]]:
    """The content of a file that lists or draws the hits, ``kind`` its ending without the dot, and what was skipped."""
    return _FILES[f".{kind}"](turn, settings)


def _write(turn: Turn, file: Path, content: bytes, skipped: tuple[Skip, ...]) -> ExportReport:
    if os.path.lexists(file):
        raise InvalidRequestError(f"{file} is there already, and an export overwrites nothing: {_ADVICE}.")
    with output(file, _ADVICE) as part:
        part.write_bytes(content)
    return ExportReport(to=str(file), hits=len(turn.hits), written=len(turn.hits), skipped=skipped)


_Content = tuple[bytes, tuple[Skip, ...]]


def _csv(turn: Turn, _: Settings) -> _Content:
    return hits_csv(turn.hits), ()


def _json(turn: Turn, _: Settings) -> _Content:
    return (json.dumps(result_json(SearchResult(turn=turn)), indent=2) + "\n").encode(), ()


def _html(turn: Turn, settings: Settings) -> _Content:
    page, skipped = page_html(turn, settings)
    return page.encode("utf-8", "replace"), skipped


_FILES: dict[str, Callable[[Turn, Settings], _Content]] = {".csv": _csv, ".html": _html, ".htm": _html, ".json": _json}
