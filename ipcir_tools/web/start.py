"""The first page: a reference, words, or one of the last dialogues; an empty gallery says how to fill it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ipcir_tools.display.results import request_text
from ipcir_tools.text import printable_line, shorten
from ipcir_tools.web.labels import labels_of
from ipcir_tools.web.options import option_values
from ipcir_tools.web.site import Site, site_of

SAMPLE, RECENT = 18, 8
_TURNS_READ = 60


def start_page(request: Request) -> Response:
    """The page at ``/``, in an empty gallery the one that says how to fill it."""
    site = site_of(request)
    question = site.rounds.question(request.query_params.get("ask"))
    if site.engine.catalog.is_empty():
        return site.page(request, "empty.html")
    return site.page(
        request,
        "start.html",
        options=option_values(site, None),
        question=question,
        sample=labels_of(site.engine, site.engine.catalog.sample_ids(SAMPLE)),
        recent=_recent(site),
    )


def _recent(site: Site) -> list[dict[str, Any]]:
    """The last turn of each of the last dialogues."""
    turns = site.engine.turns(_TURNS_READ)
    parents = {turn.parent for turn in turns}
    leaves = [turn for turn in turns if turn.id not in parents][:RECENT]
    return [
        {
            "id": turn.id,
            "label": shorten(printable_line(request_text(turn)), 80),
            "pictures": [hit.id for hit in turn.hits[:3]],
            "reference": turn.query.reference,
        }
        for turn in leaves
    ]
