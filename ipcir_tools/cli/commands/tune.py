"""``ipcir tune``: a composer's parameters, fitted on a validation part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

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
from ipcir_tools.cli.options import LLM, AsJson, CaptionerName, EncoderName, Home, Models, engine_for, print_result

_TESTS = {("wardrobe", "test"): "wardrobe test", ("cirr", "test1"): "CIRR test1", ("circo", "test"): "CIRCO test"}


def tune(
    bench: Bench,
    composer: Annotated[str, typer.Option(help="The composer to fit, as --composers takes it.")] = "imagined+reference",
    measure: Annotated[str | None, typer.Option(help="What to raise, such as R@10 (default: its first).")] = None,
    never: Annotated[
        list[Path] | None, typer.Option(help="A JSONL file that is a test of yours: BENCH may share no query with it.")
    ] = None,
    folder: Annotations = None,
    pictures: Pictures = None,
    split: Split = None,
    gallery: GalleryRule = "original",
    captions: CaptionRule = "joined",
    families: Families = 86,
    keep_reference: KeepReference = False,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    as_json: AsJson = False,
) -> None:
    """Fit a composer's weights on BENCH, a validation part, and print them as --composers takes them.

    The test parts of wardrobe, cirr and circo are refused, and so is a BENCH that shares queries with --never.
    """
    from ipcir_tools.evaluation.benchmarks.registry import Choice

    choice = Choice(bench, folder, pictures, split, gallery, captions, families, keep_reference)
    choice = replace(choice, split=split or ("val" if bench == "wardrobe" else None))
    choice.check()
    place = choice.home(home)
    names = models or ("demo" if bench == "wardrobe" else None)
    from ipcir_tools.evaluation.runs.tune import refuse_shared, refuse_test

    refuse_test(_TESTS.get((bench, choice.split or ""), ""))
    with engine_for(home=place, models=names, encoder=encoder, captioner=captioner, llm=llm) as (engine, progress):
        from ipcir_tools.evaluation.benchmarks import load_jsonl
        from ipcir_tools.evaluation.runs import tune as tuning

        loaded = choice.load(place, progress)
        for test in never or ():
            refuse_shared(loaded, load_jsonl(test, pictures), engine.settings)
        tuned = tuning.tune(engine, loaded, composer, measure, progress=progress)
    from ipcir_tools.cli.output.evaluation import show_tuned

    print_result(as_json, lambda: tuned.model_dump(mode="json"), lambda: show_tuned(tuned))
