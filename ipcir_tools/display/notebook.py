"""Results and turns in a notebook: a grid of images. In a terminal they are lines of text, by their own ``repr``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from markupsafe import Markup

from ipcir_tools.display.drawing import faint, styled
from ipcir_tools.display.results import request_text, verified_text
from ipcir_tools.images.files import text_path
from ipcir_tools.images.thumbnails import jpeg_uri, read_thumbnail
from ipcir_tools.settings import load_settings
from ipcir_tools.text import printable_line
from ipcir_tools.types import MAX_SHOWN, Hit, ImaginedTarget, IndexReport, SearchResult, Turn, hit_marks

if TYPE_CHECKING:
    from IPython.core.formatters import DisplayFormatter


SIDE = 168
"""Pixels of an image's longer side; shown smaller, so that it is sharp on a fine screen."""

_BY = {"llm": "imagined by the model", "rules": "imagined by rules", "person": "edited by a person"}
_BY["fallback"] = "imagined by rules, for the model failed"


def turn_html(turn: Turn) -> str:
    """A turn in a notebook: the reference and the hits, their images inside the HTML."""
    return styled(_turn_markup(turn))


def result_html(result: SearchResult) -> str:
    """A search result in a notebook: its turn and its warnings."""
    lines = (Markup("<div class='warning'>{}</div>").format(printable_line(text)) for text in result.warnings)
    return styled(_turn_markup(result.turn), *lines)


def target_html(imagined: ImaginedTarget) -> str:
    """An imagined target in a notebook: who imagined it, its description, and the words that stay, come and go."""
    return styled(_imagined(imagined))


def report_html(report: IndexReport) -> str:
    """An index run in a notebook: one sentence, and why files were skipped."""
    parts = [f"{n:,} {word}" for word, n in _counts(report).items() if n]
    skipped = (
        Markup("<div class='warning'>{}: {}</div>").format(_file_name(skip.source), printable_line(skip.reason))
        for skip in report.skipped[:MAX_SHOWN]
    )
    line = Markup("<div><b>{}</b> {}</div>").format(
        ", ".join(parts) or "nothing found", faint(f"of {report.seen:,} files, in {report.seconds:.1f} s")
    )
    return styled(line, *skipped)


def _counts(report: IndexReport) -> dict[str, int]:
    return {
        "pictures added": report.added,
        "unchanged": report.unchanged,
        "moved": report.moved,
        "removed": report.removed,
        "skipped": len(report.skipped),
    }


def _turn_markup(turn: Turn) -> Markup:
    head = Markup("<div class='head'><b>{}</b>{}</div>").format(
        printable_line(request_text(turn)), faint(f"turn {turn.id}")
    )
    cells = [_hit_cell(hit) for hit in turn.hits[:MAX_SHOWN]] or [faint("no hits")]
    cells[:0] = [_reference_cell(turn, i) for i in range(len(turn.query.references))]
    grid = Markup("<div class='grid-of'>{}</div>").format(Markup().join(cells))
    return head + (_imagined(turn.imagined) if turn.imagined else "") + grid


def _imagined(imagined: ImaginedTarget) -> Markup:
    """What was imagined: the description, then the words that stay, come and go."""
    chips = [
        Markup("<span class='chip {}' title='{}'>{}</span>").format(kind, kind, f"{sign}{printable_line(word)}")
        for kind, sign, words in (
            ("keep", "", imagined.keep),
            ("add", "+ ", imagined.add),
            ("remove", "", imagined.remove),
        )
        for word in words
    ]
    line = Markup("{} <i>{}</i><br>").format(faint(f"{_BY[imagined.origin]}:"), printable_line(imagined.description))
    return Markup("<div class='chips'>{}{}</div>").format(line, Markup().join(chips))


def _file_name(source: str) -> str:
    return printable_line(PurePath(source).name)


def _reference_cell(turn: Turn, i: int) -> Markup:
    """The reference at place ``i``: its file, what is meant of it, and of the first its caption."""
    reference, source = turn.sourced_references[i]
    lines: list[str] = [Markup("<b>reference</b> {}").format(faint(_file_name(source)))]
    lines += [Markup("<i>{}</i>").format(printable_line(reference.note))] if reference.note else []
    lines += [printable_line(turn.caption)] if turn.caption and not i else []
    return _cell("cell reference", source, lines)


def _hit_cell(hit: Hit) -> Markup:
    verified = "" if hit.verified is None else f"verified {verified_text(hit)} "
    score = faint(f"{hit.score:.3f} {verified}{_file_name(hit.source)}{hit_marks(hit)}")
    lines: list[str] = [Markup("<b>{}</b> {}").format(hit.rank, score)]
    lines += [printable_line(hit.caption)] if hit.caption else []
    if hit.judged is not None:
        scores = f"edit {hit.judged.edit:g}, kept {hit.judged.preservation:g}"
        lines.append(Markup("<i>{}: {}</i>").format(scores, printable_line(hit.judged.reason)))
    return _cell("cell", hit.source, lines)


def _cell(kind: str, source: str, lines: Sequence[str]) -> Markup:
    return Markup("<div class='{}'>{}{}</div>").format(kind, picture_box(source), Markup("<br>").join(lines))


def picture_box(source: str) -> Markup:
    """The image in a file, or an empty box where it cannot be read."""
    uri = picture_uri(source, SIDE)
    image = Markup("<img src='{}' alt='{}' class='box'>").format(uri, _file_name(source)) if uri else None
    return image or Markup("<div class='box'></div>")


def picture_uri(source: str, side: int) -> str:
    """The image in a file as a data URI, its longer side at most ``side``; empty where it cannot be read."""
    data = read_thumbnail(text_path(source), load_settings(), side) if source else None
    return jpeg_uri(data) if data else ""


def register(formatter: DisplayFormatter) -> None:
    """Let an IPython display formatter show turns, search results, imagined targets and index runs."""
    warnings.filterwarnings("ignore", "IProgress not found")  # of tqdm, for bars that nobody asked for
    html = formatter.formatters["text/html"]
    html.for_type(Turn, turn_html)
    html.for_type(SearchResult, result_html)
    html.for_type(IndexReport, report_html)
    html.for_type(ImaginedTarget, target_html)
