"""What the commands share: groups of options, an engine with progress bars, printing.

A parameter that is annotated with a group (:class:`ModelOptions`, :class:`SearchFlags`) becomes one option for each of
its fields, by :func:`with_options`.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from typer.models import ParameterInfo

from ipcir_tools.cli.completion import composer_names, preset_names
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError
from ipcir_tools.sources import ObjectUrl, Source, protocol_of, source_of
from ipcir_tools.text import excerpt

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.search_options import SearchOptions
    from ipcir_tools.settings import Settings


Home = Annotated[Path | None, typer.Option(help="Folder of the catalog and its index (default: ~/.ipcir).")]
CatalogURL = Annotated[
    str | None,
    typer.Option(
        "--catalog-url",
        help="PostgreSQL database that several machines share as their catalog, postgresql://USER@HOST/DATABASE; with "
        "a password better in IPCIR_CATALOG_URL.",
    ),
]
Models = Annotated[
    str | None,
    typer.Option(
        autocompletion=preset_names,
        help="'demo': the small models in the package; 'default': CLIP and BLIP from the hub.",
    ),
]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder", help="open_clip:MODEL/PRETRAINED, open_clip:hf-hub:ORG/NAME or open_clip:local-dir:PATH."
    ),
]
CaptionerName = Annotated[
    str | None,
    typer.Option("--captioner", help="transformers:ORG/NAME, transformers:PATH, chat:PROVIDER:MODEL or auto."),
]
LLM = Annotated[
    str | None,
    typer.Option("--llm", help="Model that imagines the target, such as openai:gpt-5-mini (default: rules)."),
]
BaseURL = Annotated[
    str | None,
    typer.Option(
        "--llm-base-url", help="OpenAI-compatible server of the language model, such as http://127.0.0.1:8080/v1."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--llm-timeout", help="Seconds that one reply may take, waiting for a busy server included (default: 30)."
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", min=1, max=256, help="Requests at a time to the language model (default: 4)."),
]
Count = Annotated[int | None, typer.Option("-k", help="How many pictures to return (default: 10).")]
Weight = Annotated[float | None, typer.Option(help="Weight of the text, 0 (only the picture) to 1 (only the text).")]
ComposerName = Annotated[
    str | None,
    typer.Option(
        "--composer",
        autocompletion=composer_names,
        help="A method, its parameters behind it: signed, discount:b=0.5 ...",
    ),
]
Filter = Annotated[str | None, typer.Option("--where", help='Filter as JSON, such as \'{"format": "jpeg"}\'.')]
Since = Annotated[
    str | None,
    typer.Option(help="Pictures taken then or later: 2024, 2024-05, 2024-05-31, yesterday, 7d, 2w, 6m, 1y."),
]
Until = Annotated[str | None, typer.Option(help="Pictures taken then or earlier, that day (month, year) included.")]
Folders = Annotated[
    list[str] | None,
    typer.Option("--in", help="Pictures in this folder or below it, a path or a name; repeat it for several."),
]
Verify = Annotated[
    str | None,
    typer.Option(
        help="Score this many of the first hits again by what they show: a number (by the captioner), auto (where that "
        "takes less than about a second), off, or llm:N (by a vision model's true/false checks; default: auto)."
    ),
]
Rerank = Annotated[
    int | None,
    typer.Option(
        min=0, max=20, help="Let a vision model (IPCIR_RERANK_LLM or --llm) order this many of the best hits."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@dataclass(frozen=True)
class GalleryOptions:
    """Where the gallery is and which models read its pictures; None: as the settings say."""

    home: Home = None
    models: Models = None
    encoder: EncoderName = None
    captioner: CaptionerName = None
    catalog_url: CatalogURL = None

    def settings(self, **chosen: Any) -> Settings:
        """The settings with these options, and with ``chosen`` before them. Raises InvalidRequestError.

        A command that chooses a ``home`` has a gallery of its own there: it is not in the catalog, nor on the Chroma
        server, that the environment names for the user's.
        """
        from ipcir_tools.settings import load_settings

        settings = load_settings(**{**asdict(self), **chosen})
        return settings.alone() if "home" in chosen and self.catalog_url is None else settings


@dataclass(frozen=True)
class ModelOptions(GalleryOptions):
    """The same, and the language model that imagines."""

    llm: LLM = None
    llm_base_url: BaseURL = None
    llm_timeout: Timeout = None


@dataclass(frozen=True)
class ManyRequestsOptions(ModelOptions):
    """The same, for commands that send the language model many requests."""

    llm_concurrency: Concurrency = None


@dataclass(frozen=True)
class ServerOptions:
    """How language models are called, for commands that name them by other options; None: as the settings say."""

    llm_base_url: BaseURL = None
    llm_timeout: Timeout = None
    llm_concurrency: Concurrency = None


@dataclass(frozen=True)
class SearchFlags:
    """How a search is made; None: as the settings say, or as the turn before."""

    k: Count = None
    weight: Weight = None
    composer: ComposerName = None
    where: Filter = None
    verify: Verify = None
    rerank: Rerank = None
    since: Since = None
    until: Until = None
    folders: Folders = None

    def options(self) -> SearchOptions:
        """The same for the engine. Raises InvalidRequestError for a filter that is not JSON, or a date that is none."""
        from ipcir_tools.search_options import SearchOptions

        given = {name: getattr(self, name) for name in ("k", "weight", "composer", "verify", "rerank")}
        return SearchOptions(**given, where=self._filter())

    def _filter(self) -> dict[str, Any] | None:
        """All filters joined."""
        where = filter_of(self.where)
        parts = [where] if where else []
        parts += [
            {"taken": {name: _date(text, option)}}
            for option, name, text in (("--since", "$gte", self.since), ("--until", "$lte", self.until))
            if text is not None
        ]
        if self.folders:
            parts.append({"folder": {"$in": [_folder(text) for text in self.folders]}})
        return {"$and": parts} if len(parts) > 1 else parts[0] if parts else where


def _date(text: str, option: str) -> str:
    from ipcir_tools.store.dates import absolute

    try:
        return absolute(text)
    except ValueError as error:
        raise InvalidRequestError(f"{option} {text[:40]}: {error}.") from error


def _folder(text: str) -> str:
    """A folder that is there, by its full path; else the text, which may name one that is gone, or its end."""
    from ipcir_tools.images.files import located, path_text
    from ipcir_tools.store.folders import check_name

    check_name(text)
    if isinstance(folder := source_of(text), ObjectUrl):
        return folder.text
    try:
        return path_text(located(folder)) if folder.expanduser().is_dir() else text
    except (OSError, RuntimeError):  # RuntimeError: a user that is unknown
        return text


def noted_references(engine: Engine, texts: Sequence[str]) -> list[tuple[str | Path, str]]:
    """References as a person typed them, each with what is meant of it behind an equals sign: ``b.png=its collar``.

    What is the name of a file, an equals sign in it or not, is that file; a URL has no note.
    """
    pairs = (_split_note(text) for text in texts)
    return [(engine.local_reference(name), note) for name, note in pairs]


def reference_names(texts: Sequence[str]) -> list[str]:
    """The same without the notes."""
    return [_split_note(text)[0] for text in texts]


def _split_note(text: str) -> tuple[str, str]:
    name, sign, note = text.rpartition("=")
    whole = not sign or text[:5].lower() == "data:" or protocol_of(text) is not None or _is_file(text)
    return (text, "") if whole else (name, note)


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # no file name can be written so
        return False


def path(text: str) -> Path:
    """A file or folder that a person named, there or not: its name on the command line is this function's.

    ``~`` is their home folder, as the shell has it where it reads no ``--to=~/x``.

    Raises InvalidRequestError for an empty name and for what is there and cannot be read.
    """
    from ipcir_tools.store.folders import check_name

    check_name(text)
    if isinstance(source_of(text), ObjectUrl):
        raise InvalidRequestError(f"{excerpt(text, 200)} is a URL: name a file or folder of this machine here.")
    text = os.path.expanduser(text)  # noqa: PTH111 - Path's raises for unknown users
    if os.path.exists(text) and not os.access(text, os.R_OK):  # noqa: PTH110 - Path's raises for forbidden folders
        raise InvalidRequestError(f"{excerpt(text, 200)} cannot be read: allow that for this user, or name another.")
    return Path(text)


def place(text: str) -> Source:
    """A file or folder of this machine, as ``path`` has it, or the URL of one in an object store."""
    from ipcir_tools.store.folders import check_name

    check_name(text)
    source = source_of(text)
    return source if isinstance(source, ObjectUrl) else path(str(source))


def _with_paths_checked(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter, read by :func:`path` if it takes paths: typer's own check prints five lines."""
    type_, *described = get_args(parameter.annotation) or (parameter.annotation,)
    if type_ is Path or Path in get_args(type_) or list[Path] in get_args(type_):
        for each in described:
            if isinstance(each, ParameterInfo):
                each.parser = path
    return parameter


