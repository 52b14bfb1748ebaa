"""How results and turns show themselves: as a grid of pictures in a notebook, as lines of text in a terminal."""

from __future__ import annotations

from html import escape
from pathlib import PurePath

from ipcir_tools.images.files import text_path
from ipcir_tools.images.thumbnails import jpeg_uri, read_thumbnail
from ipcir_tools.settings import load_settings
from ipcir_tools.text import printable_line
from ipcir_tools.types import Hit, SearchResult, Turn

SIDE = 168
"""Pixels of a picture's longer side."""
MOST = 20
"""Hits in a grid."""
CAPTION_CAP = 60

_STYLE = "font-family:sans-serif;font-size:13px;line-height:1.35"
_CELL = "display:inline-block;vertical-align:top;width:176px;margin:0 10px 12px 0;overflow-wrap:anywhere"
_BOX = f"width:{SIDE}px;height:{SIDE}px;object-fit:contain;background:#f4f3ef;display:block;margin-bottom:3px"
_FAINT = "color:#777"


def turn_text(turn: Turn) -> str:
    """A turn in a terminal: what was asked, what was imagined, one line a hit."""
    lines = [f"turn {turn.id}{f' after {turn.parent}' if turn.parent else ''}: {_asked(turn)}"]
    if turn.imagined is not None:
        lines.append(f"  imagined by {turn.imagined.origin}: {printable_line(turn.imagined.description)}")
    hits = [f"  {hit.rank:>3}. {hit.id}  {hit.score:6.3f}  {_told(hit)}" for hit in turn.hits[:MOST]]
    more = len(turn.hits) - len(hits)
    return "\n".join([*lines, *(hits or ["  no hits"]), *([f"  and {more} more"] if more else [])])


def result_text(result: SearchResult) -> str:
    """A search result in a terminal: its turn, and what the user should know."""
    return "\n".join([turn_text(result.turn), *(f"  warning: {printable_line(text)}" for text in result.warnings)])


def turn_html(turn: Turn) -> str:
    """A turn in a notebook: the reference and the hits as pictures that are part of the page."""
    head = f"<b>{escape(_asked(turn))}</b> <span style='{_FAINT}'>turn {escape(turn.id)}</span>"
    imagined = turn.imagined
    if imagined is not None:
        head += f"<br>imagined by {imagined.origin}: {escape(printable_line(imagined.description))}"
    cells = [_hit_cell(hit) for hit in turn.hits[:MOST]] or [f"<div style='{_FAINT}'>no hits</div>"]
    if turn.query.reference is not None:
        cells.insert(0, _reference_cell(turn))
    return f"<div style='{_STYLE}'><div style='margin-bottom:6px'>{head}</div>{''.join(cells)}</div>"


def result_html(result: SearchResult) -> str:
    """A search result in a notebook: its turn, and what the user should know."""
    warnings = "".join(f"<div>warning: {escape(printable_line(text))}</div>" for text in result.warnings)
    return turn_html(result.turn) + (f"<div style='{_STYLE};color:#a33'>{warnings}</div>" if warnings else "")


def _asked(turn: Turn) -> str:
    query = turn.query
    judged = [f"{len(ids)} {word}" for ids, word in ((query.liked, "liked"), (query.disliked, "disliked")) if ids]
    words = [f'"{printable_line(query.modification)}"'] if query.modification else []
    of = [] if query.reference is None else [f"reference {query.reference}"]
    return ", ".join([*of, *words, *judged])


def _told(hit: Hit) -> str:
    name = printable_line(PurePath(hit.source).name)
    return f"{name}  {printable_line(hit.caption)[:CAPTION_CAP]}" if hit.caption else name


def _reference_cell(turn: Turn) -> str:
    source = turn.reference_source or ""
    told = f"<b>reference</b> <span style='{_FAINT}'>{escape(printable_line(PurePath(source).name))}</span>"
    return _cell(source, told + (f"<br>{escape(printable_line(turn.caption))}" if turn.caption else ""))


def _hit_cell(hit: Hit) -> str:
    name = f"<span style='{_FAINT}'>{hit.score:.3f} {escape(printable_line(PurePath(hit.source).name))}</span>"
    told = f"<b>{hit.rank}</b> {name}" + (f"<br>{escape(printable_line(hit.caption))}" if hit.caption else "")
    if hit.judged is not None:
        scores = f"edit {hit.judged.edit:g}, kept {hit.judged.preservation:g}"
        told += f"<br><i>{scores}: {escape(printable_line(hit.judged.reason))}</i>"
    return _cell(hit.source, told)


def _cell(source: str, told: str) -> str:
    data = read_thumbnail(text_path(source), load_settings(), SIDE) if source else None
    picture = f"<img src='{jpeg_uri(data)}' alt='' style='{_BOX}'>" if data else f"<div style='{_BOX}'></div>"
    return f"<div style='{_CELL}'>{picture}{told}</div>"


def teach() -> None:
    """Tell the values, which know nothing of pictures, how to show themselves; the engine does it."""
    Turn.as_text, Turn.as_html = turn_text, turn_html
    SearchResult.as_text, SearchResult.as_html = result_text, result_html
