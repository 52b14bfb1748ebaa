"""One picture large: what is known of it, where it is, and why it was found."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ipcir_tools.display.scores import hit_scores
from ipcir_tools.engine.picture_facts import picture_facts
from ipcir_tools.errors import NotFoundError
from ipcir_tools.text import byte_size, printable_line
from ipcir_tools.types import Turn
from ipcir_tools.web.requests import RemoveBody, read_body
from ipcir_tools.web.site import Site, site_of


def picture_page(request: Request) -> Response:
    """``/picture/ID``: a page, or with ``?part=1`` what the page puts into a dialog; ``turn`` says what it was found
    by."""
    site, query = site_of(request), request.query_params
    id_ = request.path_params["id"]
    if id_ not in site.engine.catalog.records([id_]):
        raise NotFoundError("There is no picture with that id in the catalog.")
    turn = site.engine.turn(query["turn"]) if "turn" in query else None
    template = "picture.html" if "part" in query else "picture_page.html"
    return site.page(request, template, **picture_view(site, id_, turn))


def picture_view(site: Site, id: str, turn: Turn | None) -> dict[str, Any]:
    """What the template shows of a picture."""
    facts = picture_facts(site.engine, id)
    record, file = facts.picture, facts.file
    hit = next((each for each in turn.hits if each.id == id), None) if turn else None
    known = {
        "Size": f"{record.width} by {record.height}, {byte_size(record.bytes)} {record.format.upper()}",
        "Taken": record.taken.replace("T", " ") if record.taken else None,
        "Camera": printable_line(record.camera) if record.camera else None,
        "Place": f"{record.latitude:.4f}, {record.longitude:.4f}" if record.latitude is not None else None,
        "Id": record.id,
    }
    path = printable_line(file.path) if file else None
    return {
        "id": id,
        "turn": turn,
        "name": PurePath(path).name if path else "A picture that you dropped",
        "path": path,
        "gone": bool(file and file.gone),
        "damaged": record.damaged,
        "in_gallery": facts.in_gallery,
        "facts": {name: value for name, value in known.items() if value},
        "captions": list(dict.fromkeys(map(printable_line, facts.captions.values()))),
        "alike": [{"id": each.id, "name": PurePath(each.path).name} for each in facts.alike],
        "why": hit_scores(hit, turn) if hit and turn else [],
        "rank": hit.rank if hit else None,
        "judged": hit.judged if hit else None,
    }


async def remove(request: Request) -> Response:
    """``POST /api/remove``: take pictures or folders out of the gallery; no file is touched."""
    from starlette.concurrency import run_in_threadpool

    body: RemoveBody = await read_body(request, RemoveBody)
    site = site_of(request)
    report = await run_in_threadpool(site.engine.remove, [*body.ids, *body.folders])
    return JSONResponse({"pictures": report.pictures, "size": site.engine.catalog.size()})
