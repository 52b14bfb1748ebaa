"""``ipcir cache``: show and delete the stored replies of models."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import AsJson, CatalogURL, Home, print_result
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import excerpt, visible

if TYPE_CHECKING:
    from ipcir_tools.store.catalog import Catalog


cache_app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})

Kind = Annotated[
    str | None,
    typer.Option(help="Kind of request: imagine, ask, rerank, verify, or llm for a model of yours (default: all)."),
]
Model = Annotated[
    str | None, typer.Option(help="Model that wrote the reply, as PROVIDER:NAME or NAME alone (default: all).")
]
PromptId = Annotated[
    str | None,
    typer.Option("--prompt", help="Prompt that was answered: ID, ID@VERSION or a whole tag (default: all)."),
]
_KINDS = ("imagine", "ask", "rerank", "verify", "llm")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@cache_app.callback(invoke_without_command=True)
def cache(context: typer.Context, home: Home = None, catalog_url: CatalogURL = None, as_json: AsJson = False) -> None:
    """Count the stored replies of models, by kind and model."""
    if context.invoked_subcommand is not None:
        if home is not None or catalog_url is not None or as_json:
            raise InvalidRequestError(
                f"Put --home, --catalog-url and --json behind the command: ipcir cache {context.invoked_subcommand}."
            )
        return
    from ipcir_tools.cli.output import cache as printing_cache

    with _catalog(home, catalog_url) as (catalog, place):
        counts, made = catalog.reply_counts(), catalog.stored_counts()
    print_result(
        as_json,
        lambda: {"replies": [asdict(count) for count in counts], **made},
        lambda: printing_cache.show_counts(counts, made, place),
    )


@cache_app.command("list")
def list_(
    kind: Kind = None,
    model: Model = None,
    prompt: PromptId = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=100_000, help="How many of the last replies.")] = 20,
    home: Home = None,
    catalog_url: CatalogURL = None,
    as_json: AsJson = False,
) -> None:
    """List the last replies, newest first."""
    from ipcir_tools.cli.output import cache as printing_cache

    with _catalog(home, catalog_url) as (catalog, place):
        _check(catalog, kind, model, prompt)
        found = catalog.replies(kind, limit, model=model, prompt=prompt)
    print_result(
        as_json,
        lambda: {"replies": [{"key": key, **reply.model_dump(mode="json")} for key, reply in found]},
        lambda: printing_cache.show_replies(found, kind, place),
    )


@cache_app.command()
def show(
    key: Annotated[str, typer.Argument(help="The reply's key as `ipcir cache list` prints it, or its beginning.")],
    home: Home = None,
    catalog_url: CatalogURL = None,
    as_json: AsJson = False,
) -> None:
    """Show one reply in full, with its prompt, model and cost."""
    from ipcir_tools.cli.output import cache as printing_cache

    with _catalog(home, catalog_url) as (catalog, _):
        whole, reply = catalog.find_reply(key)
    print_result(
        as_json,
        lambda: {"key": whole, **reply.model_dump(mode="json")},
        lambda: printing_cache.show_reply(whole, reply),
    )


@cache_app.command()
def clear(  # one parameter for each option
    key: Annotated[
        str | None, typer.Argument(help="One reply: its key as `ipcir cache list` prints it, or its beginning.")
    ] = None,
    kind: Kind = None,
    model: Model = None,
    prompt: PromptId = None,
    older: Annotated[
        str | None, typer.Option(help="Only replies older than 90m, 12h, 30d or 8w; replies without a date stay.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: Home = None,
    catalog_url: CatalogURL = None,
    as_json: AsJson = False,
) -> None:
    """Delete replies, or the one that KEY names; the next request for one goes to its model again."""
    from ipcir_tools.cli.output import cache as printing_cache

    if key is not None and (kind, model, prompt, older) != (None,) * 4:
        raise InvalidRequestError("A key names one reply: give it without --kind, --model, --prompt and --older.")
    if as_json and not yes and key is None:
        raise InvalidRequestError("With --json there is no question: add --yes if the replies may be deleted.")
    until = _before(older)
    with _catalog(home, catalog_url) as (catalog, place):
        if key is not None:
            catalog.forget_reply(catalog.find_reply(key)[0])
            deleted = 1
        else:
            _check(catalog, kind, model, prompt)
            chosen = catalog.reply_counts(kind, until, model=model, prompt=prompt)
            if not yes and (many := sum(count.replies for count in chosen)):
                _confirm(many, _which(kind, model, prompt, older), place)
            deleted = catalog.forget_replies(kind, until, model=model, prompt=prompt)
    print_result(as_json, lambda: {"deleted": deleted}, lambda: printing_cache.show_deleted(deleted))


@contextmanager
def _catalog(home: Path | None, catalog_url: str | None) -> Iterator[tuple[Catalog, str]]:
    """The catalog that is meant, and where it is."""
    from ipcir_tools.settings import load_settings
    from ipcir_tools.store.catalog import Catalog
    from ipcir_tools.store.database import gallery_place

    settings = load_settings(home=home, catalog_url=catalog_url)
    with Catalog.of(settings) as catalog:
        yield catalog, gallery_place(settings)


def _check(catalog: Catalog, kind: str | None, model: str | None, prompt: str | None) -> None:
    """Raises InvalidRequestError for a value that no reply has, with the values that there are."""
    stored = catalog.reply_counts()
    kinds = dict.fromkeys((*_KINDS, *(count.kind for count in stored)))
    if kind is not None and kind not in kinds:
        raise InvalidRequestError(f"No reply is of kind {kind[:40]!r}: --kind takes {', '.join(kinds)}.")
    if model is not None and not catalog.reply_counts(model=model):
        models = dict.fromkeys(count.model for count in stored if count.model)
        raise InvalidRequestError(f"No reply is by the model {excerpt(model)}: {_there_are(models)}.")
    if prompt is not None and not catalog.reply_counts(prompt=prompt):
        raise InvalidRequestError(
            f"No reply answers the prompt {excerpt(prompt)}: {_there_are(catalog.reply_prompts())}."
        )


def _there_are(names: Collection[str]) -> str:
    shown = [excerpt(name) for name in names]
    return f"there are replies of {', '.join(shown[:20])}{', ...' if shown[20:] else ''}" if shown else "there are none"


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


def _which(kind: str | None, model: str | None, prompt: str | None, older: str | None) -> str:
    """What the options choose, for a question."""
    words = {"of kind": kind, "by": model, "to the prompt": prompt, "older than": older and older.strip()}
    return "".join(f" {word} {visible(value)}" for word, value in words.items() if value)


def _confirm(many: int, which: str, place: str) -> None:
    """Ask on standard error whether to delete; ends the command where the answer is no."""
    what = f"{many:,} {'reply' if many == 1 else 'replies'}"
    try:
        with redirect_stdout(sys.stderr):  # typer writes a space of its question to the standard output
            confirmed = typer.confirm(f"Delete {what}{which} from {visible(place)}?", err=True)
    except (typer.Abort, RuntimeError) as error:  # RuntimeError: there is no standard input
        raise InvalidRequestError("Nothing was deleted, because there was no answer: add --yes in scripts.") from error
    if not confirmed:
        typer.echo("nothing was deleted", err=True)
        raise typer.Exit(1)
