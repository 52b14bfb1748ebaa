"""The options of a search as the page shows them: a turn's own, or those of the settings."""

from __future__ import annotations

import json
from typing import Any

from ipcir_tools.composers import COMPOSERS, TrainedComposer, composer_named
from ipcir_tools.types import Turn
from ipcir_tools.web.filters import fields_of, filter_words
from ipcir_tools.web.site import Site

VERIFY = {"auto": "where it is quick", "0": "off", "10": "first 10", "20": "first 20", "50": "first 50"}
"""What the page offers for verification."""


def option_values(site: Site, turn: Turn | None) -> dict[str, Any]:
    """The values of the options' fields, and what may be chosen."""
    settings, query = site.engine.settings, turn.query if turn else None
    composer = query.composer if query else settings.composer
    weight = query.weight if query else settings.weight
    where = query.where if query else None
    own = composer_named(composer).parameters.get("weight", 0.5)
    verify = str(query.verify if query else settings.verify)
    fields = fields_of(where)
    return {
        "again": _again(turn) if turn else "",
        "filtering": filter_words(fields, where) if where else "",
        "k": query.k if query else settings.k,
        "composer": composer,
        "composers": _composers(composer),
        "weight": own if weight is None else weight,
        "own_weight": weight is not None,
        "verify": verify,
        "verifications": VERIFY if verify in VERIFY else {**VERIFY, verify: verify},
        "where": json.dumps(where) if where else "",
        "filter": fields,
        "values": site.engine.filter_values(12) if site.engine.catalog.size() else None,
    }


def _again(turn: Turn) -> str:
    """The request that made a turn, as JSON, so that it can be made again with other options; empty where it had
    neither words nor judgements of its own."""
    query = turn.query
    if not (query.modification or query.liked or query.disliked):
        return ""
    words = query.modification if not query.modification or '"' in query.modification else f'"{query.modification}"'
    references = [{"id": each.id, "note": each.note} for each in query.references]
    judged = {"liked": list(query.liked), "disliked": list(query.disliked)}
    return json.dumps({"text": words, "turn": turn.parent, "references": references, **judged})


def _composers(chosen: str) -> list[str]:
    names = [name for name, each in COMPOSERS.items() if not isinstance(each, TrainedComposer)]
    return names if chosen in names else [*names, chosen]
