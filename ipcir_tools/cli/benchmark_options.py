"""Benchmarks by name, for ``ipcir eval`` and ``ipcir tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Bench = Annotated[
    str,
    typer.Argument(
        help="wardrobe, cirr, circo, fashioniq, genecis, or a JSONL file: reference, modification, targets a line.",
        metavar="BENCH",
    ),
]
Annotations = Annotated[Path | None, typer.Option("--folder", help="Where the annotation files of the benchmark are.")]
Pictures = Annotated[
    Path | None, typer.Option(help="Where its pictures are (default: below --folder, or beside the JSONL file).")
]
Split = Annotated[
    str | None, typer.Option("--split", "--part", help="wardrobe: test, val; cirr: val, test1; circo: val, test.")
]
GalleryRule = Annotated[str, typer.Option("--gallery", help="fashioniq: original, or VAL, which is easier.")]
CaptionRule = Annotated[str, typer.Option("--captions", help="fashioniq: joined, or 'both orders'.")]
Families = Annotated[
    int, typer.Option(help="wardrobe: how many families of 6 queries and 30 pictures.", min=1, max=500)
]
KeepReference = Annotated[bool, typer.Option("--keep-reference", help="JSONL: leave the reference in the ranking.")]
