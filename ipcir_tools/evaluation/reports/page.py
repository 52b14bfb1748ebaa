"""HTML pages out of Jinja templates: every text is escaped, every image is part of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from markupsafe import Markup

from ipcir_tools.images.thumbnails import jpeg_uri, read_thumbnail
from ipcir_tools.text import visible_line

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

    from ipcir_tools.evaluation.reports.report import QueryExample
    from ipcir_tools.settings import Settings


Thumbnail = Callable[[str], bytes | None]
"""A small JPEG of an image by its name in the benchmark; None where it cannot be read."""
_SIDE = 188


def thumbnails(files: Mapping[str, Path], settings: Settings) -> Thumbnail:
    """Reads thumbnails from the files of a benchmark's images."""
    return lambda name: read_thumbnail(files[name], settings, _SIDE) if name in files else None


@dataclass(frozen=True)
class Images:
    """The images of a page by name. Each is in the page once, as a rule of its style sheet."""

    classes: Mapping[str, str]
    """The class of the style sheet that has the image, by the image's name."""
    read: Thumbnail
    captions: Mapping[str, str] = field(default_factory=dict)
    """Shown in an image's place, by its name, where there are no images."""

    @classmethod
    def of(cls, examples: Sequence[QueryExample], read: Thumbnail, captions: Mapping[str, str] | None = None) -> Self:
        """The references, first targets and hits of the examples."""
        names = dict.fromkeys(
            name
            for each in examples
            for name in (each.reference, *each.targets[:1], *(hit for ranking in each.rankings for hit in ranking.top))
        )
        return cls({name: f"image-{i}" for i, name in enumerate(names)}, read, captions or {})

    def uris(self) -> Iterator[tuple[str, Markup]]:
        """Class and data URI of each image that can be read."""
        found = ((kind, self.read(name)) for name, kind in self.classes.items())
        return ((kind, Markup(jpeg_uri(data))) for kind, data in found if data is not None)


def render(template: str, images: Images, **values: Any) -> str:
    """The page of a template of the folder ``templates``. Texts in ``values`` are escaped, ``Markup`` is not."""
    return _environment().get_template(template).render(images=images, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": "{:,}".format, "decimal": "{:.1f}".format, "signed": _signed, "p_value": _p_value}
    return environment


def _visible(value: Any) -> Any:
    """What a template prints: texts on one line, unprintable characters as escapes; Markup as it is."""
    return visible_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}")  # as wide as the plus


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
