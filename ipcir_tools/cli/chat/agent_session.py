"""A dialogue through an agent: sends it the user's lines and returns its searches, tool calls and messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ipcir_tools.display.results import result_from_json
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import SearchResult

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AnyMessage
    from langchain_core.runnables import RunnableConfig

    from ipcir_tools.engine.engine import Engine


@dataclass(frozen=True)
class SearchEvent:
    """The agent searched."""

    result: SearchResult


@dataclass(frozen=True)
class ToolEvent:
    """The agent called another tool, or a call failed: then ``problem`` says why."""

    tool: str
    problem: str | None = None


@dataclass(frozen=True)
class MessageEvent:
    """The agent's words to the user."""

    text: str


Event = SearchEvent | ToolEvent | MessageEvent


class AgentSession:
    """One conversation with the agent. Going back to a turn takes the agent's memory back to it, too."""

    def __init__(self, engine: Engine, llm: BaseChatModel | None = None) -> None:
        """``llm`` replaces the model that the settings name. Raises InvalidRequestError, ModelUnavailableError."""
        from langgraph.checkpoint.memory import InMemorySaver

        from ipcir_tools.agents.agent import build_agent
        from ipcir_tools.models.loading import load_llm

        llm = llm or load_llm(engine.settings)
        if llm is None:
            raise InvalidRequestError("No language model is named: give one with --llm, or chat by rules.")
        self._engine = engine
        self._agent = build_agent(llm, engine, checkpointer=InMemorySaver())
        self._checkpoint: RunnableConfig | None = None
        self._checkpoints: dict[str, RunnableConfig] = {}
        self._note: str | None = None

    def send(self, text: str) -> Iterator[Event]:
        """Send a line to the agent; its events, until it has answered.

        A line that is interrupted, or fails, leaves the agent's memory as it was.
        """
        message = ("user", f"{self._note}\n\n{text}" if self._note else text)
        found: list[str] = []
        start: RunnableConfig = self._checkpoint or {"configurable": {"thread_id": uuid4().hex}}
        for update in self._agent.stream({"messages": [message]}, start, stream_mode="updates"):
            for event in self._events(update):
                found += [event.result.turn.id] if isinstance(event, SearchEvent) else []
                yield event
        self._note = None
        thread = start["configurable"]["thread_id"]
        self._checkpoint = self._agent.get_state({"configurable": {"thread_id": thread}}).config
        self._checkpoints |= dict.fromkeys(found, self._checkpoint)

    def go_back(self, turn: str) -> None:
        """Note that the user is now at this turn, of this conversation or another."""
        self._checkpoint = self._checkpoints.get(turn, self._checkpoint)
        self._note = f"(The user went back to turn {turn}: go on from there.)"

    def start_from(self, reference: str) -> None:
        """Note that the user starts over with this reference, by its id."""
        self._note = f"(The user starts over, with the reference picture {reference}.)"

    def _events(self, update: dict[str, Any]) -> Iterator[Event]:
        from langchain_core.messages import AIMessage, ToolMessage

        for message in _new_messages(update):
            if isinstance(message, ToolMessage):
                yield self._tool_event(message.name or "a tool", message.status, message.text, message.artifact)
            elif isinstance(message, AIMessage) and message.text.strip():
                yield MessageEvent(message.text)

    def _tool_event(self, tool: str, status: str, text: str, artifact: Any) -> Event:
        """A search has a new turn in its artifact; ``show_turn`` returns an old one, with its path."""
        if status == "error":
            return ToolEvent(tool, text)
        if not isinstance(artifact, dict) or "hits" not in artifact or "turn" not in artifact or "path" in artifact:
            return ToolEvent(tool)
        return SearchEvent(result_from_json(artifact, self._engine.catalog.turn(artifact["turn"])))


def _new_messages(update: dict[str, Any]) -> list[AnyMessage]:
    """The new messages of one step of the agent's graph; middleware may report none."""
    return [message for part in update.values() if isinstance(part, dict) for message in part.get("messages") or ()]
