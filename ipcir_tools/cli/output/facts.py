"""One picture's facts in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from ipcir_tools.cli.output.console import out
from ipcir_tools.text import visible

if TYPE_CHECKING:
    from ipcir_tools.engine.picture_facts import PictureFacts, PictureFile


def show_facts(facts: PictureFacts) -> None:
    """The facts, one a line: those that are known."""
    for name, value in _lines(facts):
        out.print(f"[dim]{name:<10}[/] {escape(visible(value))}", soft_wrap=True)


def _lines(facts: PictureFacts) -> Iterator[tuple[str, str]]:
    picture = facts.picture
    yield "id", picture.id + ("" if facts.in_gallery else "  (not in the gallery)")
    for file in facts.files:
        yield "file", _file(file)
    damaged = ", damaged: its end is missing" if picture.damaged else ""
    yield "picture", f"{picture.width:,} x {picture.height:,} {picture.format}, {picture.bytes:,} bytes{damaged}"
    if picture.taken:
        yield "taken", picture.taken.replace("T", " ")
    if picture.camera:
        yield "camera", picture.camera
    if picture.latitude is not None and picture.longitude is not None:
        yield "place", f"{picture.latitude:.5f}, {picture.longitude:.5f}"
    for captioner, caption in facts.captions.items():
        yield "caption", f"{caption}  ({captioner})"
    for other in facts.alike:
        yield "looks like", f"{other.id}  {_file(other)}"


def _file(file: PictureFile) -> str:
    return file.path + ("  (gone)" if file.gone else "")
