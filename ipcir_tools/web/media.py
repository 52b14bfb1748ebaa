"""Pictures to and from the browser: thumbnails by id, references that were dropped."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ipcir_tools.web.site import site_of
from ipcir_tools.web.thumbnails import GONE, SIDES

_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}


async def thumbnail(request: Request) -> Response:
    """``/thumb/SIZE/ID``: an id is a digest of the picture, so that what it names never changes."""
    size, id_ = request.path_params["size"], request.path_params["id"]
    data = await site_of(request).thumbnails.get(id_, size) if size in SIDES else None
    if data is None:  # an answer of its own kind: a missing picture is no fault of the page
        return Response(GONE, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
    return Response(data, media_type="image/jpeg", headers=_FOR_EVER)


async def upload(request: Request) -> Response:
    """``POST /api/references``: a picture's bytes; its id."""
    site, data = site_of(request), bytearray()
    async for block in request.stream():
        data += block
        if len(data) > site.engine.settings.max_bytes:
            break
    record = await run_in_threadpool(site.uploads.add, bytes(data))
    return JSONResponse({"id": record.id, "width": record.width, "height": record.height})
