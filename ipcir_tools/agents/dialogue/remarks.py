"""Answers to what is no request: small talk, questions about the gallery and its hits, and what can be done."""

from __future__ import annotations

import re

from ipcir_tools.agents.dialogue.commands import Remark
from ipcir_tools.agents.dialogue.picture_names import parse_names
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.file_names import file_namer
from ipcir_tools.text import printable_line, shorten
from ipcir_tools.types import Hit, Turn

SHOWN = 200
"""Characters of a description, a caption or a file's name."""

ABILITIES = (
    'say what should be different ("in blue with long sleeves"), pick a hit ("3", "more like 2, less like 1"), combine '
    '("3 with the collar of 5"), go back ("undo"), or start over ("find a red dress")'
)
_DONE = f"You can {ABILITIES}."
_THEIRS = re.compile(
    r"\b(?:save|send|download|upload|export|buy|purchase|pay|share|bookmark|e-?mail|delete|remove|print|order|ship|rename|"
    r"copy)\b",
    re.IGNORECASE,
)
"""What people do with a picture when they have found it."""
_PRICE = re.compile(r"\b(?:costs?|price[sd]?|pricing|cheap(?:er)?|(?:less )?expensive|how much)\b", re.IGNORECASE)


def answer_remark(remark: Remark, engine: Engine, turn: Turn | None) -> str:
    """The answer to a remark while the dialogue is at ``turn``. Nothing is searched and nothing is stored."""
    match remark.kind:
        case "gallery":
            n = engine.catalog.size()
            return f"The gallery holds {n:,} picture{'s' if n != 1 else ''}. Say what to look for, or {ABILITIES}."
        case "hit":
            return _about_hit(remark.text, engine, turn)
        case "reason":
            return _reason(turn)
        case "more":
            shown = f"These were the {len(turn.hits)} best hits. " if turn else ""
            return f'{shown}For more, set k (in `ipcir chat`: "k 20") and say it again. {_DONE}'
        case "restart":
            return "Started over: say what to look for, or give a picture to start from."
        case "farewell":
            return "Goodbye."
        case "thanks":
            return "You are welcome."
        case "greeting":
            return f"Hello. This searches a gallery of pictures. {_DONE}"
        case "help" if _THEIRS.search(remark.text):
            return f"That cannot be done here: this only finds pictures, and changes and sends none. {_DONE}"
        case "opinion" | "nothing":
            return f"That names nothing that a picture could show, so nothing was searched for. {_DONE}"
        case _:
            return f"This finds pictures in a gallery. {_DONE}"


def _about_hit(text: str, engine: Engine, turn: Turn | None) -> str:
    if turn is None or not turn.hits:
        return f"There are no hits yet. {_DONE}"
    unknown = "No prices are known here. " if _PRICE.search(text) else ""
    named = [hit for hit in turn.hits if str(hit.rank) in _ranks(text)]
    hits = named or (turn.hits[:1] if len(turn.hits) == 1 else turn.hits)
    namer, records = (
        file_namer(engine.catalog, engine.settings.show_paths),
        engine.catalog.records(hit.id for hit in hits),
    )
    lines = [_hit_line(hit, namer(hit.source), records[hit.id].taken if hit.id in records else None) for hit in hits]
    return "\n".join([*lines, f"{unknown}Only this is known of a hit here; a caption says what may be seen."])


def _ranks(text: str) -> tuple[str, ...]:
    """The ranks that a question names: *the second one*, *number 3*."""
    return parse_names(text) or (("1",) if re.search(r"\b(?:best|top)\b", text, re.IGNORECASE) else ())


def _hit_line(hit: Hit, name: str, taken: str | None) -> str:
    caption = f" - {shorten(printable_line(hit.caption), SHOWN)}" if hit.caption else ""
    when = f", taken {taken[:10]}" if taken else ""
    return f"{hit.rank}. {shorten(printable_line(name), SHOWN)} ({hit.id}{when}){caption}"


def _reason(turn: Turn | None) -> str:
    if turn is None:
        return f"Nothing was searched yet. {_DONE}"
    wanted = turn.imagined.description if turn.imagined else turn.query.modification
    sought = f'"{shorten(printable_line(wanted), SHOWN)}"' if wanted else "pictures like the reference"
    return (
        f"The search looked for {sought}. Hits are those whose features come nearest to that and to the reference; "
        f"none need be right. {_DONE}"
    )
