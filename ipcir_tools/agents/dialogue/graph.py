"""The dialogue as a LangGraph graph: read -> caption -> imagine -> search -> ask or answer.

One run is one round: a user's message in, a turn and an ``AIMessage`` out. The state is plain JSON and messages, so any
checkpointer keeps it; ``turn`` is the turn that the next round builds on, so passing an earlier one is an undo.

::

    dialogue = build_dialogue(engine, checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    dialogue.invoke({"messages": [HumanMessage("in blue")], "reference": "8f3a..."}, thread)
    dialogue.invoke({"messages": [HumanMessage("more like 3, and shorter")]}, thread)
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Unpack

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END, START, StateGraph

from ipcir_tools.agents.dialogue.context import DialogueContext
from ipcir_tools.agents.dialogue.nodes import DialogueNodes
from ipcir_tools.agents.dialogue.state import DialogueInput, DialogueState, open_question
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.search_options import SearchKeywords, SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.store.unstored import searching

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import Checkpointer


log = logging.getLogger(__name__)

NODES = ("read", "caption", "imagine", "search")

Dialogue: TypeAlias = "CompiledStateGraph[DialogueState, DialogueContext, DialogueInput, DialogueState]"
"""The compiled graph."""


class Node(Protocol):
    """A node as LangGraph calls it."""

    def __call__(self, state: DialogueState, config: RunnableConfig) -> dict[str, Any]:
        """The fields of the state that the node changes."""
        ...


def build_dialogue(
    engine: Engine,
    *,
    ask: bool = True,
    checkpointer: Checkpointer = None,
    trusted: bool = False,
    raise_errors: bool = False,
    **keywords: Unpack[SearchKeywords],
) -> Dialogue:
    """The dialogue over ``engine``, ready to invoke or stream, sync and async.

    ``stream_mode="custom"`` reports each step as it begins: ``{"node": "imagine", ...}``. With ``ask``, an unclear
    round asks one question: it stops with an interrupt ``{"question", "why", "turn"}`` and goes on with
    ``Command(resume="the answer")``, or with a message, which is then taken for the answer; ``turn`` is what was found
    nevertheless. That needs a checkpointer; without one the answer says what is unclear. An input without a message
    runs nothing. ``context`` of a run, a :class:`DialogueContext`, chooses ``k``, ``ask``, ``llm`` and more for it.
    ``trusted``: a reference may be any file of this machine, for a dialogue with its own user. Errors are answers,
    unless ``raise_errors``. ``keywords`` are the fields of :class:`SearchOptions`, for every search.
    """
    nodes = DialogueNodes(engine, ask=ask, options=SearchOptions(**keywords), trusted=trusted)
    graph = StateGraph(DialogueState, context_schema=DialogueContext, input_schema=DialogueInput)
    following = dict(zip(NODES, (*NODES[1:], "answer"), strict=True)) | {"ask": "caption"}
    for name, then in following.items():
        node: Node = getattr(nodes, name)
        graph.add_node(name, _raise_problems(node) if raise_errors else _answer_errors(name, node))
        graph.add_conditional_edges(name, _route(then), [*dict.fromkeys([then, "question", "answer"])])
    graph.add_node("question", nodes.question)
    graph.add_edge("question", "ask")
    graph.add_node("answer", nodes.answer)
    graph.add_conditional_edges(START, _begin, ["read", "ask", END])
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer, name="dialogue")


async def make_dialogue() -> Dialogue:
    """The dialogue for ``langgraph dev``, over the gallery that the ``IPCIR_`` variables name."""
    return await asyncio.to_thread(_served_dialogue)


_LOCK = threading.Lock()


def _served_dialogue() -> Dialogue:
    with _LOCK:  # the server requests the graph many times, and at once
        return _cached_dialogue()


@cache
def _cached_dialogue() -> Dialogue:
    return build_dialogue(Engine.open(Settings()))


def _answer_errors(name: str, node: Node) -> Node:
    """A node whose failure becomes the answer of the round."""

    def guarded(state: DialogueState, config: RunnableConfig) -> dict[str, Any]:
        try:
            with searching():
                return node(state, config)
        except GraphBubbleUp:
            raise
        except IPCIRError as error:
            return {"problem": str(error)}
        except Exception as error:  # broad: a dialogue must survive an error in this package
            log.exception("the dialogue's node %s failed", name)
            return {"problem": f"The node {name!r} failed inside ({type(error).__name__}): send the request again."}

    return guarded


def _raise_problems(node: Node) -> Node:
    """A node that raises its problem as InvalidRequestError, beside what it raises anyway."""

    def raising(state: DialogueState, config: RunnableConfig) -> dict[str, Any]:
        with searching():
            update = node(state, config)
        if problem := update.get("problem"):
            raise InvalidRequestError(problem)
        return update

    return raising


def _begin(state: DialogueState) -> str:
    """The first node: none without a message that waits for an answer, but a question that is open stays open."""
    messages = state.get("messages") or []
    if messages and isinstance(messages[-1], HumanMessage):
        return "read"
    return "ask" if open_question(state) else END


def _route(then: str) -> Callable[[DialogueState], str]:
    def route(state: DialogueState) -> str:
        if not state.get("problem") and (state.get("clarification") or {}).get("ask"):
            return "question"
        return "answer" if any(state.get(field) for field in ("problem", "result", "text")) else then

    return route
