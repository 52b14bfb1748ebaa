"""``ipcir eval``: benchmarks on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ipcir_tools.cli.benchmark_options import (
    Annotations,
    Bench,
    CaptionRule,
    Families,
    GalleryRule,
    KeepReference,
    Pictures,
    Split,
)
from ipcir_tools.cli.commands.captions import captions as captions_command
from ipcir_tools.cli.options import (
    LLM,
    AsJson,
    CaptionerName,
    EncoderName,
    Home,
    Models,
    composers_of,
    engine_for,
    print_result,
    write_report,
)
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


_RUN = "BENCH"


class _BenchmarksOrCommands(TyperGroup):
    """What is no command is the name of a benchmark."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


eval_app = typer.Typer(
    cls=_BenchmarksOrCommands,
    help="Measure composers on a benchmark: wardrobe, cirr, circo, fashioniq, genecis, or a JSONL file of yours.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@eval_app.command(_RUN)
def benchmark(
    bench: Bench,
    composers: Annotated[
        str | None,
        typer.Option(help="Names with commas between, or all (default: the ablation of the paper)."),
    ] = None,
    folder: Annotations = None,
    pictures: Pictures = None,
    split: Split = None,
    gallery: GalleryRule = "original",
    captions: CaptionRule = "joined",
    families: Families = 86,
    keep_reference: KeepReference = False,
    k: Annotated[int, typer.Option("-k", help="Hits shown for each query to look at.", min=1, max=20)] = 6,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page with pictures.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the report as Markdown.")] = None,
    submission: Annotated[
        Path | None, typer.Option(help="cirr, circo: write the file for the server, of the first of --composers.")
    ] = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    as_json: AsJson = False,
) -> None:
    """Measure composers on BENCH. A run that was killed goes on where it was, with the same report in the end.

    Pictures and what is made of them are kept in ~/.ipcir/eval/NAME, unless --home names another folder.
    """
    from ipcir_tools.evaluation.benchmarks.registry import Choice

    choice = Choice(bench, folder, pictures, split, gallery, captions, families, keep_reference)
    choice.check()
    names = composers_of(composers)
    from ipcir_tools.files import check_outputs

    check_outputs(html, markdown, submission)
    place = choice.home(home)
    chosen = {"encoder": encoder, "captioner": captioner, "llm": llm}
    with engine_for(home=place, models=choice.models(models), **chosen) as (engine, progress):
        from ipcir_tools.evaluation.reports.html import report_html
        from ipcir_tools.evaluation.reports.page import thumbnails
        from ipcir_tools.evaluation.runs.evaluate import summarise
        from ipcir_tools.evaluation.runs.run import Run
        from ipcir_tools.evaluation.runs.submissions import DEPTH, check_submission, submit

        loaded = choice.load(place, progress)
        if submission:
            check_submission(loaded)
        run = Run(engine, loaded, names, top=DEPTH if submission else k, progress=progress)
        measured = run.measure()
        report = summarise(engine, run, measured)
        small = thumbnails(run.gallery.files, engine.settings)
        written = write_report(report, html, markdown, lambda: report_html(report, small))
        refused = None
        try:
            written += submit(measured, submission) if submission else []
        except InvalidRequestError as error:  # what was measured is shown first
            refused = error
    from ipcir_tools.cli.output.evaluation import show_report
    from ipcir_tools.evaluation.reports.report import report_json

    print_result(as_json, lambda: report_json(report), lambda: show_report(report, written))
    if refused:
        raise refused


eval_app.command("captions")(captions_command)


@eval_app.command("wardrobe-dialogues")
def wardrobe_dialogues(
    dialogues: Annotated[int, typer.Option(min=1, max=2000, help="How many dialogues, of two to five rounds.")] = 200,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    as_json: AsJson = False,
) -> None:
    """Play the wardrobe's held-out dialogues with a simulated user: Hits@1 and Hits@10 after each round."""
    chosen = {"models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    with _own_gallery(f"wardrobe-dialogues-{dialogues}", home, **chosen) as (engine, progress, folder):
        from ipcir_tools.cli.output import evaluation
        from ipcir_tools.demo.experiments import play_dialogues
        from ipcir_tools.evaluation.experiments.dialogues import report_json

        report = play_dialogues(engine, folder, progress, dialogues)
    print_result(as_json, lambda: report_json(report), lambda: evaluation.show_dialogues(report))


@eval_app.command("wardrobe-absent")
def wardrobe_absent(
    families: Families = 86,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    as_json: AsJson = False,
) -> None:
    """Take what is asked for out of the wardrobe: how well are such requests told apart (AUROC)?"""
    chosen = {"models": models, "encoder": encoder, "captioner": captioner, "llm": llm}
    with _own_gallery(f"wardrobe-absent-{families}", home, **chosen) as (engine, progress, folder):
        from ipcir_tools.cli.output import evaluation
        from ipcir_tools.demo.experiments import wardrobe_absence

        found = wardrobe_absence(engine, folder, progress, families=families)
    print_result(
        as_json,
        lambda: {name: each.model_dump(mode="json") for name, each in found.items()},
        lambda: evaluation.show_absence(found),
    )


@contextmanager
def _own_gallery(
    name: str, home: Path | None, models: str | None, **chosen: Any
) -> Iterator[tuple[Engine, Progress, Path]]:
    """An engine on a folder of its own, with that folder.

    Other pictures in its gallery would be distractors, strangers to the truth, or what was meant to be taken away.
    """
    from ipcir_tools.settings import load_settings

    folder = ((home or load_settings().home) / name).expanduser().absolute()
    with engine_for(home=folder, models=models or "demo", **chosen) as (engine, progress):
        yield engine, progress, folder
