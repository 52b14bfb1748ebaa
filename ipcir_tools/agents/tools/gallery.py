"""The tools for the gallery as a whole: what is in it, and, where the settings allow it, putting pictures into it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Tool
from ipcir_tools.arguments import Arguments
from ipcir_tools.display.results import DATA_NOTICE, NAME_LIMIT, fit_folder
from ipcir_tools.engine.file_names import base_name
from ipcir_tools.errors import NotAllowedError
from ipcir_tools.images.files import located, real_path
from ipcir_tools.images.storage import allowed_paths, allowed_urls, exists, is_allowed_object
from ipcir_tools.sources import Source, is_object_url
from ipcir_tools.store.filter_fields import FIELDS
from ipcir_tools.text import excerpt, quote, shorten_json

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings


_MOST_SKIPPED = 3
_SIZE = 1_900
"""Characters of an answer."""


class DescribeGalleryArguments(Arguments):
    """Arguments of ``describe_gallery``."""

    limit: int = Field(default=12, ge=1, le=50, description="Folders to list; 12 unless asked.")


class GalleryBrief(Brief):
    """What is in the gallery, with counts by value, the most frequent first."""

    note: str = DATA_NOTICE
    pictures: int
    captioned: int
    taken: list[str]
    """The first and the last date; empty where none is known."""
    formats: dict[str, int]
    orientations: dict[str, int]
    folders: dict[str, int]
    """Empty where the settings show agents no folders."""
    more_folders: int
    cameras: dict[str, int]
    more_cameras: int
    with_gps: int
    damaged: int
    filters: list[str]
    """Fields that ``where`` takes."""
    encoder: str
    captioner: str
    imagination: str


def _describe_gallery(engine: Engine, arguments: DescribeGalleryArguments, context: CallContext) -> Answer:
    brief = _gallery_brief(engine, arguments.limit)
    for limit in (arguments.limit // 2, arguments.limit // 4, 1):
        if len(brief.model_dump_json()) <= _SIZE:
            break
        brief = _gallery_brief(engine, max(1, limit))
    return Answer("\n".join(_gallery_lines(brief)), brief, brief.model_dump(mode="json"))


def _gallery_brief(engine: Engine, limit: int) -> GalleryBrief:
    found, models = engine.filter_values(limit), engine.components.models
    folders = {} if engine.settings.show_paths == "name" else found.folders
    return GalleryBrief(
        pictures=found.pictures,
        captioned=found.captioned,
        taken=[each[:10] for each in found.taken or ()],
        formats=found.formats,
        orientations=found.orientations,
        folders={fit_folder(folder): n for folder, n in folders.items()},
        more_folders=found.more_folders + len(found.folders) - len(folders),
        cameras={shorten_json(camera, NAME_LIMIT): n for camera, n in found.cameras.items()},
        more_cameras=found.more_cameras,
        with_gps=found.with_gps,
        damaged=found.damaged,
        filters=list(FIELDS),
        encoder=_shown(models.encoder, engine.settings),
        captioner=_shown(models.captioner, engine.settings),
        imagination=engine.settings.llm or "rules",
    )


_FOLDER_OF_MODEL = re.compile(r"(?<=:)(?:[/~\\]|[A-Za-z]:[/\\]).*")


def _shown(model: str, settings: Settings) -> str:
    """The name of a model, of one in a folder the folder's own name alone, unless agents are shown whole paths."""
    if settings.show_paths == "path":
        return model
    return _FOLDER_OF_MODEL.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], model)


def _gallery_lines(brief: GalleryBrief) -> list[str]:
    dates = f", taken {' to '.join(brief.taken)}" if brief.taken else ""
    lines = [
        f"{brief.pictures:,} pictures{dates} ({DATA_NOTICE})",
        f"captioned {brief.captioned:,}, with a place {brief.with_gps:,}, damaged {brief.damaged:,}",
        f"formats: {_counts(brief.formats)}; {_counts(brief.orientations)}",
        f"folders: {_counts(brief.folders, brief.more_folders)}",
        f"cameras: {_counts(brief.cameras, brief.more_cameras)}",
        f"models: {brief.encoder}, captions by {brief.captioner}, targets imagined by {brief.imagination}",
        f"`where` filters by {', '.join(brief.filters)}",
    ]
    return lines if brief.pictures else [lines[0], "Put pictures in with `ipcir index FOLDER`."]


def _counts(counts: Mapping[str, int], more: int = 0) -> str:
    listed = [f"{quote(value)} {n:,}" for value, n in counts.items()]
    rest = [f"{more:,} more"] if more and listed else [f"{more:,}"] if more else []
    return ", ".join([*listed, *rest]) or "none known"


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
            shorten_json(f"{base_name(each.source)}: {each.reason}", 120) for each in report.skipped[:_MOST_SKIPPED]
        ],
    )
    counts = ", ".join(
        f"{getattr(brief, name)} {name}" for name in ("added", "unchanged", "moved", "removed", "skipped")
    )
    lines = [f"indexed: {counts}; the gallery has {brief.pictures:,} pictures ({DATA_NOTICE})"]
    lines += [f"skipped {quote(reason)}" for reason in brief.reasons]
    return Answer("\n".join(lines), brief, brief.model_dump(mode="json"))


def _allowed_path(engine: Engine, name: str) -> Source:
    """What lies in ``allow_folders``, here or in an object store: by its path or URL, or by its path below one of them.

    Raises NotAllowedError.
    """
    refused = NotAllowedError(
        f"{excerpt(name)} is in no folder that may be indexed: IPCIR_ALLOW_FOLDERS names them, "
        "and the user adds others with `ipcir index FOLDER`."
    )
    if not engine.settings.agent_index or not name or "\0" in name or name != name.encode(errors="ignore").decode():
        raise refused
    if is_object_url(name):
        if is_allowed_object(url := located(name), engine.settings):
            return url
        raise refused
    for folder in allowed_paths(engine.settings):
        path = real_path(folder / name)  # an absolute name replaces the folder
        if path.is_relative_to(folder) and os.path.lexists(path):
            return path
    below = (folder / name.strip("/") for folder in allowed_urls(engine.settings) if "://" not in name)
    found = next((url for url in below if is_allowed_object(url, engine.settings) and exists(url)), None)
    if found is None:
        raise refused
    return found


DESCRIBE_GALLERY = Tool(
    name="describe_gallery",
    title="What is in the gallery",
    description="Say what is in the gallery: how many pictures, folders, dates, cameras, formats, captions.",
    arguments=DescribeGalleryArguments,
    brief=GalleryBrief,
    run=_describe_gallery,
    read_only=True,
    cheap=True,
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
