"""Search sheets: reference, modification and ranked hits as one image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from ipcir_tools.display.results import request_text, verified_text
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.files import check_writable, output
from ipcir_tools.images.contact_sheet import CELL, FAINT, GAP, INK, LABEL, PAPER, PER_LINE, label, tile
from ipcir_tools.images.files import located
from ipcir_tools.images.lettering import draw_line, font, wrapped
from ipcir_tools.images.reading import read_pixels
from ipcir_tools.settings import Settings
from ipcir_tools.types import Hit, SearchResult, Turn, hit_marks

_SIDE = 224
"""Width of the column with the reference."""
_ADVICE = "name a .png file in a folder of yours"
_LEADING = 8
_SMALL = 96
"""Pixels of the side of each of several references."""
_NOTE_SIZE, _NOTE_LINES = 12, 2
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_GREEN = (30, 140, 80)
GONE = "the file is gone"
"""In the tile of a hit without a file."""


@dataclass(frozen=True)
class Strip:
    """One search on a sheet. Hits in ``marked`` are framed in green."""

    result: SearchResult
    marked: Collection[str] = ()


def check_sheet(path: Path, pictures: Collection[str] = ()) -> None:
    """Check, before a search, that a sheet can be written and is none of the user's ``pictures``.

    Raises InvalidRequestError.
    """
    path = path.expanduser()
    if {str(path), str(located(path))} & set(pictures):
        raise InvalidRequestError(f"{path} is a picture of yours: name another .png file in a folder of yours.")
    if path.suffix.lower() not in _SUFFIXES:
        raise InvalidRequestError(f"{path} is not a name for a sheet: {_ADVICE}.")
    check_writable(path, _ADVICE)


def save_sheet(
    strips: Sequence[Strip], path: Path, settings: Settings, *, columns: int = PER_LINE, most: int = 20
) -> None:
    """Draw the searches one below the other and write a PNG, JPEG or WebP, by the suffix of the name.

    Raises InvalidRequestError where the file cannot be written.
    """
    sheet = draw_sheet(strips, settings, columns=columns, most=most)
    with output(path.expanduser(), _ADVICE) as part:
        sheet.save(part)


def draw_sheet(strips: Sequence[Strip], settings: Settings, *, columns: int = PER_LINE, most: int = 20) -> Image.Image:
    """The sheet as an image; a file that can no longer be read is a grey square with the reason."""
    drawn = [_strip(strip, settings, columns, most) for strip in strips]
    sheet = Image.new("RGB", (max(each.width for each in drawn), sum(each.height for each in drawn)), PAPER)
    top = 0
    for each in drawn:
        sheet.paste(each, (0, top))
        top += each.height
    return sheet


def _strip(strip: Strip, settings: Settings, columns: int, most: int) -> Image.Image:
    turn = strip.result.turn
    hits, lines = turn.hits[:most], _lines(strip.result)
    rows = max(1, -(-len(hits) // columns))
    text_height = sum(line.size + _LEADING for line in lines)
    width = _SIDE + columns * (CELL + GAP) + 2 * GAP
    references = _references(turn, settings)
    height = max(rows * (CELL + LABEL), references.height + GAP + text_height) + 2 * GAP
    picture = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(picture)
    picture.paste(references, (GAP, GAP))
    y = GAP + references.height + GAP
    for line in lines:
        draw_line(draw, (GAP, y), line.text, line.size, line.ink)
        y += line.size + _LEADING
    for i, hit in enumerate(hits):
        x, y = _SIDE + GAP + (i % columns) * (CELL + GAP), GAP + (i // columns) * (CELL + LABEL)
        picture.paste(tile(GONE if hit.gone else read_pixels(hit.source, settings)), (x, y))
        marked = hit.id in strip.marked
        if marked:
            draw.rectangle((x - 4, y - 4, x + CELL + 3, y + CELL + 3), outline=_GREEN, width=4)
        label(draw, x, y, hit.rank, _score_label(hit), _GREEN if marked else INK)
        draw.text((x + 28, y + CELL + 24), hit_marks(hit).strip(), font=font(12), fill=FAINT)
    draw.line((0, picture.height - 1, width, picture.height - 1), fill=(226, 224, 218))
    return picture


def _references(turn: Turn, settings: Settings) -> Image.Image:
    """The reference as a tile; several as smaller ones, two in a row, each above its note."""
    if not (turn.query.others or turn.query.note):
        return tile(read_pixels(turn.reference_source, settings) if turn.reference_source else "words alone")
    shown = turn.sourced_references
    step = _SMALL + GAP // 2
    line = _SMALL + _NOTE_LINES * (_NOTE_SIZE + 3) + GAP // 2
    block = Image.new("RGB", (2 * step, -(-len(shown) // 2) * line), PAPER)
    draw = ImageDraw.Draw(block)
    for i, (reference, source) in enumerate(shown):
        x, y = (i % 2) * step, (i // 2) * line
        block.paste(tile(read_pixels(source, settings), _SMALL), (x, y))
        for n, words in enumerate(wrapped(reference.note, _NOTE_SIZE, _SMALL, _NOTE_LINES)):
            draw_line(draw, (x, y + _SMALL + 2 + n * (_NOTE_SIZE + 3)), words, _NOTE_SIZE, INK)
    return block


def _score_label(hit: Hit) -> str:
    """A hit's score, and its judgement, else how it was verified, else the beginning of its id."""
    judged = hit.judged
    verified = hit.id[:8] if hit.verified is None else f"verified {verified_text(hit)}"
    return f"{hit.score:.3f}  " + (f"edit {judged.edit:g} keep {judged.preservation:g}" if judged else verified)


@dataclass(frozen=True)
class _TextLine:
    text: str
    size: int
    ink: tuple[int, int, int]


def _lines(result: SearchResult) -> list[_TextLine]:
    """The text below the reference: the modification, then the imagined target."""
    turn = result.turn
    modification = wrapped(request_text(turn), 19, _SIDE - GAP, 3)
    description = wrapped(turn.imagined.description if turn.imagined else "", 13, _SIDE - GAP, 4)
    return [_TextLine(text, 19, INK) for text in modification] + [_TextLine(text, 13, FAINT) for text in description]
