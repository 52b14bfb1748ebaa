"""Pictures as tiles on one sheet: for people, for agents, and for vision models that judge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from ipcir_tools.images.lettering import draw_line, font, wrapped
from ipcir_tools.images.thumbnails import shrink

CELL = 176
"""Pixels of a tile's side."""
GAP = 12
LABEL = 40
"""Height of the line below a tile."""
BAND = 36
"""Height of the band with its number above a tile that is to be judged."""
PER_LINE = 5
PAPER, GREY = (252, 251, 248), (236, 234, 230)
INK, FAINT = (34, 34, 40), (120, 120, 128)


def tile(picture: Image.Image | str, side: int = CELL) -> Image.Image:
    """A square of grey with the picture in its middle, or the words in its corner."""
    cell = Image.new("RGB", (side, side), GREY)
    if isinstance(picture, str):
        for i, line in enumerate(wrapped(picture, 12, side - 16, 6)):
            draw_line(ImageDraw.Draw(cell), (8, 8 + 18 * i), line, 12, FAINT)
        return cell
    small = shrink(picture, side)
    cell.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return cell


def draw_numbered(pictures: Mapping[str, Image.Image | str], *, columns: int = PER_LINE) -> Image.Image:
    """A contact sheet of pictures by id, each with its number from 1, row by row, and the beginning of its id."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, rows * (CELL + LABEL) + GAP), PAPER)
    for i, (id_, picture) in enumerate(pictures.items()):
        x, y = GAP + (i % columns) * (CELL + GAP), GAP + (i // columns) * (CELL + LABEL)
        sheet.paste(tile(picture), (x, y))
        label(ImageDraw.Draw(sheet), x, y, i + 1, id_[:8])
    return sheet


def draw_choices(pictures: Sequence[Image.Image | str], *, columns: int = PER_LINE) -> Image.Image:
    """A sheet to be judged: each picture under a dark band with its number from 1, row by row, and nothing else.

    Twenty pictures make 952 x 908 pixels. The number stands beside the picture, never on it: what it covered could not
    be judged.
    """
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, rows * (BAND + CELL + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        x, y = GAP + (i % columns) * (CELL + GAP), GAP + (i // columns) * (BAND + CELL + GAP)
        draw.rectangle((x, y, x + CELL - 1, y + BAND - 1), fill=INK)
        draw.text((x + CELL // 2, y + BAND // 2), f"{i + 1}", font=font(30), fill=PAPER, anchor="mm", stroke_width=1)
        sheet.paste(tile(picture), (x, y + BAND))
    return sheet


def label(draw: ImageDraw.ImageDraw, x: int, y: int, number: int, text: str, ink: tuple[int, int, int] = INK) -> None:
    """The line below a tile whose corner is at ``x, y``."""
    draw.text((x, y + CELL + 6), f"{number}", font=font(16), fill=ink)
    draw.text((x + 28, y + CELL + 8), text, font=font(13), fill=FAINT)
