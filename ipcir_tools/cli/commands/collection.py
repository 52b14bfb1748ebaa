"""``ipcir index | remove | folders``: what the gallery is made from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ipcir_tools.cli.options import (
    AsJson,
    GalleryOptions,
    ManyRequestsOptions,
    ModelOptions,
    engine_for,
    gallery_for,
    place,
    print_result,
    with_options,
)
from ipcir_tools.errors import FolderGoneError

if TYPE_CHECKING:
    from ipcir_tools.sources import Source
    from ipcir_tools.types import IndexReport, RemovalReport

Captions = Annotated[
    bool | None, typer.Option("--captions/--no-captions", help="Caption every picture, too (default: no).")
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave out what matches, in gitignore's syntax ('*.png', 'raw/'); repeat it for several. Kept with the "
        "folder for later runs; '' drops the kept ones. The file .ipcirignore in a folder does the same.",
    ),
]

Ray = Annotated[
    bool | None,
    typer.Option("--ray/--no-ray", help="Read and encode by Ray on all of this machine; needs 'ipcir-tools\\[ray]'."),
]
RayAddress = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The same on the Ray cluster there, of which this machine is one; or auto."),
]


@with_options
def index(
    options: ManyRequestsOptions,
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders and picture files, or URLs of object stores (s3://BUCKET/FOLDER); none: all that were "
            "indexed before.",
            metavar="[FOLDER|URL]...",
        ),
    ] = None,
    exclude: Exclude = None,
    captions: Captions = None,
    force: Annotated[
        bool, typer.Option("--force", help="Read all files again, also those that look as before.")
    ] = False,
    ray: Ray = None,
    ray_address: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Put the pictures in folders into the gallery; run again, it only reads, and captions, what is new."""
    from ipcir_tools.cli.output import collection

    named = [place(text) for text in folders or ()]
    where = ray if ray is False or ray_address is None else ray_address

    def run(paths: list[Source] | None) -> IndexReport:
        with engine_for(options) as (engine, progress):
            return engine.index(paths, progress, captions=captions, exclude=exclude or (), force=force, ray=where)

    try:
        report = run(named or None)
    except FolderGoneError as error:
        left = _forgotten(named, options, error, as_json)
        if not left:
            return
        report = run(left)
    print_result(as_json, lambda: report.model_dump(mode="json"), lambda: collection.show_index(report))


def _forgotten(paths: list[Source], options: ModelOptions, error: FolderGoneError, as_json: bool) -> list[Source]:
    """Ask a person at a terminal whether to forget what is gone; the other paths. Raises the error for a no."""
    from ipcir_tools.cli.output import collection
    from ipcir_tools.images.files import located
    from ipcir_tools.images.storage import is_gone

    gone = [path for path in paths if is_gone(located(path))]
    if as_json or not _is_terminal() or not collection.ask(f"{error} Take it out now?"):
        raise error
    collection.show_removal(_removed([str(path) for path in gone], options))
    return [path for path in paths if path not in gone]


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


@with_options
def remove(
    options: GalleryOptions,
    targets: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files, and ids of pictures or the beginning of one; gone or not.", metavar="PATH..."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Take folders, files or pictures out of the gallery; the files themselves are never touched."""
    from ipcir_tools.cli.output import collection

    report = _removed(targets, options)
    print_result(as_json, lambda: report.model_dump(mode="json"), lambda: collection.show_removal(report))


def _removed(targets: list[str], options: GalleryOptions) -> RemovalReport:
    with gallery_for(options) as (engine, _):
        return engine.remove(targets)


@with_options
def folders(options: GalleryOptions, as_json: AsJson = False) -> None:
    """List what the gallery was made from: pictures, when it was last indexed, what is left out, what is gone."""
    from ipcir_tools.cli.output import collection

    with gallery_for(options) as (engine, _):
        listed, size = engine.folders(), engine.catalog.size()
    document = {"pictures": size, "folders": [each.model_dump(mode="json") for each in listed]}
    print_result(as_json, lambda: document, lambda: collection.show_folders(listed, size))
