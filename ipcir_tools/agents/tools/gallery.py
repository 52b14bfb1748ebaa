"""The tools for the gallery as a whole: what is in it, and, where the settings allow it, putting pictures into it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Tool
from ipcir_tools.arguments import Arguments
from ipcir_tools.display.results import DATA_NOTICE, NAME_LIMIT, fit_folder
from ipcir_tools.engine.file_names import file_namer
from ipcir_tools.errors import NotAllowedError, NotFoundError
from ipcir_tools.store.filters import FIELDS
from ipcir_tools.text import excerpt, quote, shorten_json

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


_MOST_FOLDERS, _MOST_VALUES, _MOST_SKIPPED = 12, 6, 3


class DescribeGalleryArguments(Arguments):
    """Arguments of ``describe_gallery``."""

    folder: str = Field(default="", description="Only this folder and those below it; empty: all.")


class GalleryBrief(Brief):
    """What is in the gallery, or in a folder of it."""

    note: str = DATA_NOTICE
    pictures: int
    folder: str | None
    folders: dict[str, int]
    """Pictures by folder; empty where the settings show agents no folders."""
    more_folders: int
    taken_from: str | None
    taken_to: str | None
    formats: dict[str, int]
    cameras: dict[str, int]
    captioned: int | None
    """Pictures of the whole gallery that have a caption; None for a folder."""
    filters: list[str]
    """Fields that ``where`` takes."""
    encoder: str
    captioner: str
    imagination: str


def _describe_gallery(engine: Engine, arguments: DescribeGalleryArguments, context: CallContext) -> Answer:
    folder = _folder_named(engine, arguments.folder.strip()) if arguments.folder.strip() else None
    found, components = engine.catalog.summary(folder), engine.components
    named = file_namer(engine.catalog, engine.settings.show_paths)
    hidden = engine.settings.show_paths == "name"
    folders = {} if hidden else {fit_folder(named(path)): n for path, n in list(found.folders.items())[:_MOST_FOLDERS]}
    brief = GalleryBrief(
        pictures=found.pictures,
        folder=None if folder is None else fit_folder(named(folder)),
        folders=folders,
        more_folders=len(found.folders) - len(folders),
        taken_from=found.first,
        taken_to=found.last,
        formats=_first(found.formats),
        cameras=_first(found.cameras),
        captioned=engine.catalog.count_captioned(components.captioner_id) if folder is None else None,
        filters=list(FIELDS),
        encoder=components.models.encoder,
        captioner=components.models.captioner,
        imagination=engine.settings.llm or "rules",
    )
    return Answer("\n".join(_gallery_lines(brief)), brief, brief.model_dump(mode="json"))


def _folder_named(engine: Engine, name: str) -> str:
    """The one folder of the gallery whose path ends with ``name``. Raises NotFoundError, which names some."""
    wanted = "/" + name.replace("\\", "/").strip("/").removeprefix("./").casefold()
    every = {str(above) for path in engine.catalog.picture_folders() for above in (Path(path), *Path(path).parents)}
    found = sorted((path for path in every if path.casefold().endswith(wanted)), key=len)
    if found and engine.settings.show_paths != "name":
        return found[0]
    raise NotFoundError(f"There is no folder {excerpt(name)} in the gallery: describe_gallery without one lists them.")


def _first(counts: Mapping[str, int]) -> dict[str, int]:
    return {shorten_json(value, NAME_LIMIT): n for value, n in list(counts.items())[:_MOST_VALUES]}


def _gallery_lines(brief: GalleryBrief) -> list[str]:
    place = f" in folder {quote(brief.folder)}" if brief.folder else ""
    dates = f", taken {brief.taken_from[:10]} to {(brief.taken_to or '')[:10]}" if brief.taken_from else ""
    lines = [f"{brief.pictures:,} pictures{place}{dates} ({DATA_NOTICE})"]
    for name, counts in (("folders", brief.folders), ("formats", brief.formats), ("cameras", brief.cameras)):
        more = f", and {brief.more_folders:,} more" if name == "folders" and brief.more_folders else ""
        if counts:
            lines.append(f"{name}: {', '.join(f'{quote(value)} {n:,}' for value, n in counts.items())}{more}")
    if not brief.folders:
        lines.append(f"folders: {brief.more_folders:,}")
    if brief.captioned is not None:
        lines.append(f"captioned: {brief.captioned:,} of {brief.pictures:,}, by {brief.captioner}")
    lines.append(f"encoder {brief.encoder}; targets imagined by {brief.imagination}")
    lines.append(f"`where` filters by {', '.join(brief.filters)}")
    return lines


class IndexPicturesArguments(Arguments):
    """Arguments of ``index_pictures``."""

    path: str = Field(description="A file or folder in an allowed folder.")
    captions: bool = Field(default=False, description="Caption them too: slow.")


class IndexBrief(Brief):
    """What a run of indexing did, counted in files."""

    note: str = DATA_NOTICE
    pictures: int
    added: int
    unchanged: int
    moved: int
    removed: int
    skipped: int
    reasons: list[str]


def _index_pictures(engine: Engine, arguments: IndexPicturesArguments, context: CallContext) -> Answer:
    path = _allowed_path(engine, arguments.path.strip())
    report = engine.index([path], context.progress, captions=arguments.captions or None)
    brief = IndexBrief(
        pictures=engine.catalog.size(),
        **{name: getattr(report, name) for name in ("added", "unchanged", "moved", "removed")},
        skipped=len(report.skipped),
        reasons=[
            shorten_json(f"{Path(each.source).name}: {each.reason}", 120) for each in report.skipped[:_MOST_SKIPPED]
        ],
    )
    counts = ", ".join(
        f"{getattr(brief, name)} {name}" for name in ("added", "unchanged", "moved", "removed", "skipped")
    )
    lines = [f"indexed: {counts}; the gallery has {brief.pictures:,} pictures ({DATA_NOTICE})"]
    lines += [f"skipped {quote(reason)}" for reason in brief.reasons]
    return Answer("\n".join(lines), brief, brief.model_dump(mode="json"))


def _allowed_path(engine: Engine, name: str) -> Path:
    """A file or folder in ``allow_folders``, by its path or by its path below one of them. Raises NotAllowedError."""
    allowed = [Path(os.path.realpath(folder.expanduser())) for folder in engine.settings.allow_folders]
    refused = NotAllowedError(
        f"{excerpt(name)} is in no folder that may be indexed: IPCIR_ALLOW_FOLDERS names them, "
        "and the user adds others with `ipcir index FOLDER`."
    )
    if not engine.settings.agent_index or not name or "\0" in name or name != name.encode(errors="ignore").decode():
        raise refused
    for folder in allowed:
        path = Path(os.path.realpath(folder / name))  # an absolute name replaces the folder
        if path.is_relative_to(folder) and os.path.lexists(path):
            return path
    raise refused


DESCRIBE_GALLERY = Tool(
    name="describe_gallery",
    title="What is in the gallery",
    description="Say what is in the gallery: how many pictures, folders, dates, cameras, formats, captions.",
    arguments=DescribeGalleryArguments,
    brief=GalleryBrief,
    run=_describe_gallery,
    read_only=True,
    idempotent=True,
)

INDEX_PICTURES = Tool(
    name="index_pictures",
    title="Put pictures into the gallery",
    description="Add the pictures of a file or folder to the gallery, or update it. May take minutes.",
    arguments=IndexPicturesArguments,
    brief=IndexBrief,
    run=_index_pictures,
    idempotent=True,
)
