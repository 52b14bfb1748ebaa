"""``ipcir train NAME``: the network of a trained composer. The commands and their options come from the registry."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ipcir_tools.cli.options import AsJson, ManyRequestsOptions, engine_for, option_parameters, path, print_result
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.composers import TrainedComposer
    from ipcir_tools.settings import Settings
    from ipcir_tools.training.loop import TrainingReport
    from ipcir_tools.training.training import Training


HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_MOST_LINES = 20


class TrainGroup(TyperGroup):
    """One command for each composer that needs a trained network.

    The contexts and commands are click's, which typer brings along in a private module: hence ``Any``.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the trained composers."""
        from ipcir_tools.composers import COMPOSERS, TrainedComposer

        return [name for name, composer in COMPOSERS.items() if isinstance(composer, TrainedComposer)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command that trains the network of one composer; None where there is no such composer."""
        from ipcir_tools.composers import COMPOSERS, TrainedComposer

        composer = COMPOSERS.get(cmd_name)
        return _command(composer) if isinstance(composer, TrainedComposer) else None


train_app = typer.Typer(
    cls=TrainGroup,
    help="Train networks for the composers that need one; an interrupted training continues when it is started again.",
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
)


def _command(composer: TrainedComposer) -> Any:
    """The command of one composer, with the options of its training and those of every training."""
    training = _training_class(composer)

    def run(sources: list[Path], out: Path | None, again: bool, as_json: bool, **rest: Any) -> None:
        options = {key: value for key in training.model_fields if (value := rest.pop(key, None)) is not None}
        with engine_for(**rest) as (engine, progress):
            folder = _output_folder(composer.name, out, again, engine.settings)
            report = training.with_options(options).run(engine.components, sources, folder, progress)
        _show(report, as_json)

    common = [*option_parameters(_TrainingOptions), *option_parameters(ManyRequestsOptions)]
    signature = inspect.Signature([_sources(composer), *_own_options(training), *common])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=HELP_OPTIONS)
    app.command(composer.name, help=training.learns)(run)
    return typer.main.get_command(app)


def _training_class(composer: TrainedComposer) -> type[Training]:
    from ipcir_tools.models.registry import import_attribute

    training: type[Training] = import_attribute(composer.training)
    return training


def _sources(composer: TrainedComposer) -> inspect.Parameter:
    argument = typer.Argument(help=_training_class(composer).sources_help, metavar=composer.sources, parser=path)
    return _parameter("sources", list[Path], argument, ...)


def _own_options(training: type[Training]) -> list[inspect.Parameter]:
    """The fields of the training that have a description; the default is the training's own."""
    return [
        _parameter(name, field.annotation | None, typer.Option(help=_help(field.description, field.default)), None)  # type: ignore[operator]
        for name, field in training.model_fields.items()
        if field.description
    ]


def _help(description: str, default: Any) -> str:
    return description if default is None else f"{description.removesuffix('.')} (default: {default})."


def _parameter(name: str, kind: Any, option: Any, default: Any) -> inspect.Parameter:
    empty = inspect.Parameter.empty if default is ... else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=empty, annotation=Annotated[kind, option])


@dataclass(frozen=True)
class _TrainingOptions:
    """The options of every training, beside those of the models."""

    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the network (default: networks/NAME in the home folder, see IPCIR_NETWORKS)."),
    ] = None
    again: Annotated[bool, typer.Option("--again", help="Replace a network whose training is finished.")] = False
    as_json: AsJson = False


def _output_folder(name: str, out: Path | None, again: bool, settings: Settings) -> Path:
    """Where the network goes. Raises InvalidRequestError where a finished one is not to be replaced."""
    from ipcir_tools.models.trained_networks import own_folder
    from ipcir_tools.training.checkpoint import finished

    folder = out.expanduser().absolute() if out else own_folder(name, settings)
    if finished(folder) and not again:
        raise InvalidRequestError(
            f"The training in {folder} is finished, and was not changed: "
            "add --again to put a new one in its place, or name another folder with --out."
        )
    return folder


def _show(report: TrainingReport, as_json: bool) -> None:
    def document() -> dict[str, Any]:
        return report.model_dump(mode="json", exclude={"details"}) | report.details

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
        for line in report.left_out[:_MOST_LINES]:
            out.print(f"  left out: {line}", markup=False, soft_wrap=True)
        if len(report.left_out) > _MOST_LINES:
            out.print(f"  and {len(report.left_out) - _MOST_LINES} more: --json lists them all")

    print_result(as_json, document, show)
