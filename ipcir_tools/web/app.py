"""The application: its routes, its errors, and what every answer says to the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, IPCIRError, NotAllowedError, NotFoundError
from ipcir_tools.models.download_report import report_with
from ipcir_tools.web import export, index_routes, insight, media, picture, results, start, turn_routes
from ipcir_tools.web.headers import BrowserHeaders
from ipcir_tools.web.site import HERE, Site, site_of

ROUTES = (
    Route("/", start.start_page),
    Route("/turn/{id}", results.turn_page),
    Route("/picture/{id}", picture.picture_page),
    Route("/gallery", insight.gallery_page),
    Route("/thumb/{size}/{id}", media.thumbnail),
    Route("/export/{id}.{kind}", export.download, methods=["GET", "POST"]),
    Route("/api/references", media.upload, methods=["POST"]),
    Route("/api/rounds", turn_routes.take_round, methods=["POST"]),
    Route("/api/imagined/{id}", turn_routes.search_imagined, methods=["POST"]),
    Route("/api/replay/{id}", turn_routes.replay_turn, methods=["POST"]),
    Route("/api/export/{id}", export.into_folder, methods=["POST"]),
    Route("/api/index", index_routes.start, methods=["POST"]),
    Route("/api/index", index_routes.state, methods=["GET"]),
    Route("/api/index", index_routes.stop, methods=["DELETE"]),
    Route("/api/folders", index_routes.completions),
    Route("/api/map", insight.gallery_points),
    Route("/api/copies", insight.copies),
    Route("/api/remove", picture.remove, methods=["POST"]),
    Mount("/static", StaticFiles(directory=HERE / "static")),
)


def build_app(engine: Engine) -> Starlette:
    """The page over ``engine``; an ``HttpGuard`` belongs before it."""
    site = Site(engine)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with report_with(site.downloads.report):
            yield
            site.indexing.close()  # before the engine is

    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(BrowserHeaders)],
        exception_handlers={IPCIRError: _problem, 404: _not_found, 500: _failed},
        lifespan=lifespan,
    )
    app.state.site = site
    return app


_STATUS = ((NotFoundError, 404), (NotAllowedError, 403), (InvalidRequestError, 400))


def _problem(request: Request, error: Exception) -> Response:
    """An error that a person can mend, as one sentence."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": str(error)}, status)
    return site_of(request).page(request, "problem.html", status, problem=str(error))


def _failed(request: Request, error: Exception) -> Response:
    """An error of this package: the server logs it, the person hears of it."""
    text = f"Something failed inside ({type(error).__name__}): try it again."
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": text}, 500)
    return site_of(request).page(request, "problem.html", 500, problem=text)


def _not_found(request: Request, _: Exception) -> Response:
    return site_of(request).page(request, "problem.html", 404, problem="There is no such page here.")
