"""Whether a row of the catalog makes sense by what is in it, checksum or not: for rows of earlier versions, and for
mending."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from ipcir_tools.store.checksums import content_fault, dimension_of
from ipcir_tools.types import ImageRecord, Reply, Turn

Row = Mapping[str, Any]
_SEVERAL = re.compile(r"\*\d+$")


def fault_of(table: str, row: Row) -> str | None:
    """What is wrong with the content of a row of ``table``; None where it can be used."""
    try:
        return _CHECKS[table](row)
    except (ValidationError, ValueError, TypeError, RecursionError):
        return "it cannot be read"


def readable_text(text: object) -> str:
    """A text of the catalog. Raises ValueError for what is none, or holds bytes that no text has."""
    if not isinstance(text, str):
        raise ValueError("it is no text")
    text.encode()  # raises for what was read by surrogateescape
    return text


def _feature(row: Row) -> str | None:
    readable_text(row["item"])
    return content_fault(row["vector"], dimension_of(readable_text(row["space"])))


def _caption(row: Row) -> str | None:
    text = readable_text(row["caption"])
    if _SEVERAL.search(readable_text(row["captioner"])) and not isinstance(json.loads(text), list):
        return "it is no list"
    return None


def _turn(row: Row) -> str | None:
    turn = Turn.model_validate_json(readable_text(row["body"]))
    return None if (turn.id, turn.parent) == (row["id"], row["parent"]) else "its text is of another turn"


def _reply(row: Row) -> str | None:
    Reply(**{name: row[name] for name in Reply.model_fields})
    readable_text(row["text"])
    return None


def _picture(row: Row) -> str | None:
    record = ImageRecord.model_validate({name: row[name] for name in ImageRecord.model_fields})
    readable_text(record.format)
    return None if min(record.bytes, record.width, record.height) >= 0 else "its size is negative"


def _file(row: Row) -> str | None:
    readable_text(row["image_id"])
    numbers = row["size"], row["mtime_ns"], row["ctime_ns"] or 0
    return None if all(type(each) is int for each in numbers) else "it has no size or times"


def _folder(row: Row) -> str | None:
    patterns = json.loads(readable_text(row["exclude"]))
    good = isinstance(patterns, list) and all(isinstance(each, str) for each in patterns)
    return None if good else "its patterns are no list"


_CHECKS: Mapping[str, Callable[[Row], str | None]] = {
    "features": _feature,
    "captions": _caption,
    "turns": _turn,
    "replies": _reply,
    "pictures": _picture,
    "files": _file,
    "folders": _folder,
}
