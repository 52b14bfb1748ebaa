"""``ipcir index | search | find | refine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ipcir_tools.cli.options import (
    LLM,
    AsJson,
    CaptionerName,
    ComposerName,
    Count,
    EncoderName,
    Filter,
    Home,
    Models,
    Rerank,
    Sheet,
    Weight,
    check_sheet_of,
    engine_for,
    filter_of,
    print_result,
    save_sheet_of,
    show_search,
)
from ipcir_tools.search_options import SearchOptions

search_app = typer.Typer()
"""Its commands stand at the top of ``ipcir``."""


@search_app.command()
def index(
    folders: Annotated[list[Path], typer.Argument(help="Folders and picture files.", metavar="FOLDER...")],
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    as_json: AsJson = False,
) -> None:
    """Put the pictures in folders into the gallery; run again, it only looks at what changed."""
    from ipcir_tools.cli.output import results

    with engine_for(home=home, models=models, encoder=encoder, captioner=captioner) as (engine, progress):
        report = engine.index(folders, progress)
    print_result(as_json, lambda: report.model_dump(mode="json"), lambda: results.show_index(report))


@search_app.command()
def search(
    reference: Annotated[str, typer.Argument(help="A picture file, or the id of a picture in the gallery.")],
    text: Annotated[str, typer.Argument(help="What should be different: 'in blue with long sleeves'.")],
    k: Count = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    weight: Weight = None,
    composer: ComposerName = None,
    where: Filter = None,
    rerank: Rerank = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Find pictures that are like the reference, but as the text says."""
    options = SearchOptions(k=k, weight=weight, where=filter_of(where), composer=composer, rerank=rerank)
    chosen = {"home": home, "models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    with engine_for(**chosen) as (engine, _):
        check_sheet_of(engine, sheet, reference)
        result = engine.search(reference, text, options, trusted=True)
    show_search(result, as_json)
    save_sheet_of(engine.settings, result, sheet, as_json)


@search_app.command()
def refine(
    turn: Annotated[str, typer.Argument(help="The turn to build on, as a search printed it.")],
    text: Annotated[str, typer.Argument(help="What should be different in addition.")] = "",
    reference: Annotated[
        str | None, typer.Option(help="Another picture as the reference: a hit's rank, an id, or a file.")
    ] = None,
    like: Annotated[list[str] | None, typer.Option(help="A hit to find more like, by rank or id; repeat it.")] = None,
    dislike: Annotated[list[str] | None, typer.Option(help="A hit to find less like; repeat it for several.")] = None,
    k: Count = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    weight: Weight = None,
    composer: ComposerName = None,
    where: Filter = None,
    rerank: Rerank = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Go on from an earlier turn: an edit, picks, or both. Going on from one turn twice makes a branch."""
    options = SearchOptions(k=k, weight=weight, where=filter_of(where), composer=composer, rerank=rerank)
    chosen = {"home": home, "models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    with engine_for(**chosen) as (engine, _):
        check_sheet_of(engine, sheet, *filter(None, [reference]))
        result = engine.refine(
            turn, text, options, reference=reference, liked=like or (), disliked=dislike or (), trusted=True
        )
        parent = engine.catalog.turn(turn)
    show_search(result, as_json, parent)
    save_sheet_of(engine.settings, result, sheet, as_json)


@search_app.command()
def find(
    text: Annotated[str, typer.Argument(help="What the pictures should show.")],
    k: Count = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    llm: LLM = None,
    composer: ComposerName = None,
    where: Filter = None,
    rerank: Rerank = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Find pictures by words alone; refine the turn to go on from a hit."""
    options = SearchOptions(k=k, where=filter_of(where), composer=composer, rerank=rerank)
    with engine_for(home=home, models=models, encoder=encoder, llm=llm) as (engine, _):
        check_sheet_of(engine, sheet)
        result = engine.find(text, options)
    show_search(result, as_json)
    save_sheet_of(engine.settings, result, sheet, as_json)
