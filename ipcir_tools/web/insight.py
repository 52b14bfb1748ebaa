"""The gallery: its size, its folders, its map, and its near-copies to clean up."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ipcir_tools.engine.copies import find_copies
from ipcir_tools.engine.gallery_map import gallery_map
from ipcir_tools.text import byte_size, printable_line
from ipcir_tools.web.labels import labels_of
from ipcir_tools.web.site import site_of

MOST_GROUPS = 100
"""Groups of near-copies that are shown."""


def gallery_page(request: Request) -> Response:
    """The page at ``/gallery``."""
    site = site_of(request)
    folders = [
        {
            "path": printable_line(each.path),
            "pictures": each.pictures,
            "gone": each.gone,
            "seen": (each.seen or "")[:16].replace("T", " "),
        }
        for each in site.engine.folders()
    ]
    values = site.engine.filter_values(1) if site.engine.catalog.size() else None
    return site.page(request, "gallery.html", folders=folders, there=values, space=site.engine.catalog.space())


def gallery_points(request: Request) -> Response:
    """``GET /api/map``: the map."""
    engine = site_of(request).engine
    drawn = gallery_map(engine)
    labels = labels_of(engine, [id_ for group in drawn.groups for id_ in group.typical])
    groups: list[dict[str, Any]] = []
    for group in drawn.groups:
        shown = [id_ for id_ in group.typical if id_ in labels]
        words = [group.name] if group.name else []
        if not words or any(group.name == each["name"] for each in groups):
            words += [f"like {labels[id_].name}" for id_ in shown[:1]]
        typical = [{"id": id_, "name": labels[id_].text} for id_ in shown]
        groups.append({"name": ", ".join(words) or "alike", "pictures": group.pictures, "typical": typical})
    return JSONResponse({**drawn.model_dump(mode="json"), "groups": groups})


def copies(request: Request) -> Response:
    """``GET /api/copies``: groups of near-copies, the best picture of each first."""
    report = find_copies(site_of(request).engine)
    groups = [
        [
            {
                "id": each.id,
                "name": printable_line(PurePath(each.source).name),
                "size": f"{each.width} by {each.height}, {byte_size(each.bytes)}",
            }
            for each in group.pictures
        ]
        for group in report.groups[:MOST_GROUPS]
    ]
    return JSONResponse({"groups": groups, "all": len(report.groups), "compared": report.compared})
