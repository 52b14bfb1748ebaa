"""``ipcir eval``: benchmarks on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from ipcir_tools.cli.benchmark_options import NAMES, Bench, BenchmarkOptions, Families, ReportOptions
from ipcir_tools.cli.commands.captions import captions as captions_command
from ipcir_tools.cli.options import (
    AsJson,
    ManyRequestsOptions,
    ModelOptions,
    composers_of,
    engine_for,
    print_result,
    with_options,
)
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine


_RUN = "BENCH"


class _BenchmarksOrCommands(TyperGroup):
    """Treats a word that is not a command as the name of a benchmark."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


eval_app = typer.Typer(
    cls=_BenchmarksOrCommands,
    help=f"Measure composers on a benchmark: {NAMES} of yours.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@eval_app.command(_RUN)
@with_options
def benchmark(
    bench: Bench,
    part: BenchmarkOptions,
    options: ManyRequestsOptions,
    shown: ReportOptions,
    submission: Annotated[
        Path | None, typer.Option(help="cirr, circo: write the file for the server, of the first of --composers.")
    ] = None,
    wordings: Annotated[
        bool, typer.Option("--wordings", help="Measure the queries' other wordings, too; each costs a composition.")
    ] = False,
    verify: Annotated[
        str | None,
        typer.Option(
            help="Measure the default composer (or all, where it is not among them) also with this many first hits "
            "verified by the captioner: a number, off, or auto (default)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure composers on BENCH. A run that was killed continues where it was, with the same report in the end.

    Pictures and what is made of them are kept in ~/.ipcir/eval/NAME, unless --home names another folder.
    """
    choice = part.choose(bench, dialogues=True)
    names = composers_of(shown.composers)
    from ipcir_tools.files import check_outputs

    check_outputs(shown.html, shown.markdown, submission)
    home = choice.home(options.home)
    models = options.models or choice.entry.models
    with engine_for(options, home=home, models=models, verify=verify) as (engine, progress):
        from ipcir_tools.evaluation.reports.html import report_html
        from ipcir_tools.evaluation.reports.page import thumbnails
        from ipcir_tools.evaluation.runs.evaluate import measure, summarise
        from ipcir_tools.evaluation.runs.run import run_on
        from ipcir_tools.evaluation.runs.submissions import DEPTH, check_submission, submit
        from ipcir_tools.evaluation.runs.wordings import measure_wordings

        loaded = choice.load(home, progress)
        if submission:
            check_submission(loaded)
        top, hits = DEPTH if submission else shown.k, engine.settings.verify
        run = run_on(engine, loaded, names, top=top, progress=progress, verify=hits)
        measured = measure(run)
        if wordings:
            measured.wordings = measure_wordings(run, measured)
        report = summarise(run, measured)
        small = thumbnails(run.gallery.files, engine.settings)
        written = shown.write(report, lambda: report_html(report, small))
        refusal = None
        try:
            written += submit(measured, submission) if submission else []
        except InvalidRequestError as error:  # the report is shown first
            refusal = error
    from ipcir_tools.cli.output.evaluation import show_report
    from ipcir_tools.evaluation.reports.report import report_json

    print_result(as_json, lambda: report_json(report), lambda: show_report(report, written))
    if refusal:
        raise refusal


eval_app.command("captions")(captions_command)


@eval_app.command("wardrobe-dialogues")
@with_options
def wardrobe_dialogues(
    options: ManyRequestsOptions,
    dialogues: Annotated[int, typer.Option(min=1, max=2000, help="How many dialogues, of two to five rounds.")] = 200,
    part: Annotated[Literal["test", "val"], typer.Option(help="test, or val to choose parameters on.")] = "test",
    verify: Annotated[str | None, typer.Option(help="First hits that the captioner verifies: auto, off, 20.")] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a user in the wardrobe's held-out dialogues: Hits@1 and Hits@10 after each round."""
    name = f"wardrobe-dialogues-{dialogues}{'' if part == 'test' else f'-{part}'}"
    with _own_gallery(name, options, verify=verify) as (engine, progress, folder):
        from ipcir_tools.cli.output import evaluation
        from ipcir_tools.demo.experiments import play_dialogues
        from ipcir_tools.evaluation.experiments.dialogues import report_json

        report = play_dialogues(engine, folder, progress, dialogues, part)
    print_result(as_json, lambda: report_json(report), lambda: evaluation.show_dialogues(report))


@eval_app.command("wardrobe-absent")
@with_options
def wardrobe_absent(
    options: ManyRequestsOptions,
    families: Families = None,
    as_json: AsJson = False,
) -> None:
    """Take the targets out of the wardrobe: how well are requests without a target recognised (AUROC)?"""
    from ipcir_tools.demo.world.wardrobe import FAMILIES

    families = families or FAMILIES
    with _own_gallery(f"wardrobe-absent-{families}", options) as (engine, progress, folder):
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
    name: str, options: ModelOptions, verify: str | None = None
) -> Iterator[tuple[Engine, Progress, Path]]:
    """An engine on a folder of its own, with that folder.

    Other pictures in its gallery would be distractors, or right answers that the experiment does not know of.
    """
    folder = ((options.home or options.settings().home) / name).expanduser().absolute()
    with engine_for(options, home=folder, models=options.models or "demo", verify=verify) as (engine, progress):
        yield engine, progress, folder
