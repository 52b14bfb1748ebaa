"""``ipcir cache``: show and delete the stored replies of models."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import AsJson, Home, print_result
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import visible

if TYPE_CHECKING:
    from ipcir_tools.store.catalog import Catalog


cache_app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})

Kind = Annotated[
    str | None,
    typer.Option(help="Kind of request: imagine, ask, rerank, verify, or llm for a model of yours (default: all)."),
]
_KINDS = ("imagine", "ask", "rerank", "verify", "llm")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@cache_app.callback(invoke_without_command=True)
def cache(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """Count the stored replies of models, by kind and model."""
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
    key: Annotated[str, typer.Argument(help="The reply's key as `ipcir cache list` prints it, or its beginning.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show one reply in full, with its prompt, model and cost."""
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
        str | None, typer.Option(help="Only replies older than 90m, 12h, 30d or 8w; replies without a date stay.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete replies; the next request for one goes to its model again."""
    from ipcir_tools.cli.output import cache as printing_cache

    if as_json and not yes:
        raise InvalidRequestError("With --json there is no question: add --yes if the replies may be deleted.")
    until = _before(older)
    with _catalog(home) as (catalog, place):
        _check_kind(kind, catalog)
        if not yes and (many := sum(count.replies for count in catalog.reply_counts(kind, until))):
            _confirm(many, kind, older, place)
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
    """The moment so long ago. Raises InvalidRequestError for anything else than a time."""
    if older is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", older.strip())
    try:
        return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else _no_age(older)
    except OverflowError:
        return _no_age(older)


def _no_age(older: str) -> datetime:
    raise InvalidRequestError(f"--older {older[:40]!r} is no time: write 90m, 12h, 30d or 8w, or leave it out for all.")


def _confirm(many: int, kind: str | None, older: str | None, place: Path) -> None:
    """Ask on standard error whether to delete; ends the command where the answer is no."""
    what = f"{many:,} {'reply' if many == 1 else 'replies'}"
    which = (f" of kind {kind}" if kind else "") + (f" older than {older.strip()}" if older else "")
    try:
        with redirect_stdout(sys.stderr):  # typer writes a space of its question to the standard output
            confirmed = typer.confirm(f"Delete {what}{which} from {visible(str(place))}?", err=True)
    except (typer.Abort, RuntimeError) as error:  # RuntimeError: there is no standard input
        raise InvalidRequestError("Nothing was deleted, because there was no answer: add --yes in scripts.") from error
    if not confirmed:
        typer.echo("nothing was deleted", err=True)
        raise typer.Exit(1)
