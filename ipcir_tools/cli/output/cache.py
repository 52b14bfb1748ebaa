"""The output of ``ipcir cache``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from ipcir_tools.cli.output.console import out
from ipcir_tools.text import excerpt, one_line, visible

if TYPE_CHECKING:
    from ipcir_tools.store.replies import ReplyCount
    from ipcir_tools.types import Reply


_KEY = 12
"""Digits of a key in a list: enough to name it by."""
_MODEL = 24
_EXCERPT = 300
"""Characters of a model's name and of a reply in a list; the terminal cuts the reply to what it has room for."""


def show_counts(counts: Sequence[ReplyCount], made: Mapping[str, int], place: str) -> None:
    """The replies by kind and model, and the numbers of features and captions."""
    if counts:
        table = Table(box=None, padding=(0, 1), header_style="dim")
        table.add_column("kind", no_wrap=True)
        table.add_column("model", overflow="fold")  # it alone may be broken: a figure that is cut off is no figure
        for name in ("replies", "bytes", "calls", "tokens", "oldest", "newest"):
            table.add_column(name, justify="right", no_wrap=True)
        for each in counts:
            size = decimal(each.bytes).replace("bytes", "B").replace("byte", "B")
            figures = (f"{each.replies:,}", size, _calls(each.calls), _tokens(each))
            table.add_row(_text(each.kind), _text(each.model or "-"), *figures, _day(each.oldest), _day(each.newest))
        out.print(table)
    else:
        _show_none(None, place)
    features, captions = (f"{made[name]:,} {name}" for name in ("features", "captions"))
    out.print(Text(f"also stored: {features} and {captions}", style="dim"), soft_wrap=True)


def show_replies(found: Sequence[tuple[str, Reply]], kind: str | None, place: str) -> None:
    """A line for each reply."""
    if not found:
        _show_none(kind, place)
        return
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("key", "made", "kind", "model"):
        table.add_column(name, no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("reply")  # it alone may shrink: were it no_wrap too, the keys would be cut off
    for key, reply in found:
        content = Text(excerpt(one_line(_content(reply)), _EXCERPT), no_wrap=True, overflow="ellipsis")
        model = Text(excerpt(reply.model or "-", _MODEL))
        table.add_row(_text(key[:_KEY]), _minute(reply.created), _text(reply.kind), model, _tokens(reply), content)
    out.print(table)


def show_reply(key: str, reply: Reply) -> None:
    """One reply whole."""
    rows = {
        "key": key,
        "kind": reply.kind,
        "model": reply.model or "-",
        "prompt": reply.prompt or "-",
        "calls": _calls(reply.calls) + (f", {reply.repairs:,} of them to repair it" if reply.repairs else ""),
        "took": "not known" if reply.seconds is None else f"{reply.seconds:.2f} s",
        "tokens": f"{reply.input_tokens:,} in, {reply.output_tokens:,} out" if _has_tokens(reply) else "not known",
        "made": reply.created or "not known",
    }
    for name, value in rows.items():
        out.print(Text.assemble((f"{name:<8}", "dim"), _text(value)), soft_wrap=True)
    out.print()
    for line in _content(reply).splitlines():
        out.print(_text(line), soft_wrap=True)


def show_deleted(deleted: int) -> None:
    """The number of deleted replies."""
    out.print(
        f"{deleted:,} {'reply' if deleted == 1 else 'replies'} deleted" if deleted else "there is nothing to delete"
    )


def _show_none(kind: str | None, place: str) -> None:
    of = f" of kind {kind}" if kind else ""
    made = "" if kind else ": a search with --llm makes the first"
    out.print(Text(f"no replies{of} are stored in {visible(place)} yet{made}"), soft_wrap=True)


def _content(reply: Reply) -> str:
    if reply.kind != "llm":
        return reply.text
    from ipcir_tools.store.langchain_cache import reply_content  # LangChain is imported for its replies alone

    return reply_content(reply.text)


def _text(value: str) -> Text:
    """A text as it is, without rich's markup, its control characters made visible."""
    return Text(visible(value))


def _calls(calls: int | None) -> str:
    return "-" if calls is None else f"{calls:,}"


def _has_tokens(reply: Reply) -> bool:
    """Whether the tokens are known: every reply takes some."""
    return bool(reply.input_tokens or reply.output_tokens)


def _tokens(of: Reply | ReplyCount) -> str:
    return f"{of.input_tokens + of.output_tokens:,}"


def _day(moment: str | None) -> Text:
    return _text(moment[:10] if moment else "-")


def _minute(moment: str) -> Text:
    return _text(moment[:16].replace("T", " ") if moment else "-")
