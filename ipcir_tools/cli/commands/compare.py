"""``ipcir prompts compare``: prompts and models on the same queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.benchmark_options import NAMES, BenchmarkOptions, HitsShown
from ipcir_tools.cli.commands.captions import caption_components
from ipcir_tools.cli.options import AsJson, GalleryOptions, ServerOptions, engine_for, path, print_result, with_options
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.evaluation.benchmarks import Benchmark
    from ipcir_tools.evaluation.benchmarks.registry import BenchmarkChoice
    from ipcir_tools.evaluation.comparison.accounting import Prices
    from ipcir_tools.evaluation.comparison.arms import Arm
    from ipcir_tools.evaluation.comparison.report import Comparison
    from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery
    from ipcir_tools.prompts import Prompt
    from ipcir_tools.settings import Settings


Folder = Annotated[
    Path | None,
    typer.Option("--prompts", help="Folder of your own prompts; its ID.md replaces the package's [IPCIR_PROMPTS]."),
]
Bench = Annotated[
    str | None,
    typer.Option(help=f"{NAMES}: reference, modification, targets."),
]


@dataclass(frozen=True)
class _CaptionOptions:
    """Captions in place of pictures."""

    queries_file: Annotated[
        Path | None,
        typer.Option(help="A JSONL file of queries over the captions in the file --gallery, in place of pictures."),
    ] = None
    embeddings: Annotated[
        str | None,
        typer.Option(help="With --queries-file: LangChain Embeddings as MODULE:NAME.", metavar="MODULE:NAME"),
    ] = None


@with_options
def compare(
    named: Annotated[list[str], typer.Argument(help="Ids of prompts; rules, for the rules.", metavar="PROMPT...")],
    part: BenchmarkOptions,
    options: GalleryOptions,
    captions: _CaptionOptions,
    server: ServerOptions,
    llm: Annotated[
        list[str] | None, typer.Option(help="A model that answers the prompts; repeat it for several [IPCIR_LLM].")
    ] = None,
    benchmark: Bench = None,
    queries: Annotated[int | None, typer.Option(help="So many of the queries, always the same ones.", min=1)] = None,
    composer: Annotated[str, typer.Option(help="How targets are searched for.")] = "imagined+reference",
    prices: Annotated[
        Path | None,
        typer.Option(help='JSON with dollars for a million tokens: {"openai:gpt-5-mini": {"input": 1, "output": 2}}.'),
    ] = None,
    k: HitsShown = 6,
    html: Annotated[Path | None, typer.Option(help="Write the comparison as one HTML page with pictures.")] = None,
    prompts: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Compare prompts and models on the same queries: recall, failures and cost.

    Every PROMPT is run with every --llm. Replies are stored as they come: a comparison that was killed continues where
    it was, and pays for no reply twice.
    """
    from ipcir_tools.settings import load_settings

    chosen = {"prompts": prompts, **asdict(server)}
    arms, notes = _arms(named, llm or [], load_settings(**chosen))
    plan = _Plan(arms, notes, _prices(prices), composer, queries, k)
    from ipcir_tools.files import check_writable, write_text

    if html:
        check_writable(html)
    if captions.queries_file is not None:
        files = _caption_files(part.gallery, captions.queries_file, captions.embeddings, benchmark)
        _check_needs_no_images(arms)
        comparison, page = _on_captions(plan, *files, options.home, chosen)
    else:
        comparison, page = _on_pictures(plan, part.choose(benchmark or "wardrobe"), options, chosen)
    if html:
        write_text(html, page())
    from ipcir_tools.cli.output.prompts import show_comparison
    from ipcir_tools.evaluation.comparison.report import comparison_json

    written = [html] if html else []
    print_result(as_json, lambda: comparison_json(comparison), lambda: show_comparison(comparison, written))


@dataclass(frozen=True)
class _Plan:
    """What is compared, whatever the queries are over."""

    arms: list[Arm]
    notes: list[str]
    prices: Prices | None
    composer: str
    queries: int | None
    k: int

    def run(
        self,
        components: Components,
        benchmark: Benchmark,
        progress: Progress,
        load: Callable[[Benchmark], BenchmarkGallery],
    ) -> tuple[Comparison, BenchmarkGallery]:
        """The comparison on a sample of the benchmark, and the gallery of its images."""
        from ipcir_tools.evaluation.comparison.arms import stored_imaginer
        from ipcir_tools.evaluation.comparison.compare import ComparisonOptions, compare
        from ipcir_tools.evaluation.comparison.runner import ComparisonRunner, check_comparable, sampled

        sample = sampled(benchmark, self.queries)
        check_comparable(sample, self.composer)  # before the images are indexed, which may take hours
        runner = ComparisonRunner(components, sample, self.composer, load(sample), top=self.k, progress=progress)
        options = ComparisonOptions(prices=self.prices, notes=tuple(self.notes), wait=_wait)
        return compare(runner, self.arms, stored_imaginer(components), options), runner.gallery


