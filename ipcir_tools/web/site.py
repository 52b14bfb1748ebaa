"""What all handlers of the page share: the engine, the dialogue, the thumbnails, the running work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.templating import Jinja2Templates

from ipcir_tools.engine.engine import Engine
from ipcir_tools.web.downloads import Downloads
from ipcir_tools.web.indexing import Indexing
from ipcir_tools.web.rounds import Rounds
from ipcir_tools.web.thumbnails import Thumbnails
from ipcir_tools.web.uploads import Uploads

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


HERE = Path(__file__).parent


class Site:
    """One engine behind the page. It holds nothing of a tab: what a tab shows is in its URL."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.downloads = Downloads()
        self.rounds = Rounds(engine.in_conversation("page"), self.downloads)
        self.thumbnails = Thumbnails(engine)
        self.uploads = Uploads(engine)
        self.indexing = Indexing(engine)
        self.templates = Jinja2Templates(HERE / "templates")

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page made from a template, which escapes everything that is put into it."""
        shared = {"size": self.engine.catalog.size(), "path": request.url.path}
        return self.templates.TemplateResponse(request, template, {**shared, **values}, status_code=status)


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site: Site = request.app.state.site
    return site
