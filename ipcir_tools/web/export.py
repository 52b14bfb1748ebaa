"""Hits taken along: as a CSV, JSON or HTML file that the browser saves, or copied into a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ipcir_tools.display.export.export import export_turn, exported
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.text import shorten
from ipcir_tools.types import Turn
from ipcir_tools.web.requests import ChosenBody, ExportBody, read_body, whole_path
from ipcir_tools.web.site import Site, site_of

KINDS = {"csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json"}


async def download(request: Request) -> Response:
    """``GET /export/TURN.KIND`` for all hits, ``POST`` with ids for the chosen ones: one file."""
    ids = (await read_body(request, ChosenBody)).ids if request.method == "POST" else ()
    turn, kind = request.path_params["id"], request.path_params["kind"]
    return await run_in_threadpool(_file, site_of(request), turn, kind, list(ids))


def _file(site: Site, id: str, kind: str, ids: list[str]) -> Response:
    if kind not in KINDS:
        raise NotFoundError(f"There is no export as {kind[:20]}: take csv, html or json.")
    turn = _chosen(site, id, ids)
    content, _ = exported(turn, kind, site.engine.settings)
    named = {"Content-Disposition": f'attachment; filename="{turn.id}.{kind}"'}
    return Response(content, media_type=KINDS[kind], headers=named)


async def into_folder(request: Request) -> Response:
    """``POST /api/export/TURN``: copies of the chosen hits, or all."""
    body: ExportBody = await read_body(request, ExportBody)
    if not body.to.strip():
        raise InvalidRequestError("Name a folder to copy the pictures into.")
    site = site_of(request)
    turn = await run_in_threadpool(_chosen, site, request.path_params["id"], list(body.ids))
    report = await run_in_threadpool(export_turn, turn, _folder(body.to.strip()), site.engine.settings)
    return JSONResponse(
        {
            "to": str(report.to),
            "written": report.written,
            "known": report.known,
            "skipped": [f"{Path(each.source).name}: {each.reason}" for each in report.skipped],
        }
    )


def _folder(text: str) -> Path:
    """The folder of this machine that is meant. Raises InvalidRequestError for what would be one where nobody looks."""
    if Path(text).suffix.lower() in {f".{kind}" for kind in KINDS}:
        raise InvalidRequestError(f"{shorten(text, 80)} is the name of a file: name a folder.")
    return whole_path(text)


def _chosen(site: Site, turn: str, ids: list[str]) -> Turn:
    """The turn with the chosen hits alone. Raises NotFoundError where one is none of its hits."""
    whole = site.engine.turn(turn)
    if unknown := set(ids) - {hit.id for hit in whole.hits}:
        raise NotFoundError(f"{min(unknown)[:40]} is no hit of turn {whole.id}.")
    return whole.model_copy(update={"hits": tuple(hit for hit in whole.hits if hit.id in ids)}) if ids else whole
