"""Results and turns in a notebook: a grid of images. In a terminal they are lines of text, by their own ``repr``."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipcir_tools.display.results import verified_text
from ipcir_tools.images.files import text_path
from ipcir_tools.images.thumbnails import jpeg_uri, read_thumbnail
from ipcir_tools.settings import load_settings
from ipcir_tools.text import printable_line
from ipcir_tools.types import MAX_SHOWN, Hit, SearchResult, Turn, hit_marks

if TYPE_CHECKING:
    from IPython.core.formatters import DisplayFormatter


SIDE = 168
"""Pixels of an image's longer side."""

_STYLE = Markup("font-family:sans-serif;font-size:13px;line-height:1.35")
_CELL = Markup("display:inline-block;vertical-align:top;width:176px;margin:0 10px 12px 0;overflow-wrap:anywhere")
_BOX = Markup("width:{0}px;height:{0}px;object-fit:contain;background:#f4f3ef;display:block;margin-bottom:3px").format(
    SIDE
)
_FAINT = Markup("<span style='color:#777'>{}</span>")


def turn_html(turn: Turn) -> str:
    """A turn in a notebook: the reference and the hits, their images inside the HTML."""
    return str(_turn_markup(turn))


def _turn_markup(turn: Turn) -> Markup:
    head = Markup("<b>{}</b> {}").format(turn.query_line, _FAINT.format(f"turn {turn.id}"))
    if turn.imagined is not None:
        head += Markup("<br>{}").format(turn.imagined_line)
    cells = [_hit_cell(hit) for hit in turn.hits[:MAX_SHOWN]] or [_FAINT.format("no hits")]
    cells[:0] = [_reference_cell(turn, i) for i in range(len(turn.query.references))]
    return Markup("<div style='{}'><div style='margin-bottom:6px'>{}</div>{}</div>").format(
        _STYLE, head, Markup().join(cells)
    )


def result_html(result: SearchResult) -> str:
    """A search result in a notebook: its turn and its warnings."""
    warnings = Markup().join(Markup("<div>warning: {}</div>").format(printable_line(text)) for text in result.warnings)
    box = Markup("<div style='{};color:#a33'>{}</div>").format(_STYLE, warnings) if warnings else ""
    return str(_turn_markup(result.turn) + box)


def _file_name(source: str) -> str:
    return printable_line(PurePath(source).name)


def _reference_cell(turn: Turn, i: int) -> Markup:
    """The reference at place ``i``: its file, what is meant of it, and of the first its caption."""
    reference, source = turn.sourced_references[i]
    lines = [Markup("<b>reference</b> {}").format(_FAINT.format(_file_name(source)))]
    lines += [Markup("<i>{}</i>").format(printable_line(reference.note))] if reference.note else []
    return _cell(source, [*lines, *([printable_line(turn.caption)] if turn.caption and not i else [])])


def _hit_cell(hit: Hit) -> Markup:
    verified = "" if hit.verified is None else f"verified {verified_text(hit)} "
    score = _FAINT.format(f"{hit.score:.3f} {verified}{_file_name(hit.source)}{hit_marks(hit)}")
    lines: list[str] = [Markup("<b>{}</b> {}").format(hit.rank, score)]
    lines += [printable_line(hit.caption)] if hit.caption else []
    if hit.judged is not None:
        scores = f"edit {hit.judged.edit:g}, kept {hit.judged.preservation:g}"
        lines.append(Markup("<i>{}: {}</i>").format(scores, printable_line(hit.judged.reason)))
    return _cell(hit.source, lines)


def _cell(source: str, lines: list[str]) -> Markup:
    """An image, or an empty box where it cannot be read, above lines of text."""
    data = read_thumbnail(text_path(source), load_settings(), SIDE) if source else None
    image = Markup("<img src='{}' alt='' style='{}'>").format(jpeg_uri(data), _BOX) if data else None
    return Markup("<div style='{}'>{}{}</div>").format(
        _CELL, image or Markup("<div style='{}'></div>").format(_BOX), Markup("<br>").join(lines)
    )


def register(formatter: DisplayFormatter) -> None:
    """Let an IPython display formatter show turns and search results as images."""
    html = formatter.formatters["text/html"]
    html.for_type(Turn, turn_html)
    html.for_type(SearchResult, result_html)
