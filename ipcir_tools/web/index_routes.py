"""Indexing from the browser: begin, look, stop, and complete the name of a folder."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ipcir_tools.web.requests import IndexBody, read_body
from ipcir_tools.web.site import site_of

MOST_NAMES = 20
"""Folders that complete a name."""


async def start(request: Request) -> Response:
    """``POST /api/index``: begin."""
    body: IndexBody = await read_body(request, IndexBody)
    site_of(request).indexing.start(list(body.folders) or None, captions=body.captions)
    return JSONResponse(site_of(request).indexing.state, 202)


def state(request: Request) -> Response:
    """``GET /api/index``: how far it is."""
    site = site_of(request)
    return JSONResponse({**site.indexing.state, **site.downloads.state, "size": site.engine.catalog.size()})


def stop(request: Request) -> Response:
    """``DELETE /api/index``: stop it."""
    site_of(request).indexing.stop()
    return JSONResponse(site_of(request).indexing.state)


def completions(request: Request) -> Response:
    """``GET /api/folders?name=``: folders of this machine whose names begin so, for the person who sits before it."""
    text = request.query_params.get("name", "")[:1_000]
    return JSONResponse(_folders(text) if text.startswith(("/", "~")) else [])


def _folders(text: str) -> list[str]:
    head, _, last = text.rpartition("/")
    try:
        within = Path(f"{head}/").expanduser()
        found = [each.name for each in within.iterdir() if each.name.lower().startswith(last.lower()) and each.is_dir()]
    except (OSError, RuntimeError, ValueError):
        return []
    return [f"{head}/{name}" for name in sorted(found) if not name.startswith(".")][:MOST_NAMES]
