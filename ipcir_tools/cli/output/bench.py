"""What ``ipcir bench`` prints: tables with each figure beside its peer and its limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import err, out, show_warning
from ipcir_tools.text import visible_line

if TYPE_CHECKING:
    from ipcir_tools.bench.plan import Plan
    from ipcir_tools.bench.timing import Say

Row = tuple[str, ...]


def show_plan(plan: Plan) -> None:
    """What will be measured and about how long it takes, on standard error."""
    each = ", ".join(f"{part} {seconds}" for part, seconds in plan.seconds.items())
    whole = sum(plan.seconds.values())
    told = f"{whole} seconds" if whole < 120 else f"{whole / 60:.0f} minutes"
    err.print(f"[dim]about {told} on two cores; of these in seconds: {each}[/]", soft_wrap=True)


@contextmanager
def saying() -> Iterator[Say]:
    """Tells on standard error what is being done: one line that changes in a terminal, else a line each."""
    began = time.monotonic()

    def line(text: str) -> str:
        return f"[dim]{time.monotonic() - began:5.0f} s  {escape(visible_line(text))}[/]"

    if not err.is_terminal:
        yield lambda text: err.print(line(text), soft_wrap=True)
        return
    with err.status("[dim]starting[/]") as status:
        yield lambda text: status.update(line(text))


def show_warnings(warnings: list[str]) -> None:
    """What a reader of the figures must know, on standard error."""
    for text in warnings:
        show_warning(text)


def show(document: Mapping[str, Any]) -> None:
    """All tables of a document."""
    from ipcir_tools.bench.report import warnings

    _show_machine(document["machine"])
    for part, show_part in _SHOWN.items():
        if part in document:
            show_part(document[part])
    _show_goals(document["goals"])
    for text in warnings(dict(document)):
        out.print(f"[yellow]note:[/] {escape(visible_line(text))}", soft_wrap=True)


def _show_machine(about: Mapping[str, Any]) -> None:
    named = [
        f"{about['processor']}, {about['cores']} cores ({' '.join(about['flags'])})" if "processor" in about else "",
        f"{about['memory_gb']} GB" if about.get("memory_gb") else "",
        f"{about['device_name'] or about['device']}" if about.get("device", "cpu") != "cpu" else "",
        f"torch {about['versions']['torch']} with {about['torch_threads']} threads" if "versions" in about else "",
        f"load {about['load_average'][0]} at the start" if about.get("load_average") else "",
    ]
    out.print(f"[bold]{escape('; '.join(text for text in named if text))}[/]", soft_wrap=True)


def _show_encode(part: Mapping[str, Any]) -> None:
    dtype = part["dtype"]
    same = "bfloat16" if dtype != "float32" else "float32"
    rows = [
        (f"this package, {dtype} on {part['device']}", _number(part["images_per_s"]), ""),
        ("open_clip as its README shows it", _number(part["open_clip_per_s"]), "peer"),
        *(
            (f"bare forward pass, {kind}", _number(part[f"bare_{kind}_per_s"]), "limit" if kind == same else "")
            for kind in ("bfloat16", "float32")
        ),
        *(
            (
                f"matrix rate, {kind}: {_number(part['matrix_gflops'][kind])} GFLOP/s",
                _number(part["matrix_limit_per_s"][kind]),
                "limit" if kind == same else "",
            )
            for kind in ("bfloat16", "float32")
        ),
    ]
    _table("Encoding pictures of 1024x768 that are open", ("", "pictures/s", ""), rows)


def _show_index(part: Mapping[str, Any]) -> None:
    large, dtype = part["large"], part["dtype"]
    rows = [
        (
            f"{part['pictures']} of 1024x768",
            _number(part["images_per_s"]),
            f"{_number(part['peer_per_s'])} ({part['times_peer']:.1f} times)",
            f"{_number(part['bare_forward_per_s'])} ({part['images_per_s'] / part['bare_forward_per_s']:.0%})",
        ),
        (
            f"{large['pictures']} of 4000x3000",
            _number(large["images_per_s"]),
            f"{_number(large['peer_per_s'])} ({large['times_peer']:.1f} times)",
            "",
        ),
    ]
    header = ("", f"this package, {dtype}", "peer", f"bare forward pass, {dtype}")
    _table("Indexing end to end, pictures per second", header, rows, f"peer: {part['peer']}")


def _show_agreement(part: Mapping[str, Any]) -> None:
    rows = [
        (name, *(f"{each[figure]:.6f}" for figure in ("mean", "worst", "centred")), f"{each['between_pictures']:.2f}")
        for name, each in (("random weights", part), ("trained weights", part["trained"]))
    ]
    title = f"Features of {part['pictures']} pictures, {part['dtype']}, and open_clip's in float32: their cosine"
    _table(title, ("", "mean", "worst", "centred", "of two pictures"), rows)


def _show_query(part: Sequence[Mapping[str, Any]]) -> None:
    rows: list[Row] = []
    for each in part:
        n = f"{each['n']:,}"
        rows += [
            (n, "words known", *_times(each, ""), *_peers(each), ""),
            ("", "words new", *_times(each, "new_words_"), "", "", ""),
            ("", "nearest alone", _number(each["nearest_p50_ms"]), "", "", *_peers(each), _share(each)),
        ]
        rows += [
            (
                *("", f"filter: {filtered['share']:.0%} pass", *_times(filtered, "")),
                *(_number(filtered["exact_p50_ms"]), "", _share(filtered)),
            )
            for filtered in each["filters"]
        ]
    header = ("pictures", "a search", "p50", "p95", "overhead", "exact", "Chroma", "recall@10")
    walks = ", ".join(f"{each['chroma_recall_at_10']:.3f} of {each['n']:,}" for each in part)
    caption = f"overhead: all but the encoder; exact, Chroma: peers alone; Chroma's recall: {walks}"
    _table("Searching, milliseconds", header, rows, caption)
    names = ("encode", "candidates", "rescoring", "bookkeeping")
    spent = [(f"{each['n']:,}", *(_number(each["split_ms"][name]) for name in names)) for each in part]
    _table("Where a search with new words spends its time, milliseconds", ("pictures", *names), spent)


def _times(each: Mapping[str, Any], prefix: str) -> Row:
    return (*_pair(each, prefix), _number(each[f"{prefix}overhead_p50_ms"]))


def _pair(each: Mapping[str, Any], prefix: str) -> Row:
    return _number(each[f"{prefix}p50_ms"]), _number(each[f"{prefix}p95_ms"])


def _peers(each: Mapping[str, Any]) -> Row:
    return _number(each["exact_p50_ms"]), _number(each["chroma_p50_ms"])


def _share(each: Mapping[str, Any]) -> str:
    return f"{each['recall_at_10']:.3f}"


def _show_concurrency(part: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            *(str(each["callers"]), _number(each["searches_per_s"]), f"{each['times_one_caller']:.1f}"),
            *(*_pair(each, ""), _number(each["peer_per_s"])),
        )
        for each in part
    ]
    header = ("callers", "searches/s", "times one", "p50 ms", "p95 ms", "peer/s")
    _table(
        f"Many callers, new words each, {part[0]['n']:,} pictures",
        header,
        rows,
        "peer: LangChain's embed_query + Chroma",
    )


def _show_update(part: Sequence[Mapping[str, Any]]) -> None:
    names = ("add_3_s", "search_after_s", "resync_s", "add_3_and_resync_s", "open_s", "open_and_find_s")
    rows = [(f"{each['n']:,}", *(_number(each[name]) for name in names)) for each in part]
    header = ("pictures", "add 3", "then a search", "nothing new", "3 among all", "open", "open and find")
    _table("A gallery that changes, seconds", header, rows)


def _show_memory(part: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            f"{each['n']:,}",
            *(_number(each[name], 4) for name in ("before_mb", "encoding_peak_mb", "peak_mb", "index_writer_mb")),
            _number(each["images_per_s"]),
        )
        for each in part
    ]
    header = ("pictures", "before", "while encoding", "in all", "index writer", "pictures/s")
    _table("Memory while indexing by a small encoder, the most in MB", header, rows)


def _show_start(part: Mapping[str, Any]) -> None:
    named = {
        "python_s": "python alone",
        "import_s": "import ipcir_tools",
        "import_engine_s": "from ipcir_tools import Engine",
        "help_s": "ipcir --help",
        "cold_search_s": f"ipcir search in a new process, {part['n']:,} pictures",
    }
    _table("Starting, seconds", ("", "s"), [(text, _number(part[name])) for name, text in named.items()])


def _show_verify(part: Mapping[str, Any]) -> None:
    named = {"without_s": "without", "verify_10_s": "10 hits", "verified_before_s": "10 hits verified before"}
    rows = [(text, _number(part[name])) for name, text in named.items()]
    _table(f"A search with verification by {part['captioner']}, seconds", ("", "s"), rows)


_SHOWN: dict[str, Callable[[Any], None]] = {
    "encode": _show_encode,
    "index": _show_index,
    "agreement": _show_agreement,
    "query": _show_query,
    "concurrency": _show_concurrency,
    "update": _show_update,
    "memory": _show_memory,
    "start": _show_start,
    "verify": _show_verify,
}


def _show_goals(goals: Sequence[Mapping[str, Any]]) -> None:
    rows = [(each["name"], f"{each['value']:g}", each["goal"], "yes" if each["met"] else "no") for each in goals]
    if rows:
        _table("Aims", ("", "measured", "aim", "met"), rows)


def _number(value: float, digits: int = 3) -> str:
    """The value to some significant digits, with no more decimals than these give."""
    if value == 0 or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def _table(title: str, header: Row, rows: Sequence[Row], caption: str = "") -> None:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i and name != "a search" else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(f"\n[bold]{escape(title)}[/]", soft_wrap=True)
    out.print(table)
    if caption:
        out.print(f" [dim]{escape(caption)}[/]", soft_wrap=True)
