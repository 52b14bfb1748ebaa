"""The state of the dialogue graph, and what its nodes read from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.types import ImaginedTarget


class DialogueInput(TypedDict, total=False):
    """What a round may be given; all but the message may be left out."""

    messages: Annotated[list[AnyMessage], add_messages]
    """A user's message last: words, a line of ``ipcir chat`` ("more like 3", "undo"), an image block."""
    reference: str | None
    """The picture to start from, or to go on from: an id, a rank in the turn's hits, an allowed path, a data: URI."""
    liked: list[str]
    disliked: list[str]
    """Ids or ranks, for programs; people say "more like 3"."""
    where: dict[str, Any] | None
    """A filter on the gallery; None: as before; empty: none any more."""
    turn: str | None
    """The turn to build on, in place of the last one."""


class DialogueState(DialogueInput, total=False):
    """What a round works on. Every field is plain JSON, apart from the messages."""

    modification: str
    query: dict[str, Any] | None
    caption: str | None
    imagined: dict[str, Any] | None
    start: str | None
    """What the words change: the caption, or the target before. None where there are no new words."""
    work: dict[str, dict[str, float]]
    """``seconds`` and ``counts`` so far."""
    doubt: dict[str, Any] | None
    """``why``, ``told``, ``question``, ``turn``, ``ask``: whether it is asked or only told, and ``by``: who worded the
    question, ``llm`` or ``rules``."""
    asked: bool
    problem: str | None
    stood: str | None
    """The last turn that was answered with."""
    result: dict[str, Any] | None
    """What was found, as every face shows it; None where something went wrong."""
    text: str | None


_ROUND: dict[str, Any] = {
    "modification": "",
    "query": None,
    "caption": None,
    "imagined": None,
    "start": None,
    "work": {"seconds": {}, "counts": {}},
    "doubt": None,
    "asked": False,
    "problem": None,
    "result": None,
    "text": None,
}
_NOTHING_GIVEN: dict[str, Any] = {"reference": None, "liked": [], "disliked": [], "where": None}

Update = dict[str, Any]


def _last(state: DialogueState) -> str | None:
    """The turn that was found last, also where a question about it is still open."""
    doubt = state.get("doubt") or {}
    return doubt["turn"] if doubt.get("ask") else state.get("turn")


def _worked(
    state: DialogueState | Update, counts: Mapping[str, float], **seconds: float
) -> dict[str, dict[str, float]]:
    """The work so far and what came to it."""
    came = {"seconds": seconds, "counts": counts}
    return {
        part: {**before, **{name: before.get(name, 0) + n for name, n in came[part].items()}}
        for part, before in state["work"].items()
    }


def _as_json(imagination: Imagination) -> dict[str, Any]:
    plain = {"target": imagination.target.model_dump(mode="json"), "warnings": [*imagination.warnings]}
    return asdict(imagination) | plain


def _imagination(state: DialogueState) -> Imagination | None:
    kept = state.get("imagined")
    if kept is None:
        return None
    target = ImaginedTarget(**kept["target"])
    said = (kept["prompt"], tuple(kept["warnings"]), kept["calls"], kept["cached"])
    return Imagination(target, *said, model=kept.get("model"))
