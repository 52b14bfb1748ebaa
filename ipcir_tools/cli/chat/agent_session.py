"""A dialogue through an agent: what the user types goes to it, what it searches and says comes back, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import SearchResult

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AnyMessage
    from langchain_core.runnables import RunnableConfig

    from ipcir_tools.engine.engine import Engine


@dataclass(frozen=True)
class Found:
    """The agent searched."""

    result: SearchResult


@dataclass(frozen=True)
class Did:
    """The agent used another tool, or one refused to answer: then ``problem`` says why."""

    tool: str
    problem: str | None = None


@dataclass(frozen=True)
class Said:
    """The agent's words to the user."""

    text: str


Event = Found | Did | Said


class AgentSession:
    """One conversation with the agent. Going back to a turn takes the agent's memory back to it, too."""

    def __init__(self, engine: Engine, llm: BaseChatModel | None = None) -> None:
        """``llm`` stands in for the model that the settings name. Raises InvalidRequestError, ModelUnavailableError."""
        from langgraph.checkpoint.memory import InMemorySaver

        from ipcir_tools.agents.agent import build_agent
        from ipcir_tools.models.loading import load_llm

        llm = llm or load_llm(engine.settings)
        if llm is None:
            raise InvalidRequestError("No language model is named: give one with --llm, or chat by rules.")
        self._engine = engine
        self._agent = build_agent(llm, engine, checkpointer=InMemorySaver())
        self._place: RunnableConfig | None = None
        self._places: dict[str, RunnableConfig] = {}
        self._news: str | None = None

    def hear(self, words: str) -> Iterator[Event]:
        """Tell the agent something; what it does, until it has answered.

        One that is broken off, or fails, has never been said: the agent's memory stays where it was.
        """
        message = ("user", f"{self._news}\n\n{words}" if self._news else words)
        found: list[str] = []
        place: RunnableConfig = self._place or {"configurable": {"thread_id": uuid4().hex}}
        for update in self._agent.stream({"messages": [message]}, place, stream_mode="updates"):
            for event in self._events(update):
                found += [event.result.turn.id] if isinstance(event, Found) else []
                yield event
        self._news = None
        thread = place["configurable"]["thread_id"]
        self._place = self._agent.get_state({"configurable": {"thread_id": thread}}).config
        self._places |= dict.fromkeys(found, self._place)

    def went_back(self, turn: str) -> None:
        """The user now looks at this turn, of this conversation or another."""
        self._place = self._places.get(turn, self._place)
        self._news = f"(The user went back to turn {turn}: go on from there.)"

    def began(self, reference: str) -> None:
        """The user wants to start from this picture."""
        self._news = f"(The user starts over, with the reference picture {reference}.)"

    def _events(self, update: dict[str, Any]) -> Iterator[Event]:
        from langchain_core.messages import AIMessage, ToolMessage

        for message in _messages(update):
            if isinstance(message, ToolMessage):
                yield self._tool_event(message.name or "a tool", message.status, message.text, message.artifact)
            elif isinstance(message, AIMessage) and message.text.strip():
                yield Said(message.text)

    def _tool_event(self, tool: str, status: str, text: str, artifact: Any) -> Event:
        """A search is what has a turn of its own; ``show_turn`` tells of an old one, with its path."""
        if status == "error":
            return Did(tool, text)
        if not isinstance(artifact, dict) or "hits" not in artifact or "turn" not in artifact or "path" in artifact:
            return Did(tool)
        turn, warnings = self._engine.catalog.turn(artifact["turn"]), artifact.get("warnings", ())
        return Found(SearchResult(turn=turn, warnings=tuple(warnings)))


def _messages(update: dict[str, Any]) -> list[AnyMessage]:
    """The new messages of one step of the agent's graph; middleware may report none."""
    return [message for part in update.values() if isinstance(part, dict) for message in part.get("messages") or ()]
