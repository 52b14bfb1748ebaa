"""Hits taken along: as a CSV, JSON or HTML file that the browser saves, or copied into a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ipcir_tools.display.export.export import export_turn, exported
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.types import Turn
from ipcir_tools.web.requests import ExportBody, read_body
from ipcir_tools.web.site import Site, site_of

KINDS = {"csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json"}


def download(request: Request) -> Response:
    """``GET /export/TURN.KIND?ids=``: the chosen hits, or all, as one file."""
    site, kind = site_of(request), request.path_params["kind"]
    if kind not in KINDS:
        raise NotFoundError(f"There is no export as {kind[:20]}: take csv, html or json.")
    ids = [each for each in request.query_params.get("ids", "").split(",") if each]
    turn = _chosen(site, request.path_params["id"], ids)
    content, _ = exported(turn, kind, site.engine.settings)
    named = {"Content-Disposition": f'attachment; filename="{turn.id}.{kind}"'}
    return Response(content, media_type=KINDS[kind], headers=named)


async def into_folder(request: Request) -> Response:
    """``POST /api/export/TURN``: copies of the chosen hits, or all."""
    from starlette.concurrency import run_in_threadpool

    body: ExportBody = await read_body(request, ExportBody)
    if not body.to.strip():
        raise InvalidRequestError("Name a folder to copy the pictures into.")
    site = site_of(request)
    turn = await run_in_threadpool(_chosen, site, request.path_params["id"], list(body.ids))
    report = await run_in_threadpool(export_turn, turn, Path(body.to.strip().rstrip("/") + "/"), site.engine.settings)
    return JSONResponse(
        {
            "to": str(report.to),
            "written": report.written,
            "known": report.known,
            "skipped": [f"{Path(each.source).name}: {each.reason}" for each in report.skipped],
        }
    )


def _chosen(site: Site, turn: str, ids: list[str]) -> Turn:
    """The turn with the chosen hits alone. Raises NotFoundError where one is none of its hits."""
    whole = site.engine.turn(turn)
    if unknown := set(ids) - {hit.id for hit in whole.hits}:
        raise NotFoundError(f"{min(unknown)[:40]} is no hit of turn {whole.id}.")
    return whole.model_copy(update={"hits": tuple(hit for hit in whole.hits if hit.id in ids)}) if ids else whole
