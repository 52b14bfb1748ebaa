"""Hits as pictures in the terminal: by sixels or kitty's graphics where it has them, else by coloured half blocks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out
from ipcir_tools.display.search_sheet import GONE, Strip, draw_sheet
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.contact_sheet import tile
from ipcir_tools.images.reading import read_pixels
from ipcir_tools.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image as PillowImage
    from rich.console import RenderableType

    from ipcir_tools.settings import Settings
    from ipcir_tools.types import Hit, SearchResult

MOST = 20
"""Hits that are drawn."""
_CELLS = 30
"""Columns of the terminal that a picture of half blocks takes; its rows are half as many."""
_GAP = 2
_SIDE = 480
"""Pixels of the side of one picture."""


def check_terminal() -> None:
    """Raises InvalidRequestError where standard output is no terminal."""
    if not (sys.stdout.isatty() and out.is_terminal):
        raise InvalidRequestError("--show draws in a terminal, and this output is none: --sheet FILE.png draws a file.")


def show_pictures(result: SearchResult, settings: Settings) -> None:
    """Draw the first hits below what was printed of them."""
    if not _drawn(lambda: draw_sheet([Strip(result)], settings, most=MOST)):
        out.print(_grid(result.hits[:MOST], settings))


def show_picture(source: str, settings: Settings) -> None:
    """Draw one picture. One that cannot be read is a grey square with the reason."""
    from textual_image.renderable import HalfcellImage

    picture = tile(read_pixels(source, settings), _SIDE)
    if not _drawn(lambda: picture):
        cells = min(out.width, 2 * _CELLS)
        out.print(HalfcellImage(picture, width=cells, height=cells // 2))


def _drawn(picture: Callable[[], PillowImage]) -> bool:
    """Draw a picture by the terminal's own graphics; False where it has none, or does not say how large its cells
    are."""
    from textual_image.renderable import HalfcellImage, Image  # asks the terminal what it can draw

    if issubclass(Image, HalfcellImage):
        return False
    try:
        out.print(Image(picture()))
    except ZeroDivisionError:
        return False
    return True


def _grid(hits: tuple[Hit, ...], settings: Settings) -> Table:
    """The pictures alone, as many in a row as fit, each with its rank and file below it."""
    columns = max(1, (out.width + _GAP) // (_CELLS + _GAP))
    grid = Table.grid(padding=(1, _GAP, 0, 0))
    cells = [_cell(hit, settings) for hit in hits]
    for i in range(0, len(cells), columns):
        grid.add_row(*cells[i : i + columns])
    return grid


def _cell(hit: Hit, settings: Settings) -> RenderableType:
    from textual_image.renderable import HalfcellImage

    picture = tile(GONE if hit.gone else read_pixels(hit.source, settings), 2 * _CELLS)
    name = Text(f"{hit.rank}  {visible(hit.source.replace(chr(92), '/').rpartition('/')[2])}", no_wrap=True)
    name.truncate(_CELLS, overflow="ellipsis")
    return Group(HalfcellImage(picture, width=_CELLS, height=_CELLS // 2), name)
