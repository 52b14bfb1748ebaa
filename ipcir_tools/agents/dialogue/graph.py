"""The dialogue as a LangGraph graph: read -> caption -> imagine -> compose -> search -> ask or answer.

One run is one round: a user's message in, a turn and an ``AIMessage`` out. The state is plain JSON and messages, so any
checkpointer keeps it; ``turn`` is the turn that the next round builds on, so undo is handing in an earlier one.

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
from typing import TYPE_CHECKING, Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.graph import END, START, StateGraph

from ipcir_tools.agents.dialogue.nodes import DialogueNodes
from ipcir_tools.agents.dialogue.state import DialogueInput, DialogueState
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import IPCIRError
from ipcir_tools.settings import Settings

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import Checkpointer


log = logging.getLogger(__name__)

STAGES = ("read", "caption", "imagine", "compose", "search")


class Node(Protocol):
    """A stage as LangGraph calls it."""

    def __call__(self, state: DialogueState, config: RunnableConfig) -> dict[str, Any]:
        """What the stage changes in the state."""
        ...


def build_dialogue(
    engine: Engine, *, ask: bool = True, checkpointer: Checkpointer = None, k: int | None = None
) -> CompiledStateGraph[DialogueState, None, DialogueInput, DialogueState]:
    """The dialogue over ``engine``, ready to invoke or stream, sync and async.

    ``stream_mode="custom"`` tells of each stage as it begins: ``{"stage": "imagine", ...}``. With ``ask``, a round in
    doubt asks one question: it stops with an interrupt ``{"question", "why", "turn"}`` and goes on with
    ``Command(resume="the answer")``; ``turn`` is what was found nevertheless. That needs a checkpointer; without one
    the doubt stands in the answer. ``k``: hits of a new search; None: the settings'. Whatever goes wrong is told in the
    answer; nothing is raised.
    """
    nodes = DialogueNodes(engine, ask, k)
    graph = StateGraph(DialogueState, input_schema=DialogueInput)
    following = dict(zip(STAGES, (*STAGES[1:], "answer"), strict=True)) | {"ask": "caption"}
    for stage, then in following.items():
        graph.add_node(stage, _told(stage, getattr(nodes, stage)))
        graph.add_conditional_edges(stage, _route(then), [*dict.fromkeys([then, "ask", "answer"])])
    graph.add_node("answer", nodes.answer)
    graph.add_edge(START, "read")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer, name="dialogue")


async def make_dialogue() -> CompiledStateGraph[DialogueState, None, DialogueInput, DialogueState]:
    """The dialogue for ``langgraph dev``, over the gallery that the ``IPCIR_`` variables name."""
    return await asyncio.to_thread(_served)


_SERVING = threading.Lock()


def _served() -> CompiledStateGraph[DialogueState, None, DialogueInput, DialogueState]:
    with _SERVING:  # the server asks for the graph many times, and at once
        return _built()


@cache
def _built() -> CompiledStateGraph[DialogueState, None, DialogueInput, DialogueState]:
    return build_dialogue(Engine.open(Settings()))


def _told(stage: str, work: Node) -> Node:
    """A node whose failure is told in the answer."""

    def node(state: DialogueState, config: RunnableConfig) -> dict[str, Any]:
        try:
            return work(state, config)
        except GraphBubbleUp:
            raise
        except IPCIRError as error:
            return {"problem": str(error)}
        except Exception as error:  # a dialogue must survive a fault of ours
            log.exception("the dialogue's stage %s failed", stage)
            return {"problem": f"The stage {stage!r} failed inside ({type(error).__name__}): say it once more."}

    return node


def _route(then: str) -> Callable[[DialogueState], str]:
    def route(state: DialogueState) -> str:
        if not state.get("problem") and (state.get("doubt") or {}).get("ask"):
            return "ask"
        return "answer" if state.get("problem") or state.get("result") else then

    return route
