"""Contact sheets of a dialogue."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.cli.output import console
from ipcir_tools.cli.search_output import check_sheet_of
from ipcir_tools.types import SearchResult, Turn

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


def save_turns(engine: Engine, path: list[Turn], file: Path) -> None:
    """Draw turns one below the other into a file; the hits that the next turn picked are framed.

    Raises InvalidRequestError for a file that cannot be written, or that is a picture of the user's.
    """
    from ipcir_tools.display.search_sheet import Strip, save_sheet

    check_sheet_of(engine, file)
    picked = [{*(each.id for each in later.query.references), *later.query.liked} for _, later in pairwise(path)]
    strips = [Strip(SearchResult(turn=turn), marked) for turn, marked in zip(path, [*picked, set()], strict=True)]
    save_sheet(strips, file, engine.settings)
    console.show_note("as pictures", str(file))
