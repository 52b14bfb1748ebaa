"""The filter's fields on the page, and the filter that they make."""

from __future__ import annotations

import json
from typing import Any

from ipcir_tools.text import shorten
from ipcir_tools.types import Where

FIELDS = ("folder", "since", "until", "orientation", "format", "megapixels")


def filter_of(fields: dict[str, Any]) -> Where:
    """The filter that filled-in fields make; empty where none is filled in."""
    parts: list[Where] = []
    if folder := fields.get("folder"):
        parts.append({"folder": folder})
    if since := fields.get("since"):
        parts.append({"taken": {"$gte": since}})
    if until := fields.get("until"):
        parts.append({"taken": {"$lte": until}})
    if orientation := fields.get("orientation"):
        parts.append({"orientation": orientation})
    if format_ := fields.get("format"):
        parts.append({"format": format_})
    if megapixels := fields.get("megapixels"):
        parts.append({"megapixels": {"$gte": float(megapixels)}})
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else {}


def filter_words(fields: dict[str, Any], where: Where | None) -> str:
    """A filter in words."""
    if fields.get("other"):
        return f"pictures with {shorten(json.dumps(where), 120)}"
    parts = [str(fields[name]) for name in ("orientation", "format") if name in fields]
    parts += ["pictures"]
    parts += [f"of {fields['megapixels']:g} megapixels or more"] if "megapixels" in fields else []
    parts += [f"in {fields['folder']}"] if "folder" in fields else []
    words = {"since": "from", "until": "until"}
    return " ".join([*parts, *(f"{word} {fields[name]}" for name, word in words.items() if name in fields)])


def fields_of(where: Where | None) -> dict[str, Any]:
    """The fields that make this filter; ``other`` where they cannot, so that it is kept as it is."""
    fields: dict[str, Any] = {}
    for part in where.get("$and", [where]) if where else ():
        for name, value in part.items():
            match name, value:
                case (("folder" | "orientation" | "format"), str()):
                    fields[name] = value
                case "taken", {"$gte": since} if len(value) == 1:
                    fields["since"] = since
                case "taken", {"$lte": until} if len(value) == 1:
                    fields["until"] = until
                case "megapixels", {"$gte": least} if len(value) == 1:
                    fields["megapixels"] = least
    made = filter_of(fields)
    return fields if made == (where or {}) else {"other": True}
