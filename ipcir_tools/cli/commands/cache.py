"""``ipcir cache``: what models replied and the catalog keeps, to be looked at and deleted."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import AsJson, Home, print_result
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.store.catalog import Catalog


cache_app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})

Kind = Annotated[
    str | None, typer.Option(help="Which part asked: imagine, ask, rerank, or llm for a model of yours (default: all).")
]
_KINDS = ("imagine", "ask", "rerank", "llm")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@cache_app.callback(invoke_without_command=True)
def cache(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """Show what models replied and is kept, so that nothing is asked twice: how much of it, by kind and model."""
    if context.invoked_subcommand is not None:
        if home is not None or as_json:
            raise InvalidRequestError(
                f"Put --home and --json behind the command: ipcir cache {context.invoked_subcommand}."
            )
        return
    from ipcir_tools.cli.output import cache as printing_cache

    with _catalog(home) as (catalog, place):
        counts, made = catalog.reply_counts(), catalog.stored_counts()
    print_result(
        as_json,
        lambda: {"replies": [asdict(count) for count in counts], **made},
        lambda: printing_cache.show_counts(counts, made, place),
    )


@cache_app.command("list")
def list_(
    kind: Kind = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=100_000, help="How many of the last replies.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the last replies, newest first."""
    from ipcir_tools.cli.output import cache as printing_cache

    with _catalog(home) as (catalog, place):
        _check_kind(kind, catalog)
        found = catalog.replies(kind, limit)
    print_result(
        as_json,
        lambda: {"replies": [{"key": key, **reply.model_dump(mode="json")} for key, reply in found]},
        lambda: printing_cache.show_replies(found, kind, place),
    )


@cache_app.command()
def show(
    key: Annotated[str, typer.Argument(help="The reply's key as `ipcir cache list` prints it, or how it begins.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show one reply whole: what it says, which prompt and model made it, and what it cost."""
    from ipcir_tools.cli.output import cache as printing_cache

    with _catalog(home) as (catalog, _):
        whole, reply = catalog.find_reply(key)
    print_result(
        as_json,
        lambda: {"key": whole, **reply.model_dump(mode="json")},
        lambda: printing_cache.show_reply(whole, reply),
    )


@cache_app.command()
def clear(
    kind: Kind = None,
    older: Annotated[
        str | None, typer.Option(help="Only what is older than 90m, 12h, 30d or 8w; what has no date stays.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete replies; whatever needs one asks its model again."""
    from ipcir_tools.cli.output import cache as printing_cache

    if as_json and not yes:
        raise InvalidRequestError("With --json nobody is asked: add --yes if the replies may be deleted.")
    until = _before(older)
    with _catalog(home) as (catalog, place):
        _check_kind(kind, catalog)
        if not yes and (many := sum(count.replies for count in catalog.reply_counts(kind, until))):
            _ask(many, kind, older, place)
        deleted = catalog.forget_replies(kind, older_than=until)
    print_result(as_json, lambda: {"deleted": deleted}, lambda: printing_cache.show_deleted(deleted))


@contextmanager
def _catalog(home: Path | None) -> Iterator[tuple[Catalog, Path]]:
    """The catalog of a home folder, and that folder."""
    from ipcir_tools.settings import load_settings
    from ipcir_tools.store.catalog import Catalog

    place = load_settings(home=home).home
    with Catalog.open(place) as catalog:
        yield catalog, place


def _check_kind(kind: str | None, catalog: Catalog) -> None:
    kinds = dict.fromkeys((*_KINDS, *(count.kind for count in catalog.reply_counts()))) if kind is not None else ()
    if kind is not None and kind not in kinds:
        raise InvalidRequestError(f"No reply is of kind {kind[:40]!r}: --kind takes {', '.join(kinds)}.")


def _before(older: str | None) -> datetime | None:
    """The moment that lies so long ago. Raises InvalidRequestError for what is no such time."""
    if older is None:
        return None
    told = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", older.strip())
    try:
        return datetime.now(UTC) - timedelta(**{_UNITS[told[2]]: int(told[1])}) if told else _refused(older)
    except OverflowError:
        return _refused(older)


def _refused(older: str) -> datetime:
    raise InvalidRequestError(f"--older {older[:40]!r} is no time: write 90m, 12h, 30d or 8w, or leave it out for all.")


def _ask(many: int, kind: str | None, older: str | None, place: Path) -> None:
    """Ask on standard error whether that is wanted; ends the command where it is not."""
    from ipcir_tools.cli.output.cache import say

    what = f"{many:,} {'reply' if many == 1 else 'replies'}"
    which = (f" of kind {kind}" if kind else "") + (f" older than {older.strip()}" if older else "")
    say(f"Delete {what}{which} from {place}? [y/N] ", end="")
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if not answer:
        raise InvalidRequestError("Nothing was deleted, for nobody answered: add --yes where nobody can.")
    if answer.strip().lower() not in ("y", "yes"):
        say("nothing was deleted")
        raise typer.Exit(1)
