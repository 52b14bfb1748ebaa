"""What all handlers of the page share: the engine, the dialogue, the thumbnails, the running work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.templating import Jinja2Templates

from ipcir_tools.engine.engine import Engine
from ipcir_tools.web.rounds import Rounds
from ipcir_tools.web.thumbnails import Thumbnails
from ipcir_tools.web.uploads import Uploads

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


HERE = Path(__file__).parent


@dataclass(frozen=True)
class Site:
    """One engine behind the page. It holds nothing of a tab: what a tab shows is in its URL."""

    engine: Engine

    @cached_property
    def rounds(self) -> Rounds:
        """The rounds of dialogues, and what was said about their results."""
        return Rounds(self.engine.in_conversation("page"))

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures by id."""
        return Thumbnails(self.engine)

    @cached_property
    def uploads(self) -> Uploads:
        """References that were dropped on the page."""
        return Uploads(self.engine)

    @cached_property
    def templates(self) -> Jinja2Templates:
        """The templates, which escape everything that is put into them."""
        return Jinja2Templates(HERE / "templates")

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page made from a template."""
        shared = {"size": self.engine.catalog.size(), "path": request.url.path}
        return self.templates.TemplateResponse(request, template, {**shared, **values}, status_code=status)


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site: Site = request.app.state.site
    return site
