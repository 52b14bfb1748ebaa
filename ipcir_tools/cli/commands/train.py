"""``ipcir train pic2word | searle | align``: networks for the methods that need one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.options import (
    LLM,
    AsJson,
    CaptionerName,
    EncoderName,
    Home,
    Models,
    Weight,
    engine_for,
    print_result,
)
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.settings import Settings
    from ipcir_tools.training.loop import TrainingReport


train_app = typer.Typer(
    help="Train networks for the composers that need one; a run that was ended goes on when it is started again.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folders = Annotated[
    list[Path], typer.Argument(help="Folders and picture files to learn from; no labels needed.", metavar="FOLDER...")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the network (default: networks/METHOD in the home folder); name another in IPCIR_NETWORKS."
    ),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps (default: the method's own).")]
Again = Annotated[bool, typer.Option("--again", help="Train anew where a training is finished, in its place.")]
_MOST_LINES = 20


@train_app.command()
def pic2word(
    folders: Folders,
    out: Out = None,
    steps: Steps = None,
    again: Again = False,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    as_json: AsJson = False,
) -> None:
    """Learn to say a picture as one word (Pic2Word), from any pictures."""
    with engine_for(home=home, models=models, encoder=encoder) as (engine, progress):
        from ipcir_tools.training.data import read_pictures
        from ipcir_tools.training.pic2word import train_pic2word

        folder = _folder("pic2word", out, again, engine.settings)
        pictures = read_pictures(engine, folders, progress)
        _make(folder)
        report = train_pic2word(engine.encoder, pictures.matrix, folder, progress=progress, **_given(steps))
    _show(report, [f"{skip.source}: {skip.reason}" for skip in pictures.skipped], as_json)


@train_app.command()
def searle(
    folders: Folders,
    concepts: Annotated[
        Path | None, typer.Option(help="File of nouns, one a line (default: the commonest words of the captions).")
    ] = None,
    captions: Annotated[
        int, typer.Option(min=0, help="How many of the pictures are captioned; 0 needs --concepts.")
    ] = 500,
    out: Out = None,
    steps: Steps = None,
    again: Again = False,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    as_json: AsJson = False,
) -> None:
    """Learn to say a picture as one word (SEARLE): first picture by picture, then a network that does it at once."""
    nouns = _lines(concepts)
    with engine_for(home=home, models=models, encoder=encoder, captioner=captioner) as (engine, progress):
        from ipcir_tools.training.data import read_pictures, some_captions
        from ipcir_tools.training.searle import train_searle

        folder = _folder("searle", out, again, engine.settings)
        pictures = read_pictures(engine, folders, progress)
        features, said = pictures.matrix, some_captions(engine, pictures, captions, progress)
        _make(folder)
        report = train_searle(
            engine.encoder, features, folder, captions=said, concepts=nouns, progress=progress, **_given(steps)
        )
    _show(report, [f"{skip.source}: {skip.reason}" for skip in pictures.skipped], as_json)


@train_app.command("aligned")
def align(
    triplets: Annotated[
        Path,
        typer.Argument(
            help='Lines of {"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}, for training only.',
            metavar="TRIPLETS.jsonl",
        ),
    ],
    pictures: Annotated[Path | None, typer.Option(help="Folder of the pictures (default: the file's own).")] = None,
    out: Out = None,
    steps: Steps = None,
    again: Again = False,
    weight: Weight = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    as_json: AsJson = False,
) -> None:
    """Learn from triplets to move the proxy feature to where targets are (the composer 'aligned')."""
    chosen = {"home": home, "models": models, "encoder": encoder, "captioner": captioner, "llm": llm, "weight": weight}
    with engine_for(**chosen) as (engine, progress):
        from ipcir_tools.training.aligned import train_aligned
        from ipcir_tools.training.data import read_triplets

        folder = _folder("aligned", out, again, engine.settings)
        read = read_triplets(engine, triplets, pictures, progress)
        _make(folder)
        report = train_aligned(
            engine.features.space, read.proxies, read.targets, folder, gallery=read.gallery,
            device=engine.encoder.device, progress=progress, **_given(steps),
        )  # fmt: skip
    _show(report, read.left_out, as_json, imagined_by=read.origins)


def _folder(method: str, out: Path | None, again: bool, settings: Settings) -> Path:
    """Where the network goes. Raises InvalidRequestError where one is that nobody said to train anew."""
    from ipcir_tools.models.trained_networks import own_folder
    from ipcir_tools.training.loop import finished

    folder = out.expanduser().absolute() if out else own_folder(method, settings)
    if finished(folder) and not again:
        raise InvalidRequestError(
            f"The training in {folder} is finished, and was left alone: "
            "add --again to put a new one in its place, or name another folder with --out."
        )
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequestError(
            f"The folder {folder} cannot be made ({error.strerror}): name another with --out."
        ) from error


def _given(steps: int | None) -> dict[str, Any]:
    return {} if steps is None else {"steps": steps}


def _lines(path: Path | None) -> list[str]:
    """The lines of a file that say something. Raises InvalidRequestError for one that cannot be read, or says nothing.
    The lines of a file that say something. Raises InvalidRequestError for one that cannot be read, or says nothing."""
    if path is None:
        return []
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeError) as error:
        raise InvalidRequestError(f"{path} cannot be read ({error}): give a file of UTF-8, one noun a line.") from error
    if not lines:
        raise InvalidRequestError(f"{path} holds no noun: write one a line.")
    return lines


def _show(report: TrainingReport, left_out: Sequence[str], as_json: bool, **more: Any) -> None:
    def show() -> None:
        from rich.markup import escape

        from ipcir_tools.cli.output.console import out

        first, last = report.losses[0], report.losses[-1]
        out.print(
            f"[bold]{report.method}[/]: {report.examples:,} examples, {report.steps:,} steps in "
            f"{report.seconds:.0f} s, loss {first:.3f} to {last:.3f}\nnetwork: {escape(str(report.folder))}",
            soft_wrap=True,
        )
        if report.before is not None:
            out.print(f"mean reciprocal rank of held-out targets: {report.before:.3f} before, {report.after:.3f} after")
        for line in left_out[:_MOST_LINES]:
            out.print(f"  left out: {line}", markup=False, soft_wrap=True)
        if len(left_out) > _MOST_LINES:
            out.print(f"  and {len(left_out) - _MOST_LINES} more: --json lists them all")

    print_result(as_json, lambda: report.model_dump(mode="json") | {"left_out": list(left_out)} | more, show)
