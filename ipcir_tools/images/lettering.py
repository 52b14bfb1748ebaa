"""Text on sheets: lines that fit a width, in Pillow's own font or, where that lacks a letter, one of the system's."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Ink = tuple[int, int, int]

_MISSING = "\U0010ffff"
"""No font has a letter for it: what is drawn for it is drawn for every letter that a font lacks."""
_SUFFIXES = (".ttf", ".otf", ".ttc")
_MOST_FONTS = 2_000
"""Font files that are looked at, on a machine with very many."""


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    """The font that comes with Pillow, ``size`` in pixels."""
    return ImageFont.load_default(size)


def draw_line(draw: ImageDraw.ImageDraw, xy: tuple[int, int], text: str, size: int, ink: Ink) -> None:
    """Draw one line with its upper left corner at ``xy``. A letter that no font on the machine has is a small box."""
    x: float = xy[0]
    for letters, part in _runs(text, size):
        draw.text((x, xy[1]), letters, font=part, fill=ink)
        x += part.getlength(letters)


def line_width(text: str, size: int) -> float:
    """Pixels that the line takes."""
    return sum(part.getlength(letters) for letters, part in _runs(text, size))


def wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """The text in at most ``most`` lines of ``width`` pixels; what is left out is told by ``...`` at the end.

    Lines break at spaces, and within words that are wider than a line, as Chinese or Japanese sentences are.
    """
    lines, line = [], ""
    for piece in _pieces(text[:1_000], size, width):
        if line and line_width((line + piece).rstrip(), size) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    lines += [line.rstrip()] if line.strip() else []
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and line_width(last + "...", size) > width:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip() + "..."]


def _pieces(text: str, size: int, width: int) -> Iterator[str]:
    """Words with the space behind them; letters where a word is too wide for a line."""
    for word in text.split():
        if line_width(word, size) <= width:
            yield word + " "
        else:
            yield from word
            yield " "


def _runs(text: str, size: int) -> Iterator[tuple[str, Font]]:
    """The text in parts of one font each; spaces and marks stay with the letters before them."""
    chosen: Font = font(size)
    drawn: list[tuple[str, Font]] = []
    for letter in text:
        if not letter.isspace() and not unicodedata.category(letter).startswith(("M", "C")):
            chosen = chosen if chosen is not font(size) and _has(chosen, letter) else _font_with(letter, size)
        drawn.append((letter, chosen))
    for _, part in groupby(drawn, lambda each: id(each[1])):
        letters = list(part)
        yield "".join(letter for letter, _ in letters), letters[0][1]


@lru_cache(maxsize=4_096)
def _font_with(letter: str, size: int) -> Font:
    own = font(size)
    if ord(letter) < 0x180 or _has(own, letter):
        return own
    for path in _system_fonts():
        other = _opened(path, size)
        if other is not None and _has(other, letter):
            return other
    return own


@lru_cache(maxsize=4_096)
def _has(font: Font, letter: str) -> bool:
    drawn = _drawing(font, letter)
    return drawn is not None and drawn != _drawing(font, _MISSING)


def _drawing(font: Font, letter: str) -> bytes | None:
    """What the font draws for a letter; None for nothing."""
    side = 64
    image = Image.new("L", (side, side))
    ImageDraw.Draw(image).text((8, 8), letter, font=font, fill=255)
    return image.tobytes() if image.getbbox() else None


@lru_cache(maxsize=64)
def _opened(path: Path, size: int) -> Font | None:
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:  # a font of pictures alone, or no font
        return None


@lru_cache(maxsize=1)
def _system_fonts() -> tuple[Path, ...]:
    """The system's font files, upright ones without serifs first."""
    found: list[Path] = []
    for folder in _font_folders():
        for place, _, names in os.walk(folder):
            found += [Path(place, name) for name in names if name.lower().endswith(_SUFFIXES)]
    return tuple(sorted(found[:_MOST_FONTS], key=_preference))


def _font_folders() -> tuple[Path, ...]:
    home = Path.home()
    if sys.platform == "darwin":
        return (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts")
    if sys.platform == "win32":
        return (Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"),)
    return (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local" / "share" / "fonts")


def _preference(path: Path) -> tuple[bool, bool, str]:
    name = path.stem.lower()
    styled = any(word in name for word in ("bold", "italic", "oblique", "light", "black", "mono", "condensed"))
    return styled, "sans" not in name, name
