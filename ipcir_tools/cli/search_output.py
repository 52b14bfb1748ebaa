"""How the commands that search print what they found: as a table, as JSON, as files alone, as one picture."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import AsJson, print_result
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings
    from ipcir_tools.types import Hit, SearchResult, Turn


Sheet = Annotated[
    Path | None, typer.Option(help="Draw reference, modification and hits as one picture into this file.")
]
AsPaths = Annotated[bool, typer.Option("--paths", help="Print the files of the hits, one a line, and nothing else.")]
AsNull = Annotated[
    bool, typer.Option("-0", "--null", help="The same with a zero byte behind each, for `xargs -0`: any name is safe.")
]

InTerminal = Annotated[bool, typer.Option("--show", help="Draw the hits as pictures in this terminal, too.")]
Existing = Annotated[
    bool | None, typer.Option("--existing", help="Leave out pictures whose files are gone (default: mark them).")
]


@dataclass(frozen=True)
class HitOutput:
    """How the hits of a search are printed."""

    paths: AsPaths = False
    null: AsNull = False
    as_json: AsJson = False

    @property
    def files_alone(self) -> bool:
        """Whether only the hits' files are printed, for another program."""
        return self.paths or self.null

    def check(self) -> None:
        """Raises InvalidRequestError where two outputs are asked for."""
        if self.files_alone and self.as_json:
            raise InvalidRequestError("--json prints one document, --paths and -0 print files: choose one of them.")

    def write_files(self, hits: Sequence[Hit]) -> None:
        """Write the files of hits as they are named on the disk; those that are gone are counted on standard error."""
        from ipcir_tools.cli.output import console

        there = [hit.source for hit in hits if not hit.gone]
        self.write_paths(there)
        if gone := len(hits) - len(there):
            console.show_warning(f"{gone} of {len(hits)} hits are left out: their files are gone")

    def write_paths(self, paths: Sequence[str]) -> None:
        """Write files, the bytes of their names as they are on the disk."""
        from ipcir_tools.images.files import text_path

        end = b"\0" if self.null else b"\n"
        sys.stdout.flush()
        sys.stdout.buffer.write(b"".join(os.fsencode(str(text_path(path))) + end for path in paths))
        sys.stdout.buffer.flush()


@dataclass(frozen=True)
class ShownOutput(HitOutput):
    """The same, and whether they are drawn in the terminal."""

    in_terminal: InTerminal = False

    def check(self) -> None:
        """Raises InvalidRequestError where two outputs are asked for, and for pictures without a terminal."""
        super().check()
        if self.in_terminal:
            from ipcir_tools.cli.output.terminal_pictures import check_terminal

            if self.files_alone or self.as_json:
                raise InvalidRequestError("--show draws for people, --json, --paths and -0 write for programs: choose.")
            check_terminal()

    def show(self, result: SearchResult, settings: Settings, parent: Turn | None = None) -> None:
        """Print a search; ``parent`` is the turn that it went on from."""
        from ipcir_tools.cli.output import console, results
        from ipcir_tools.display.results import result_json

        if self.files_alone:
            for warning in result.warnings:
                console.show_warning(warning)
            self.write_files(result.hits)
            return
        print_result(self.as_json, lambda: result_json(result), lambda: results.show_result(result, parent=parent))
        if self.in_terminal:
            from ipcir_tools.cli.output.terminal_pictures import show_pictures

            show_pictures(result, settings)


@dataclass(frozen=True)
class SearchOutput(ShownOutput):
    """The same, which hits are shown, and a picture of the search."""

    existing: Existing = None
    sheet: Sheet = None

    def check_for(self, engine: Engine, *pictures: str) -> None:
        """Raises InvalidRequestError for outputs that exclude each other, and for a sheet that cannot be drawn."""
        self.check()
        check_sheet_of(engine, self.sheet, *pictures)

    def show_and_draw(self, result: SearchResult, settings: Settings, parent: Turn | None = None) -> None:
        """Print a search, draw its contact sheet if a file is named for it, and print its name."""
        self.show(result, settings, parent)
        if self.sheet is not None:
            from ipcir_tools.cli.output.console import out
            from ipcir_tools.display.search_sheet import Strip, save_sheet

            save_sheet([Strip(result)], self.sheet, settings)
            if not (self.as_json or self.files_alone):
                out.print(f"as pictures: {self.sheet}", markup=False, soft_wrap=True)


def check_sheet_of(engine: Engine, sheet: Path | None, *pictures: str) -> None:
    """Refuse a sheet that cannot be written, or that would be written over one of the user's pictures."""
    if sheet is not None:
        from ipcir_tools.display.search_sheet import check_sheet
        from ipcir_tools.images.files import located

        named = {str(located(Path(picture))) for picture in pictures}
        check_sheet(sheet, {*pictures, *named, *engine.catalog.stamps()})
