"""One HTML page with thumbnails: its frame, its rules and its escaping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape as escaped
from typing import TYPE_CHECKING

from ipcir_tools.evaluation.reports.style import STYLE
from ipcir_tools.images.thumbnails import jpeg_uri, read_thumbnail
from ipcir_tools.text import visible_line

if TYPE_CHECKING:
    from pathlib import Path

    from ipcir_tools.settings import Settings


Thumbnail = Callable[[str], bytes | None]
"""A small JPEG of a picture by its name in the benchmark; None where it cannot be read."""
_SIDE = 188


def thumbnails(files: Mapping[str, Path], settings: Settings) -> Thumbnail:
    """Reads thumbnails from the files of a benchmark's pictures."""
    return lambda name: read_thumbnail(files[name], settings, _SIDE) if name in files else None


def page(title: str, parts: Sequence[str], style: str) -> str:
    """A whole page of parts, with more rules of style behind the common ones."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f"<style>{STYLE}{style}</style></head><body><main>{''.join(parts)}"
        "<footer>Written by ipcir-tools. The same figures are in the JSON report.</footer></main></body></html>\n"
    )


def picture_rules(classes: Mapping[str, str], thumbnail: Thumbnail) -> str:
    """Rules of style that hold the pictures, each once, by the classes of their names."""
    found = ((kind, thumbnail(name)) for name, kind in classes.items())
    return "".join(f".{kind}{{background-image:url({jpeg_uri(data)})}}\n" for kind, data in found if data is not None)


def escape(text: str) -> str:
    """A text of a file or a model as text of the page."""
    return escaped(visible_line(text))


def pairs(values: Mapping[str, str]) -> str:
    """Names and values as a list of the page."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in values.items())
    return f"<dl>{items}</dl>"
