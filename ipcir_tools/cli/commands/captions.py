"""``ipcir eval captions``: composers and prompts measured on captions, without a single picture."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.benchmark_options import ReportOptions
from ipcir_tools.cli.options import LLM, AsJson, ServerOptions, composers_of, print_result, with_options

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.evaluation.benchmarks import CaptionBenchmark
    from ipcir_tools.evaluation.runs.captions_only import CaptionComponents


_GALLERY = 'A JSONL file, {"id": "a", "captions": ["a red dress"]} a line: each stands for a picture.'
_QUERIES = (
    'A JSONL file, {"reference": "a", "modification": "in blue", "targets": ["b"]} a line; also id, negatives, '
    "wordings, kinds, and a list of several references."
)
_EMBEDDINGS = (
    "LangChain Embeddings as MODULE:NAME, from the working directory or installed; a class or function "
    "without arguments, or an instance."
)


@with_options
def captions(
    gallery: Annotated[Path, typer.Option(help=_GALLERY)],
    queries: Annotated[Path, typer.Option(help=_QUERIES)],
    embeddings: Annotated[str, typer.Option(help=_EMBEDDINGS, metavar="MODULE:NAME")],
    shown: ReportOptions,
    server: ServerOptions,
    home: Annotated[
        Path | None, typer.Option(help="Folder of vectors and replies (default: ~/.ipcir/eval/captions-GALLERY).")
    ] = None,
    llm: LLM = None,
    prompt: Annotated[str | None, typer.Option(help="The prompt for --llm (default: imagine.structured).")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure composers on captions that stand for pictures: thousands of queries in a minute, no picture needed.

    An entry of the gallery is the mean of its captions. A run that was killed continues where it was.
    """
    names = composers_of(shown.composers)
    from ipcir_tools.files import check_outputs

    check_outputs(shown.html, shown.markdown)
    from ipcir_tools.evaluation.runs.captions_only import evaluate_captions

    with caption_components(gallery, queries, embeddings, home, llm=llm, prompt=prompt, **asdict(server)) as (
        components,
        benchmark,
        progress,
    ):
        report = evaluate_captions(components, benchmark, names, top=shown.k, progress=progress)
    from ipcir_tools.cli.output.evaluation import show_report, show_unusable
    from ipcir_tools.evaluation.reports.html import report_html
    from ipcir_tools.evaluation.reports.report import report_json

    page = partial(report_html, report, lambda name: None, benchmark.first_captions)
    written = shown.write(report, page)

    def show() -> None:
        show_report(report, written)
        show_unusable(benchmark.unusable)

    print_result(as_json, lambda: report_json(report), show)


@contextmanager
def caption_components(
    gallery: Path, queries: Path, embeddings: str, home: Path | None, **chosen: Any
) -> Iterator[tuple[CaptionComponents, CaptionBenchmark, Progress]]:
    """Captions in the place of pictures, ready to be measured; ``chosen`` are settings.

    What the embeddings' module prints goes to standard error, because it is not part of a JSON document.
    """
    from ipcir_tools.cli.output.console import progress_bars
    from ipcir_tools.evaluation.benchmarks import load_captions
    from ipcir_tools.evaluation.runs.captions_only import CaptionComponents
    from ipcir_tools.evaluation.runs.langchain_encoder import load_text_encoder
    from ipcir_tools.settings import load_settings
    from ipcir_tools.store.catalog import Catalog

    own = load_settings().home / "eval" / f"captions-{gallery.stem}"
    settings = load_settings(home=(home or own).expanduser().absolute(), **chosen).alone()
    benchmark = load_captions(gallery, queries)
    with redirect_stdout(sys.stderr), progress_bars() as progress, Catalog.open(settings.home) as catalog:
        progress("starting", 0, 1)
        encoder = load_text_encoder(
            embeddings, catalog, batch_size=settings.batch_size, seconds=settings.embeddings_timeout
        )
        yield CaptionComponents(settings, catalog, encoder, benchmark), benchmark, progress
