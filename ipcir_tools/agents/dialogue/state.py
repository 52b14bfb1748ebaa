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
    """The input of a round; everything but the message may be left out."""

    messages: Annotated[list[AnyMessage], add_messages]
    """A user's message last: words, a line of ``ipcir chat`` ("more like 3", "undo"), image blocks."""
    reference: str | list[str | dict[str, str]] | None
    """The picture to start from, or to go on from: an id, a rank in the turn's hits, an allowed path, a data: URI. Or
    several, where something is meant of one as ``{"reference": ID, "note": "its collar"}``."""
    liked: list[str]
    disliked: list[str]
    """Ids or ranks, for programs; people type "more like 3"."""
    k: int | None
    """How many hits. None: as before, or as the graph was built."""
    where: dict[str, Any] | None
    """A filter on the gallery. None: as before; empty: no filter any more."""
    turn: str | None
    """The turn to build on, in place of the last one."""


class DialogueState(DialogueInput, total=False):
    """The state of a round. Every field is plain JSON, apart from the messages."""

    modification: str
    query: dict[str, Any] | None
    caption: str | None
    other_captions: list[str]
    """Captions of the further references, in order."""
    imagined: dict[str, Any] | None
    start: str | None
    """What the words change: the caption, or the target before. None where there are no new words."""
    work: dict[str, dict[str, float]]
    """``seconds`` and ``counts`` so far."""
    clarification: dict[str, Any] | None
    """``why``, ``message``, ``question``, ``turn``, ``ask``: whether the question is asked or only the message is
    shown, ``by``: the author of the question, ``llm`` or ``rules``, and ``remark``: what was answered meanwhile."""
    question_asked: bool
    """Whether this round has asked its one question."""
    dropped: str | None
    """The edit that the reply to the question dropped or replaced."""
    problem: str | None
    last_answer: str | None
    """The last turn that was an answer."""
    result: dict[str, Any] | None
    """The result of the search, as every face shows it; None where something went wrong."""
    text: str | None
    """The same in words for people."""


NEW_ROUND: dict[str, Any] = {
    "modification": "",
    "query": None,
    "caption": None,
    "other_captions": [],
    "imagined": None,
    "start": None,
    "work": {"seconds": {}, "counts": {}},
    "clarification": None,
    "question_asked": False,
    "dropped": None,
    "problem": None,
    "result": None,
    "text": None,
}
"""The fields that a round begins with."""
NO_INPUT: dict[str, Any] = {"reference": None, "liked": [], "disliked": [], "k": None, "where": None}
"""The input fields after a round, which holds for that round alone."""

Update = dict[str, Any]
"""The fields of the state that a node changes."""


def open_question(state: DialogueState) -> bool:
    """Whether the dialogue has asked a question and waits for its answer."""
    return bool((state.get("clarification") or {}).get("ask"))


def question_text(state: DialogueState) -> str:
    """The open question, after the answer to what was said meanwhile."""
    clarification = state.get("clarification") or {}
    return "\n".join(filter(None, [clarification.get("remark"), clarification["question"]]))


def last_turn(state: DialogueState) -> str | None:
    """The turn that was found last, also where a question about it is still open."""
    return (state.get("clarification") or {})["turn"] if open_question(state) else state.get("turn")


def add_work(
    state: DialogueState | Update, counts: Mapping[str, float], **seconds: float
) -> dict[str, dict[str, float]]:
    """The work of the round so far, with these counts and seconds added."""
    added = {"seconds": seconds, "counts": counts}
    return {
        part: {**before, **{name: before.get(name, 0) + n for name, n in added[part].items()}}
        for part, before in state["work"].items()
    }


def imagination_json(imagination: Imagination) -> dict[str, Any]:
    """An imagination as the state holds it."""
    plain = {"target": imagination.target.model_dump(mode="json"), "warnings": [*imagination.warnings]}
    return asdict(imagination) | plain


def imagination_of(state: DialogueState) -> Imagination | None:
    """The imagination that the state holds."""
    document = state.get("imagined")
    if document is None:
        return None
    target, warnings = ImaginedTarget(**document["target"]), tuple(document["warnings"])
    kept = {name: document[name] for name in ("prompt", "calls", "cached", "model")}
    return Imagination(target, warnings=warnings, **kept)
