"""Hits as one HTML file that stands alone: its pictures are in it, and nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

from markupsafe import Markup

from ipcir_tools.display.file_names import distinct_names
from ipcir_tools.display.results import request_text
from ipcir_tools.display.scores import hit_scores
from ipcir_tools.errors import IPCIRError
from ipcir_tools.images import reading
from ipcir_tools.images.files import text_path
from ipcir_tools.images.thumbnails import encode_jpeg, jpeg_uri
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source
from ipcir_tools.text import printable_line
from ipcir_tools.types import Hit, Skip, Turn, hit_marks

SIDE = 320
"""Pixels of the longer side of a picture."""

ROOM = 12_000_000
"""Bytes of all pictures together, before base64 makes them a third larger; each may take its share, 4,000 at least."""

_STYLE = Markup("""
:root { color-scheme: light dark; --paper: #fcfbf8; --ink: #222228; --faint: #6b6b74; --tile: #ecebe6; --mark: #9a3412 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #17181b; --ink: #e8e8ea; --faint: #9d9da6; --tile: #26272c; --mark: #f0a070 }
}
body { margin: 0 auto; padding: 24px; max-width: 1200px; background: var(--paper); color: var(--ink);
  font: 14px/1.45 system-ui, sans-serif }
h1 { font-size: 20px; margin: 0 0 4px; overflow-wrap: anywhere }
p { margin: 0 0 4px } .faint { color: var(--faint) } .mark { color: var(--mark) }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 18px; margin: 20px 0;
  padding: 0; list-style: none }
.row > * { margin: 0; min-width: 0; overflow-wrap: anywhere }
.tile { display: flex; align-items: center; justify-content: center; aspect-ratio: 1; background: var(--tile);
  border-radius: 6px; overflow: hidden; margin-bottom: 6px; color: var(--faint) }
.tile img { width: 100%; height: 100%; object-fit: contain } a { color: inherit }
footer { color: var(--faint); border-top: 1px solid var(--tile); padding-top: 12px; overflow-wrap: anywhere }
""")

_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
<h1>{title}</h1>
{head}
<ul class="row">{references}</ul>
<ol class="row">{hits}</ol>
<footer>{foot}</footer>
</body></html>
""")


def page_html(turn: Turn, settings: Settings) -> tuple[str, tuple[Skip, ...]]:
    """The page, in light and dark, and the hits that could not be drawn on it, with the reasons."""
    pictures = _Pictures(settings, ROOM // max(1, len(turn.hits) + len(turn.query.references)))
    names = distinct_names(hit.source for hit in turn.hits)
    hits = Markup("\n").join(_hit(hit, turn, names, pictures) for hit in turn.hits) or Markup(
        "<li>no picture matches</li>"
    )
    skipped = tuple(pictures.skipped)
    made = [f"turn {turn.id}", turn.created[:16].replace("T", " ") + " UTC", f"method {turn.query.composer}"]
    made += [f"{part} {name}" for part, name in turn.models.items()]
    page = _PAGE.format(
        title=printable_line(request_text(turn)),
        style=_STYLE,
        head=Markup("<p class='faint'>{}</p>").format(printable_line(turn.imagined_line)) if turn.imagined else "",
        references=Markup("\n").join(_references(turn, pictures)),
        hits=hits,
        foot=" · ".join(map(printable_line, made)),
    )
    return str(page), skipped


class _Pictures:
    """Draws files within a share of the room, and collects what cannot be drawn."""

    def __init__(self, settings: Settings, share: int) -> None:
        self._settings, self._share = settings, max(4_000, share)
        self.skipped: list[Skip] = []

    def tile(self, source: str, *, gone: bool = False) -> Markup:
        """The picture of a file, or why there is none."""
        try:
            pixels = reading.load(text_path(source), self._settings).pixels
        except IPCIRError as error:
            reason = "the file is gone" if gone else str(error)
            self.skipped.append(Skip(source=source, reason=reason))
            return Markup("<div class='tile'>{}</div>").format(printable_line(reason))
        data = encode_jpeg(pixels, SIDE if self._share > 8_000 else SIDE // 2, max_bytes=self._share)
        return Markup("<div class='tile'><img src='{}' alt='' loading='lazy'/></div>").format(jpeg_uri(data))


def _references(turn: Turn, pictures: _Pictures) -> list[Markup]:
    """A cell for each reference: what is meant of it, and of the first its caption."""
    cells = []
    for i, (reference, source) in enumerate(turn.sourced_references):
        words = [reference.note, turn.caption or ""] if i == 0 else [reference.note]
        text = Markup("").join(Markup("<br>{}").format(printable_line(each)) for each in words if each)
        cells.append(Markup("<li>{}<b>reference</b>{}</li>").format(pictures.tile(source), text))
    return cells


def _address(source: Source) -> str:
    """Raises ValueError for a path that is not absolute."""
    if not isinstance(source, ObjectUrl):
        return source.as_uri()
    return f"{source.protocol}://{quote(source.text.partition('://')[2])}"


def _hit(hit: Hit, turn: Turn, names: Mapping[str, str], pictures: _Pictures) -> Markup:
    scores = [
        Markup(" <span class='faint' title='{}: {}'>{} {}</span>").format(
            each.name, each.meaning, each.short, each.value
        )
        for each in hit_scores(hit, turn)
    ]
    lines = [Markup("<b>{}</b>{}").format(hit.rank, Markup("<span class='faint'> ·</span>").join(scores))]
    lines += [Markup("{}").format(printable_line(hit.caption))] if hit.caption else []
    name = Markup("<span class='faint'>{}</span>").format(printable_line(names[hit.source]))
    with suppress(ValueError):  # a source that is no absolute path has no address
        name = Markup("<a href='{}'>{}</a>").format(_address(text_path(hit.source)), name)
    marks = hit_marks(hit)
    lines.append(name + (Markup("<span class='mark'>{}</span>").format(marks) if marks else ""))
    if hit.judged is not None:
        judged = f"edit {hit.judged.edit:g}, kept {hit.judged.preservation:g}: {hit.judged.reason}"
        lines.append(Markup("<i>{}</i>").format(printable_line(judged)))
    return Markup("<li>{}{}</li>").format(pictures.tile(hit.source, gone=hit.gone), Markup("<br>").join(lines))
