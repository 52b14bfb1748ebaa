"""Benchmarks on the command line: which there are, and their options, for ``eval``, ``tune`` and ``compare``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.evaluation.benchmarks.registry import ANY, BENCHMARKS, BenchmarkChoice, BenchmarkEntry, choose

if TYPE_CHECKING:
    from ipcir_tools.evaluation.reports.report import Report

WARDROBE = BenchmarkEntry(
    "ipcir_tools.demo.gallery:wardrobe_benchmark",
    {"split": ("test", "val"), "families": ANY},
    tuning="val",
    generated=True,
    models="demo",
)
WARDROBE_REFERENCES = replace(WARDROBE, loader="ipcir_tools.demo.gallery:wardrobe_references_benchmark")
KNOWN = {"wardrobe": WARDROBE, "wardrobe-references": WARDROBE_REFERENCES, **BENCHMARKS}
"""The registry's benchmarks, and the demo's, which the registry cannot name because the demo is built on it."""
NAMES = f"{', '.join(KNOWN)}, or a JSONL file"


def _values(option: str) -> str:
    """Which benchmarks have an option, and its values, for a help text."""
    entries = {name: entry.options[option] for name, entry in KNOWN.items() if option in entry.options}
    return "; ".join(f"{name}: {', '.join(values)}" for name, values in entries.items())


Bench = Annotated[
    str,
    typer.Argument(
        help=f"{NAMES}: reference, modification and targets a line; also id, negatives, wordings and kinds.",
        metavar="BENCH",
    ),
]


Folder = Annotated[Path | None, typer.Option("--folder", help="Where the annotation files of the benchmark are.")]
Pictures = Annotated[
    Path | None, typer.Option(help="Where its pictures are (default: below --folder, or beside the JSONL file).")
]
Split = Annotated[str | None, typer.Option("--split", "--part", help=f"{_values('split')}.")]
GalleryRule = Annotated[str | None, typer.Option("--gallery", help=f"{_values('gallery')}, which is easier.")]
CaptionRule = Annotated[str | None, typer.Option("--captions", help=f"{_values('captions')}.")]
Families = Annotated[
    int | None,
    typer.Option(
        help="How many families: wardrobe of 6 queries (default: 86), wardrobe-references of 2 (default: 100).",
        min=1,
        max=500,
    ),
]
KeepReference = Annotated[
    bool | None, typer.Option("--keep-reference", help="JSONL: leave the reference in the ranking.")
]

HitsShown = Annotated[int, typer.Option("-k", help="Hits shown for each query to look at.", min=1, max=20)]


@dataclass(frozen=True)
class ReportOptions:
    """What is measured, and where the report is written."""

    composers: Annotated[
        str | None, typer.Option(help="Names with commas between, or all (default: the paper's ablation and edit).")
    ] = None
    k: HitsShown = 6
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page with pictures.")] = None
    markdown: Annotated[Path | None, typer.Option(help="Write the report as Markdown.")] = None

    def write(self, report: Report, page: Callable[[], str]) -> list[Path]:
        """Write the report into the files that are named, its ``page`` for ``html``; the files written."""
        from ipcir_tools.evaluation.reports.markdown import report_markdown
        from ipcir_tools.files import write_text

        if self.html:
            write_text(self.html, page())
        if self.markdown:
            write_text(self.markdown, report_markdown(report))
        return [path for path in (self.html, self.markdown) if path]


@dataclass(frozen=True)
class BenchmarkOptions:
    """Where a benchmark's files are, and which part of it is meant; None: its own default."""

    folder: Folder = None
    pictures: Pictures = None
    split: Split = None
    gallery: GalleryRule = None
    captions: CaptionRule = None
    families: Families = None
    keep_reference: KeepReference = None

    def choose(self, name: str, *, tuning: bool = False, dialogues: bool = False) -> BenchmarkChoice:
        """The benchmark of this name; for ``tuning`` its validation part is the default.

        Raises InvalidRequestError, also for one of dialogues, unless ``dialogues`` are what is measured.
        """
        entry = KNOWN.get(name)
        if entry is not None and entry.dialogues and not dialogues:
            raise InvalidRequestError(f"{name} holds dialogues, which only `ipcir eval {name}` measures.")
        default = entry.tuning if tuning and entry is not None and "split" in entry.options else None
        return choose(
            name,
            self.folder,
            self.pictures,
            known=KNOWN,
            split=self.split or default,
            gallery=self.gallery,
            captions=self.captions,
            families=self.families,
            keep_reference=self.keep_reference,
        )
