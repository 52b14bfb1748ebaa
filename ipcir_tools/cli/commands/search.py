"""``ipcir search | refine | find``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import (
    ModelOptions,
    SearchFlags,
    gallery_for,
    noted_references,
    reference_names,
    with_options,
)
from ipcir_tools.cli.search_output import SearchOutput
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import excerpt

if TYPE_CHECKING:
    from ipcir_tools.types import Turn


@with_options
def search(
    reference: Annotated[str, typer.Argument(help="A picture file, or the id of a picture in the gallery.")],
    flags: SearchFlags,
    output: SearchOutput,
    options: ModelOptions,
    modification: Annotated[str, typer.Argument(help="What should be different: 'in blue with long sleeves'.")] = "",
    references: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            help="A further picture, what is meant of it behind =: 'b.png=its collar'; repeat it for several.",
        ),
    ] = None,
) -> None:
    """Find pictures that are like the reference, but changed as the modification describes.

    With --reference also like parts of others; where notes on them say it all, the modification may be left out.
    """
    named = [reference, *(references or ())]
    if not (modification.strip() or references):
        raise InvalidRequestError("The modification is empty: say what should be different, such as 'in blue'.")
    with gallery_for(options, existing=output.existing) as (engine, _):
        output.check_for(engine, *reference_names(named))
        result = engine.search(noted_references(engine, named), modification, flags.options())
    output.show_and_draw(result, engine.settings)


@with_options
def refine(
    turn: Annotated[str, typer.Argument(help="The turn to build on, as a search printed it.")],
    flags: SearchFlags,
    output: SearchOutput,
    options: ModelOptions,
    modification: Annotated[str, typer.Argument(help="What should be different in addition.")] = "",
    references: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            help="Another picture as the reference: a hit's rank, an id, or a file; repeat it for several, with what "
            "is meant of one behind =: '5=its collar'.",
        ),
    ] = None,
    liked: Annotated[list[str] | None, typer.Option(help="A hit to find more like, by rank or id; repeat it.")] = None,
    disliked: Annotated[list[str] | None, typer.Option(help="A hit to find less like; repeat it for several.")] = None,
    struck: Annotated[
        list[str] | None,
        typer.Option("--strike", help="Strike a word out of what was imagined; repeat it for several."),
    ] = None,
    added: Annotated[
        list[str] | None, typer.Option("--word", help="Add a word to what was imagined; repeat it for several.")
    ] = None,
) -> None:
    """Go on from an earlier turn: an edit, picks, or both. Going on from one turn twice makes a branch.

    With --strike and --word what was imagined is searched for again with other words.
    """
    edited = bool(struck or added)
    if edited and (modification or references or liked or disliked):
        raise InvalidRequestError("--strike and --word stand alone: edit the words first, then refine the turn.")
    with gallery_for(options, existing=output.existing) as (engine, _):
        output.check_for(engine, *reference_names(references or ()))
        if edited:
            words = edited_words(engine.turn(turn), struck or (), added or ())
            result = engine.search_imagined(turn, keep=words["keep"], add=words["add"], remove=words["remove"])
        else:
            result = engine.refine(
                turn,
                modification,
                flags.options(),
                reference=noted_references(engine, references) if references else None,
                liked=[engine.local_reference(each) for each in liked or ()],
                disliked=[engine.local_reference(each) for each in disliked or ()],
            )
        parent = engine.catalog.turn(turn)
    output.show_and_draw(result, engine.settings, parent)


def edited_words(turn: Turn, struck: Sequence[str], added: Sequence[str]) -> dict[str, list[str]]:
    """The lists of a turn's imagined target without the words ``struck`` and with those ``added``.

    Raises InvalidRequestError for a word to strike out that is in none of them.
    """
    lists = {name: list(getattr(turn.imagined, name, ())) for name in ("keep", "add", "remove")}
    there = [word for words in lists.values() for word in words]
    if unknown := [word for word in struck if word not in there]:
        listed = ", ".join(there) or "none"
        raise InvalidRequestError(f"{excerpt(unknown[0], 60)} is no word of what was imagined; there are: {listed}.")
    kept = {name: [word for word in words if word not in struck] for name, words in lists.items()}
    return kept | {"add": [*kept["add"], *added]}


@with_options
def find(
    text: Annotated[str, typer.Argument(help="What the pictures should show.")],
    flags: SearchFlags,
    output: SearchOutput,
    options: ModelOptions,
) -> None:
    """Find pictures by words alone; refine the turn to go on from a hit."""
    if flags.weight is not None:
        raise InvalidRequestError("--weight weighs words against a reference, and there is none: leave it out.")
    with gallery_for(options, existing=output.existing) as (engine, _):
        output.check_for(engine)
        result = engine.find(text, flags.options())
    output.show_and_draw(result, engine.settings)
