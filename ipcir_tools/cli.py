"""The command line: ``ipcir index | search | refine | demo``. Everything heavy is imported when a command runs."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.errors import InvalidRequest, IPCIRError, SpaceMismatch

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.engine import Engine
    from ipcir_tools.settings import Settings
    from ipcir_tools.types import SearchResult

app = typer.Typer(
    name="ipcir",
    help="Find the picture that is like this one, but ...",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Home = Annotated[Path | None, typer.Option(help="Folder of the catalog and its index [default: ~/.ipcir].")]
Models = Annotated[
    str | None, typer.Option(help="'demo': the small models in the package; 'default': CLIP and BLIP from the hub.")
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder", help="open_clip:MODEL/PRETRAINED, open_clip:hf-hub:ORG/NAME or open_clip:local-dir:PATH."
    ),
]
CaptionerName = Annotated[
    str | None,
    typer.Option("--captioner", help="transformers:ORG/NAME, transformers:PATH, chat:PROVIDER:MODEL or auto."),
]
LLM = Annotated[
    str | None,
    typer.Option("--llm", help="Model that imagines the target, such as openai:gpt-5-mini [default: rules]."),
]
Count = Annotated[int | None, typer.Option("-k", help="How many pictures to return [default: 10].")]
Weight = Annotated[float | None, typer.Option(help="Weight of the text, 0 (only the picture) to 1 (only the text).")]
ComposerName = Annotated[
    str | None, typer.Option("--composer", help="modification, reference, sum, imagined or imagined+reference.")
]
Filter = Annotated[str | None, typer.Option("--where", help='Filter as JSON, such as \'{"format": "jpeg"}\'.')]
Sheet = Annotated[Path | None, typer.Option(help="Draw reference, edit and hits as one picture into this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@app.command()
def index(
    folders: Annotated[list[Path], typer.Argument(help="Folders and picture files.", metavar="FOLDER...")],
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    as_json: AsJson = False,
) -> None:
    """Put the pictures in folders into the gallery; run again, it only looks at what changed."""
    from ipcir_tools import printing

    with _engine(home=home, models=models, encoder=encoder, captioner=captioner) as (engine, progress):
        report = engine.index(folders, progress)
    _print(as_json, lambda: report.model_dump(mode="json"), lambda: printing.show_index(report))


@app.command()
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
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Find pictures that are like the reference, but as the text says."""
    chosen = {"home": home, "models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    with _engine(**chosen) as (engine, _):
        _check(engine, sheet, reference)
        result = engine.search(
            reference, text, k=k, weight=weight, composer=composer, where=_filter(where), trusted=True
        )
    _show(result, as_json)
    _save(engine.settings, result, sheet, as_json)


@app.command()
def refine(
    turn: Annotated[str, typer.Argument(help="The turn to build on, as a search printed it.")],
    text: Annotated[str, typer.Argument(help="What should be different in addition.")],
    k: Count = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    weight: Weight = None,
    composer: ComposerName = None,
    where: Filter = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Go on from an earlier turn; going on from one turn twice makes a branch."""
    chosen = {"home": home, "models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    with _engine(**chosen) as (engine, _):
        _check(engine, sheet)
        result = engine.refine(turn, text, k=k, weight=weight, composer=composer, where=_filter(where))
    _show(result, as_json)
    _save(engine.settings, result, sheet, as_json)


@app.command()
def demo(
    home: Annotated[
        Path | None, typer.Option(help="Folder for the demo's pictures and catalog [default: ~/.ipcir/demo].")
    ] = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    k: Count = None,
    as_json: AsJson = False,
) -> None:
    """Draw a gallery, play a three-turn dialogue and measure what imagining is worth, offline."""
    from ipcir_tools.settings import load_settings

    folder = (home or load_settings().home / "demo").expanduser().absolute()
    chosen = {
        "home": folder,
        "models": models or "demo",
        "encoder": encoder,
        "captioner": captioner,
        "llm": llm,
        "k": k,
    }
    with _engine(**chosen) as (engine, progress):
        from ipcir_tools import printing
        from ipcir_tools.demo.play import play, show_json

        try:
            show = play(engine, folder, progress)
        except SpaceMismatch as error:
            text = f"The demo in {folder} was made with other models: delete that folder, or name another --home."
            raise SpaceMismatch(text) from error
    _print(as_json, lambda: show_json(show), lambda: printing.show_demo(show, folder))


@contextmanager
def _engine(**chosen: Any) -> Iterator[tuple[Engine, Progress]]:
    """The engine for one command, with its progress bars."""
    from ipcir_tools.printing import progress_bars
    from ipcir_tools.settings import load_settings

    settings = load_settings(**chosen)
    with progress_bars() as progress:
        progress("starting", 0, 1)
        from ipcir_tools.engine import Engine

        with Engine.open(settings, progress) as engine:
            yield engine, progress


def _filter(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        where = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f'--where is no JSON ({error}): write it as \'{{"format": "jpeg"}}\'.') from error
    if not isinstance(where, dict):
        raise InvalidRequest('--where must be a JSON object, such as \'{"format": "jpeg"}\'.')
    return where


def _show(result: SearchResult, as_json: bool) -> None:
    from ipcir_tools import printing
    from ipcir_tools.presenting import result_json

    _print(as_json, lambda: result_json(result), lambda: printing.show_result(result))


def _check(engine: Engine, sheet: Path | None, *pictures: str) -> None:
    """Refuse a sheet that cannot be written, or that would be written over one of the user's pictures."""
    if sheet is not None:
        from ipcir_tools.images import located
        from ipcir_tools.sheet import check_sheet

        named = {str(located(Path(picture))) for picture in pictures}
        check_sheet(sheet, {*pictures, *named, *engine.catalog.stamps()})


def _save(settings: Settings, result: SearchResult, sheet: Path | None, as_json: bool) -> None:
    if sheet is not None:
        from ipcir_tools.printing import out
        from ipcir_tools.sheet import Strip, save_sheet

        save_sheet([Strip(result)], sheet, settings)
        if not as_json:
            out.print(f"as pictures: {sheet}", markup=False, soft_wrap=True)


def _print(as_json: bool, document: Callable[[], dict[str, Any]], show: Callable[[], None]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(document(), indent=2) + "\n")
    else:
        show()


def main() -> None:
    """Run ``ipcir``. What a user can mend ends with one line and status 2, never with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name must not end the output
    try:
        app()
    except IPCIRError as error:
        _fail(str(error), 2)
    except Exception as error:
        if os.environ.get("IPCIR_DEBUG"):
            raise
        _fail(f"{type(error).__name__}: {error} (this is a fault of ipcir; IPCIR_DEBUG=1 shows where)", 1)


def _fail(text: str, status: int) -> None:
    from ipcir_tools.printing import show_error

    show_error(text)
    sys.exit(status)


if __name__ == "__main__":
    main()
