"""``ipcir show``: one picture's facts, or one turn's hits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import GalleryOptions, gallery_for, print_result, with_options
from ipcir_tools.cli.search_output import HitOutput, ShownOutput
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.sources import ObjectUrl, Source

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.engine.picture_facts import PictureFacts
    from ipcir_tools.engine.reference_words import Reference
    from ipcir_tools.settings import Settings
    from ipcir_tools.types import Turn


_RANK = re.compile(r"#?(\d{1,4})(?:\s+of\s+(?:turn\s+)?(\S+))?")
_LAST = re.compile(r"(?:turn\s+)?last|last\s+turn")
_TURN = re.compile(r"(?:turn\s+)?(t[0-9a-f]{3,11})")


@with_options
def show(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A picture: its id, its file, or a hit such as '3 of TURN' (3 alone: of the last turn). Or a turn, or "
            "'last'.",
            metavar="ID|FILE|RANK [of TURN]|TURN|last",
        ),
    ],
    output: ShownOutput,
    options: GalleryOptions,
    open_viewer: Annotated[bool, typer.Option("--open", help="Open the picture in the system's viewer.")] = False,
) -> None:
    """Show what is known of one picture, or the hits of an earlier turn.

    With --paths or -0 only the files are printed: all those of the picture, or those of the hits.
    """
    output.check()
    with gallery_for(options) as (engine, _):
        from ipcir_tools.engine.picture_facts import picture_facts
        from ipcir_tools.types import SearchResult, Turn

        named = named_thing(engine, " ".join(what).strip())
        if isinstance(named, Turn):
            if open_viewer:
                raise InvalidRequestError(
                    f"--open opens one picture, and {named.id} is a turn: name a hit, '1 of {named.id}'."
                )
            parent = engine.turn(named.parent) if named.parent else None
            output.show(SearchResult(turn=named), engine.settings, parent)
            return
        facts = picture_facts(engine, named)
    _show_facts(facts, output)
    if output.in_terminal:
        _draw(facts, engine.settings)
    if open_viewer:
        _open(facts)


def named_thing(engine: Engine, text: str) -> Turn | Reference:
    """The turn, or else the picture, that a person named. Raises NotFoundError for an unknown turn or rank."""
    from ipcir_tools.engine.reference_words import hit_id

    if rank := _RANK.fullmatch(text):
        return hit_id(rank[1], turn_named(engine, rank[2] or "last"))
    if _LAST.fullmatch(text) and not Path(text).exists():
        return turn_named(engine, "last")
    if (turn := _TURN.fullmatch(text)) and not Path(text).exists():
        return engine.turn(turn[1])
    return engine.local_reference(text)


def turn_named(engine: Engine, text: str) -> Turn:
    """The turn with that id, or the last one for ``last``. Raises NotFoundError."""
    if text != "last":
        return engine.turn(text)
    if not (newest := engine.turns(1)):
        raise NotFoundError('There is no turn yet: `ipcir search REFERENCE "in blue"` makes the first.')
    return engine.turn(newest[0].id)


def _show_facts(facts: PictureFacts, output: HitOutput) -> None:
    from ipcir_tools.cli.output.facts import show_facts

    if output.files_alone:
        output.write_paths([file.path for file in facts.files if not file.gone])
    else:
        print_result(output.as_json, lambda: facts.model_dump(mode="json"), lambda: show_facts(facts))


def _draw(facts: PictureFacts, settings: Settings) -> None:
    from ipcir_tools.cli.output.terminal_pictures import show_picture

    show_picture(str(_file(facts)), settings)


def _file(facts: PictureFacts) -> Source:
    from ipcir_tools.images.files import text_path

    if facts.file is None or facts.file.gone:
        raise NotFoundError(f"The picture {facts.picture.id} cannot be opened: it has no file any more.")
    return text_path(facts.file.path)


def _open(facts: PictureFacts) -> None:
    from ipcir_tools.cli.viewer import open_file

    file = _file(facts)
    if isinstance(file, ObjectUrl):
        raise InvalidRequestError(
            f"{file} is in an object store, which no viewer opens: `ipcir export` copies hits, and --sheet draws them."
        )
    open_file(file)