def option_parameters(group: type[Any]) -> list[inspect.Parameter]:
    """One keyword parameter for each field of a group of options."""
    hints = get_type_hints(group, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        _with_paths_checked(inspect.Parameter(each.name, kind, default=each.default, annotation=hints[each.name]))
        for each in fields(group)
    ]


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer reads it: each group of options replaced by its fields."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, given in inspect.signature(command).parameters.items():
        own = given.replace(kind=given.KEYWORD_ONLY, annotation=hints[name])
        parameters += option_parameters(groups[name]) if name in groups else [_with_paths_checked(own)]

    @wraps(command)
    def run(**values: Any) -> None:
        made = {
            name: group(**{each.name: values.pop(each.name) for each in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **made)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


@contextmanager
def engine_for(options: GalleryOptions | None = None, /, **chosen: Any) -> Iterator[tuple[Engine, Progress]]:
    """The engine for one command, with its progress bars; ``chosen`` are further settings."""
    from ipcir_tools.cli.output.console import progress_bars, show_warning

    settings = (options or ModelOptions()).settings(**chosen)
    with progress_bars() as progress:
        progress("starting", 0, 1)
        from ipcir_tools.engine.engine import Engine

        with Engine.open(settings, progress) as engine:
            yield engine, progress
            for line in engine.catalog.damage.lines():
                show_warning(line)


@contextmanager
def gallery_for(options: GalleryOptions, /, **chosen: Any) -> Iterator[tuple[Engine, Progress]]:
    """The same for a command that reads what is there: EmptyGalleryError, and nothing made, where no gallery is."""
    require_gallery(options.settings(**chosen))
    with engine_for(options, **chosen) as opened:
        yield opened


def require_gallery(settings: Settings) -> None:
    """Raises EmptyGalleryError where the home folder has no catalog, as one whose name is mistyped."""
    from ipcir_tools.images.storage import is_gone
    from ipcir_tools.store.working_copy import CATALOG

    home = settings.home.expanduser().absolute()
    if settings.catalog_url is None and is_gone(home / CATALOG) and (is_gone(home) or home.is_dir()):
        raise EmptyGalleryError(
            f"There is no gallery in {home}: `ipcir index FOLDER` makes one there; or name another folder with --home "
            "or IPCIR_HOME."
        )


def filter_of(text: str | None, what: str = "--where") -> dict[str, Any] | None:
    """The filter that a person typed as JSON behind ``what``. Raises InvalidRequestError."""
    if text is None:
        return None
    try:
        where = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f'{what} is no JSON ({error}): write it as \'{{"format": "jpeg"}}\'.') from error
    if not isinstance(where, dict):
        raise InvalidRequestError(f'{what} must be a JSON object, such as \'{{"format": "jpeg"}}\'.')
    return where


def composers_of(text: str | None) -> tuple[str, ...]:
    """The composers that are named; None: the ablation of the paper and the default. Raises InvalidRequestError."""
    from ipcir_tools.composers import ABLATION, COMPOSERS, composer_named
    from ipcir_tools.types import DEFAULT_COMPOSER

    if text is None:
        return (*ABLATION, DEFAULT_COMPOSER)
    parts = [name.strip() for name in text.split(",") if name.strip()]
    if not parts:
        raise InvalidRequestError("--composers names none: write names with commas between, or all.")
    names = [each for name in parts for each in (COMPOSERS if name == "all" else [name])]
    return tuple(dict.fromkeys(composer_named(name).spec for name in names))  # each method once, by its true name


def print_result(as_json: bool, document: Callable[[], dict[str, Any]], show: Callable[[], None]) -> None:
    """Print one JSON document, or show the same to a person."""
    if as_json:
        sys.stdout.write(json.dumps(document(), indent=2) + "\n")
    else:
        show()
