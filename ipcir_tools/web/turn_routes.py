"""What makes turns from the browser: a round of a dialogue, words struck out or added, a replay."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ipcir_tools.engine.replay import replay, replay_json
from ipcir_tools.web.requests import AskBody, ImaginedBody, read_body
from ipcir_tools.web.site import site_of
from ipcir_tools.web.streaming import json_lines


async def take_round(request: Request) -> Response:
    """``POST /api/rounds``: the next turn of a dialogue, as lines of JSON while it is made."""
    body: AskBody = await read_body(request, AskBody)
    events = site_of(request).rounds.run(body.ask())
    return StreamingResponse(json_lines(events), media_type="application/x-ndjson")


async def search_imagined(request: Request) -> Response:
    """``POST /api/imagined/TURN``: search again with words struck out or added."""
    body: ImaginedBody = await read_body(request, ImaginedBody)
    turn, rounds = request.path_params["id"], site_of(request).rounds
    result = await run_in_threadpool(rounds.search_imagined, turn, body.keep, body.add, body.remove)
    return JSONResponse({"turn": result.turn.id})


def replay_turn(request: Request) -> Response:
    """``POST /api/replay/TURN``: answer the turn and all before it again, and say what differs."""
    return JSONResponse(replay_json(replay(site_of(request).engine, request.path_params["id"])))