ComparisonPage = tuple["Comparison", Callable[[], str]]
"""A comparison, and a function that renders its page."""


def _arms(named: Sequence[str], llms: Sequence[str], settings: Settings) -> tuple[list[Arm], list[str]]:
    """The arms, and notes on them; checked before an image is opened. Raises IPCIRError."""
    from ipcir_tools.chains.imagination.resources import RULES
    from ipcir_tools.evaluation.comparison.arms import build_arms, check_arm
    from ipcir_tools.prompts import load_prompt

    prompts = [None if id == RULES else load_prompt(id, settings.prompts) for id in dict.fromkeys(named)]
    chosen = [*llms] or ([settings.llm] if settings.llm else [])
    arms = build_arms(prompts, chosen)
    for arm in arms:
        check_arm(arm, settings)
    unused: list[Prompt] = [prompt for prompt in prompts if prompt is not None]
    return arms, [_unused_note(unused)] if unused and not any(arm.llm for arm in arms) else []


def _unused_note(prompts: Sequence[Prompt]) -> str:
    return (
        "No language model is named, so the rules wrote every target and no prompt was used "
        f"({', '.join(prompt.id for prompt in prompts)} named): name a model with --llm or IPCIR_LLM to compare them."
    )


def _wait(seconds: float) -> None:
    """Wait, with a line on standard error that gives the reason."""
    from ipcir_tools.cli.output.console import err

    if seconds >= 1:
        err.print(f"[dim]the language model's server stopped answering: trying again in {seconds:.0f} s[/]")
    time.sleep(seconds)


def _prices(path: Path | None) -> Prices | None:
    """The price table. Raises InvalidRequestError."""
    if path is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from ipcir_tools.evaluation.comparison.accounting import Price
    from ipcir_tools.text import error_line

    try:
        return TypeAdapter(dict[str, Price]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        form = '{"openai:gpt-5-mini": {"input": 0.25, "output": 2.0}}'
        raise InvalidRequestError(
            f"{path} is not a price table ({error_line(error)}): write it as {form}, dollars a million tokens."
        ) from error


def _on_pictures(
    plan: _Plan, choice: BenchmarkChoice, options: GalleryOptions, chosen: dict[str, Any]
) -> ComparisonPage:
    home, models = choice.home(options.home), options.models or choice.entry.models
    with engine_for(options, home=home, models=models, **chosen) as (engine, progress):
        from ipcir_tools.evaluation.comparison.html import comparison_html
        from ipcir_tools.evaluation.reports.page import thumbnails
        from ipcir_tools.evaluation.runs.gallery import load_gallery

        comparison, gallery = plan.run(
            engine.components,
            choice.load(home, progress),
            progress,
            lambda sample: load_gallery(engine, sample, progress),
        )
    return comparison, lambda: comparison_html(comparison, thumbnails(gallery.files, engine.settings))


def _on_captions(
    plan: _Plan, gallery: Path, queries_file: Path, embeddings: str, home: Path | None, chosen: dict[str, Any]
) -> ComparisonPage:
    from ipcir_tools.evaluation.comparison.html import comparison_html
    from ipcir_tools.evaluation.runs.captions_only import load_caption_gallery

    with caption_components(gallery, queries_file, embeddings, home, **chosen) as (
        components,
        benchmark,
        progress,
    ):
        comparison, _ = plan.run(
            components, benchmark, progress, lambda _: load_caption_gallery(components, benchmark, progress)
        )
    return comparison, lambda: comparison_html(comparison, lambda name: None, benchmark.first_captions)


def _caption_files(
    gallery: str | None, queries_file: Path, embeddings: str | None, benchmark: str | None
) -> tuple[Path, Path, str]:
    if benchmark is not None:
        raise InvalidRequestError("--queries-file is a benchmark of its own: leave --benchmark out.")
    if embeddings is None or gallery is None:
        raise InvalidRequestError(
            "--queries-file has queries over captions: name their file with --gallery CAPTIONS.jsonl, and their "
            "encoder with --embeddings MODULE:NAME."
        )
    return path(gallery), queries_file, embeddings


def _check_needs_no_images(arms: Sequence[Arm]) -> None:
    for arm in arms:
        if arm.prompt is not None and arm.prompt.pictures:
            raise InvalidRequestError(
                f"Prompt {arm.prompt.id} needs images, and --queries-file has captions only: compare it on images."
            )
