"""What is told to people in a sentence: what a dialogue answers in a chat window, and an index run without pictures."""

from __future__ import annotations

from pathlib import PurePath

from ipcir_tools.display.results import result_notes
from ipcir_tools.text import printable_line, shorten
from ipcir_tools.types import Hit, IndexReport, SearchResult, Turn

CAPTION_LIMIT, NAME_LIMIT, TEXT_LIMIT = 120, 80, 300
"""Characters of a caption, of a file's name, and of a description."""

_MARKUP = str.maketrans({"[": "(", "]": ")", "<": "\u2039", ">": "\u203a", "`": "'", "|": "/"})
"""Chat windows render Markdown and HTML; nothing in a caption or a file's name becomes a link or an image there."""


def answer_text(result: SearchResult) -> str:
    """The answer to a request: what was looked for, the hits by name, and what is to be said of them."""
    turn = result.turn
    lines = [_found(turn)]
    if turn.imagined is not None:
        lines.append(f"Looked for: {_plain(turn.imagined.description, TEXT_LIMIT)}")
    lines += [_hit_line(hit) for hit in turn.hits]
    return "\n".join(
        [*lines, *(f"Note: {_plain(note, TEXT_LIMIT)}" for note in (*result_notes(result), *result.warnings))]
    )


def without_pictures(report: IndexReport) -> str:
    """What an index run says that met no picture at all; empty for others."""
    if report.seen or report.missing:
        return ""
    return "No picture was found there: name a folder that holds some."


def _found(turn: Turn) -> str:
    of = f' for "{_plain(turn.query.modification, TEXT_LIMIT)}"' if turn.query.modification else ""
    names = [_name(source or reference.id) for reference, source in turn.sourced_references]
    like = f", starting from {' and '.join(names)}" if names else ""
    if not turn.hits:
        return f"No picture{of}{like}: loosen the filter, or start from another picture."
    return f"{len(turn.hits)} picture{'s' if turn.hits[1:] else ''}{of}{like}:"


def _hit_line(hit: Hit) -> str:
    caption = f" - {_plain(hit.caption, CAPTION_LIMIT)}" if hit.caption else ""
    marks = ["its file is gone"] if hit.gone else []
    marks += [f"{len(hit.alike)} more like it"] if hit.alike else []
    return f"{hit.rank}. {_name(hit.source)}{caption}" + (f" ({', '.join(marks)})" if marks else "")


def _name(source: str) -> str:
    return _plain(PurePath(source).name, NAME_LIMIT)


def _plain(text: str, limit: int) -> str:
    return shorten(printable_line(text).translate(_MARKUP), limit)
