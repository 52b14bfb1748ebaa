"""Contact sheets: reference, edit and ranked hits as one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ipcir_tools import images
from ipcir_tools.errors import InvalidRequest, IPCIRError
from ipcir_tools.presenting import said
from ipcir_tools.settings import Settings
from ipcir_tools.types import SearchResult

_CELL = 176
_GAP = 12
_LABEL = 40
_SIDE = 224
_LEADING = 6
_PER_LINE = 5
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_PAPER, _GREY = (252, 251, 248), (236, 234, 230)
_INK, _FAINT, _MARK = (34, 34, 40), (120, 120, 128), (30, 140, 80)


@dataclass(frozen=True)
class Strip:
    """One search on a sheet. Hits in ``marked`` are framed in green."""

    result: SearchResult
    marked: Collection[str] = ()


def check_sheet(path: Path, pictures: Collection[str] = ()) -> None:
    """See that a sheet can be written, before anything is searched for it, and that it is none of the ``pictures``.

    Raises InvalidRequest.
    """
    path = path.expanduser()
    if {str(path), str(images.located(path))} & set(pictures):
        raise InvalidRequest(f"{path} is a picture of yours: name another .png file in a folder of yours.")
    if path.suffix.lower() not in _SUFFIXES:
        raise InvalidRequest(f"{path} is no name for a sheet: name a .png file in a folder of yours.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        path.open("ab").close()
        if not there:
            path.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> InvalidRequest:
    return InvalidRequest(f"The sheet cannot be written to {path} ({error}): name a .png file in a folder of yours.")


def save_sheet(
    strips: Sequence[Strip], path: Path, settings: Settings, *, columns: int = _PER_LINE, most: int = 20
) -> None:
    """Draw the searches one below the other and write a PNG or JPEG, as the name ends.

    Raises InvalidRequest where the file cannot be written.
    """
    sheet = draw_sheet(strips, settings, columns=columns, most=most)
    try:
        path.expanduser().parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path.expanduser())
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def draw_sheet(strips: Sequence[Strip], settings: Settings, *, columns: int = _PER_LINE, most: int = 20) -> Image.Image:
    """The sheet as a picture; a file that cannot be read any more is a grey square with its reason."""
    drawn = [_strip(strip, settings, columns, most) for strip in strips]
    sheet = Image.new("RGB", (max(each.width for each in drawn), sum(each.height for each in drawn)), _PAPER)
    top = 0
    for each in drawn:
        sheet.paste(each, (0, top))
        top += each.height
    return sheet


def _strip(strip: Strip, settings: Settings, columns: int, most: int) -> Image.Image:
    turn = strip.result.turn
    hits, lines = turn.hits[:most], _lines(strip.result)
    rows = max(1, -(-len(hits) // columns))
    said = sum(line.size + _LEADING for line in lines)
    width = _SIDE + columns * (_CELL + _GAP) + 2 * _GAP
    picture = Image.new("RGB", (width, max(rows * (_CELL + _LABEL), _CELL + _GAP + said) + 2 * _GAP), _PAPER)
    draw = ImageDraw.Draw(picture)
    picture.paste(
        tile(opened(turn.reference_source, settings) if turn.reference_source else "words alone"), (_GAP, _GAP)
    )
    y = _GAP + _CELL + _GAP
    for line in lines:
        draw.text((_GAP, y), line.text, font=_font(line.size), fill=line.ink)
        y += line.size + _LEADING
    for i, hit in enumerate(hits):
        x, y = _SIDE + _GAP + (i % columns) * (_CELL + _GAP), _GAP + (i // columns) * (_CELL + _LABEL)
        picture.paste(tile(opened(hit.source, settings)), (x, y))
        marked = hit.id in strip.marked
        if marked:
            draw.rectangle((x - 4, y - 4, x + _CELL + 3, y + _CELL + 3), outline=_MARK, width=4)
        _label(draw, x, y, hit.rank, f"{hit.score:.3f}  {hit.id[:8]}", _MARK if marked else _INK)
    draw.line((0, picture.height - 1, width, picture.height - 1), fill=(226, 224, 218))
    return picture


@dataclass(frozen=True)
class _Line:
    text: str
    size: int
    ink: tuple[int, int, int]


def _lines(result: SearchResult) -> list[_Line]:
    """What stands below the reference: the edit, then the imagined target."""
    turn = result.turn
    edit = textwrap.wrap(said(turn), 20)[:3]
    told = textwrap.wrap(turn.imagined.description if turn.imagined else "", 32)[:4]
    return [_Line(text, 19, _INK) for text in edit] + [_Line(text, 13, _FAINT) for text in told]


def opened(source: str, settings: Settings, id: str | None = None) -> Image.Image | str:
    """The picture of a file, or in a few words why there is none. With ``id``, no other picture than that one."""
    try:
        found = images.load(images.text_path(source), settings)
    except IPCIRError as error:
        return str(error)
    return found.pixels if id in (None, found.record.id) else "the file holds another picture by now"


def tile(picture: Image.Image | str, side: int = _CELL) -> Image.Image:
    """A square of grey with the picture in its middle, or the words in its corner."""
    cell = Image.new("RGB", (side, side), _GREY)
    if isinstance(picture, str):
        for i, line in enumerate(textwrap.wrap(picture, 24)[:6]):
            ImageDraw.Draw(cell).text((8, 8 + 18 * i), line, font=_font(12), fill=_FAINT)
        return cell
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    cell.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return cell


def draw_numbered(pictures: Mapping[str, Image.Image | str], *, columns: int = _PER_LINE) -> Image.Image:
    """A contact sheet of pictures by id, each with its number from 1, row by row, and the beginning of its id."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    size = (columns * (_CELL + _GAP) + _GAP, rows * (_CELL + _LABEL) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    for i, (id_, picture) in enumerate(pictures.items()):
        x, y = _GAP + (i % columns) * (_CELL + _GAP), _GAP + (i // columns) * (_CELL + _LABEL)
        sheet.paste(tile(picture), (x, y))
        _label(ImageDraw.Draw(sheet), x, y, i + 1, id_[:8])
    return sheet


def _label(draw: ImageDraw.ImageDraw, x: int, y: int, number: int, text: str, ink: tuple[int, int, int] = _INK) -> None:
    """The line below a picture whose corner is at ``x, y``."""
    draw.text((x, y + _CELL + 6), f"{number}", font=_font(16), fill=ink)
    draw.text((x + 28, y + _CELL + 8), text, font=_font(13), fill=_FAINT)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
