"""``ipcir tune``: a composer's parameters, fitted on a validation part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ipcir_tools.cli.benchmark_options import Bench, BenchmarkOptions
from ipcir_tools.cli.options import AsJson, ManyRequestsOptions, engine_for, print_result, with_options


@with_options
def tune(
    bench: Bench,
    part: BenchmarkOptions,
    options: ManyRequestsOptions,
    composer: Annotated[str, typer.Option(help="The composer to fit, as --composers takes it.")] = "imagined+reference",
    measure: Annotated[str | None, typer.Option(help="What to raise, such as R@10 (default: its first).")] = None,
    never: Annotated[
        list[Path] | None, typer.Option(help="A JSONL file that is a test of yours: BENCH may share no query with it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a composer's weights on BENCH, a validation part, and print them as --composers takes them.

    Benchmarks and parts that are tests are refused, and so is a BENCH that shares queries with --never.
    """
    choice = part.choose(bench, tuning=True)
    home = choice.home(options.home)
    from ipcir_tools.evaluation.runs.tune import refuse_shared, refuse_test

    refuse_test(" ".join(filter(None, [bench, choice.options.get("split")])), choice.is_test)
    with engine_for(options, home=home, models=options.models or choice.entry.models) as (engine, progress):
        from ipcir_tools.evaluation.benchmarks import load_jsonl
        from ipcir_tools.evaluation.runs import tune as tuning

        loaded = choice.load(home, progress)
        for test in never or ():
            refuse_shared(loaded, load_jsonl(test, part.pictures), engine.settings)
        tuned = tuning.tune(engine, loaded, composer, measure, progress=progress)
    from ipcir_tools.cli.output.evaluation import show_tuned

    print_result(as_json, lambda: tuned.model_dump(mode="json"), lambda: show_tuned(tuned))
