"""The application: its routes, its errors, and what every answer says to the browser."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, IPCIRError, NotAllowedError, NotFoundError
from ipcir_tools.web.headers import BrowserHeaders
from ipcir_tools.web.requests import AskBody, read_body
from ipcir_tools.web.results import turn_page
from ipcir_tools.web.site import HERE, Site, site_of
from ipcir_tools.web.start import start_page
from ipcir_tools.web.streaming import json_lines
from ipcir_tools.web.thumbnails import thumbnail
from ipcir_tools.web.uploads import upload


def build_app(engine: Engine, *guards: Middleware) -> Starlette:
    """The page over ``engine``, behind ``guards``."""
    routes = [
        Route("/", start_page),
        Route("/turn/{id}", turn_page),
        Route("/thumb/{size}/{id}", thumbnail),
        Route("/api/references", upload, methods=["POST"]),
        Route("/api/rounds", take_round, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    app = Starlette(
        routes=routes,
        middleware=[*guards, Middleware(BrowserHeaders)],
        exception_handlers={IPCIRError: _problem, 404: _not_found},
    )
    app.state.site = Site(engine)
    return app


async def take_round(request: Request) -> Response:
    """``POST /api/rounds``: the next turn of a dialogue, as lines of JSON while it is made."""
    body: AskBody = await read_body(request, AskBody)
    events = site_of(request).rounds.run(body.ask())
    return StreamingResponse(json_lines(events), media_type="application/x-ndjson")


def _problem(request: Request, error: Exception) -> Response:
    """An error that a person can mend, as one sentence."""
    status = {NotFoundError: 404, NotAllowedError: 403, InvalidRequestError: 400}.get(type(error), 422)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": str(error)}, status)
    return site_of(request).page(request, "problem.html", status, problem=str(error))


def _not_found(request: Request, error: Exception) -> Response:
    return site_of(request).page(request, "problem.html", 404, problem="There is no such page here.")
