"""``ipcir eval captions``: composers and prompts measured on captions, without a single picture."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli_shared import LLM, AsJson, composers_of, print_result

if TYPE_CHECKING:
    from ipcir_tools.evaluation.benchmarks import CaptionBenchmark
    from ipcir_tools.evaluation.report import Report

_GALLERY = 'A JSONL file, {"id": "a", "captions": ["a red dress"]} a line: each stands for a picture.'
_QUERIES = 'A JSONL file, {"reference": "a", "modification": "in blue", "targets": ["b"]} a line.'
_EMBEDDINGS = (
    "LangChain Embeddings as MODULE:NAME, from the working directory or installed; a class or function "
    "without arguments, or an instance."
)


def captions(
    gallery: Annotated[Path, typer.Option(help=_GALLERY)],
    queries: Annotated[Path, typer.Option(help=_QUERIES)],
    embeddings: Annotated[str, typer.Option(help=_EMBEDDINGS, metavar="MODULE:NAME")],
    composers: Annotated[
        str | None,
        typer.Option(help="Names with commas between, or all (default: the ablation of the paper)."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Hits shown for each query to look at.", min=1, max=20)] = 6,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the report as Markdown.")] = None,
    home: Annotated[
        Path | None, typer.Option(help="Folder of vectors and replies (default: ~/.ipcir/eval/captions-GALLERY).")
    ] = None,
    llm: LLM = None,
    prompt: Annotated[
        str | None, typer.Option(help="The prompt that asks --llm (default: imagine.structured).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure composers on captions that stand for pictures: thousands of queries in a minute, no picture needed.

    An entry of the gallery is the mean of its captions. A run that was killed goes on where it was.
    """
    names = composers_of(composers)
    from ipcir_tools.evaluation.writing import check_outputs

    check_outputs(html, markdown)
    with redirect_stdout(sys.stderr):  # what somebody else's module prints is no part of the document
        benchmark, report = _measured(gallery, queries, embeddings, names, k, home, llm, prompt)
    written = _written(report, benchmark, html, markdown)
    from ipcir_tools.evaluation.report import report_json
    from ipcir_tools.printing_eval import show_report, show_unusable

    def show() -> None:
        show_report(report, written)
        show_unusable(benchmark.unusable)

    print_result(as_json, lambda: report_json(report), show)


def _measured(
    gallery: Path,
    queries: Path,
    embeddings: str,
    composers: tuple[str, ...],
    k: int,
    home: Path | None,
    llm: str | None,
    prompt: str | None,
) -> tuple[CaptionBenchmark, Report]:
    from ipcir_tools.catalog import Catalog
    from ipcir_tools.evaluation.benchmarks import load_captions
    from ipcir_tools.evaluation.caption_space import CaptionEngine, evaluate_captions
    from ipcir_tools.evaluation.own_embeddings import load_text_encoder
    from ipcir_tools.printing import progress_bars
    from ipcir_tools.settings import load_settings

    own = load_settings().home / "eval" / f"captions-{gallery.stem}"
    settings = load_settings(home=(home or own).expanduser().absolute(), llm=llm, prompt=prompt)
    benchmark = load_captions(gallery, queries)
    with progress_bars() as progress, Catalog.open(settings.home) as catalog:
        progress("starting", 0, 1)
        encoder = load_text_encoder(embeddings, catalog, batch_size=settings.batch_size)
        engine = CaptionEngine(settings, catalog, encoder, benchmark)
        return benchmark, evaluate_captions(engine, benchmark, composers, top=k, progress=progress)


def _written(report: Report, benchmark: CaptionBenchmark, html: Path | None, markdown: Path | None) -> list[Path]:
    from ipcir_tools.evaluation.writing import write_text

    if html:
        from ipcir_tools.evaluation.report_html import report_html

        said = {name: texts[0] for name, texts in benchmark.captions.items() if texts}
        write_text(html, report_html(report, lambda name: None, said))
    if markdown:
        from ipcir_tools.evaluation.report_markdown import report_markdown

        write_text(markdown, report_markdown(report))
    return [path for path in (html, markdown) if path]
