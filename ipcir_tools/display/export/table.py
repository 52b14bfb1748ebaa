"""Hits as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import PurePath

from ipcir_tools.types import Hit

_COLUMNS = (
    "rank", "id", "score", "image_score", "text_score", "verified", "edit", "preservation", "caption", "name", "file",
    "gone", "alike",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet calculate a cell, or lets its text begin a new one."""


def hits_csv(hits: Sequence[Hit]) -> bytes:
    """The hits as CSV, one a row, in UTF-8 with the mark by which spreadsheets know it.

    Captions and names of files come from pictures and disks: a text that a spreadsheet would take for a formula gets an
    apostrophe before it. ``alike`` has the ids of the pictures that look the same, with spaces between.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(_COLUMNS)
    rows.writerows(map(_row, hits))
    return text.getvalue().encode("utf-8-sig", "backslashreplace")


def _row(hit: Hit) -> list[object]:
    judged = hit.judged
    return [
        hit.rank,
        _guarded(hit.id),
        *(hit.score, hit.image_score, hit.text_score, hit.verified),
        *((judged.edit, judged.preservation) if judged else (None, None)),
        _guarded(hit.caption or ""),
        _guarded(PurePath(hit.source).name),
        _guarded(hit.source),
        "gone" if hit.gone else "",
        " ".join(hit.alike),
    ]


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
