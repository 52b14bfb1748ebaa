"""A dialogue through an agent: sends it the user's lines and returns its searches, tool calls and messages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ipcir_tools.cli.chat.line_limits import LineLimitError, LineLimits
from ipcir_tools.display.results import result_from_json
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.llm.chat_model import server_address
from ipcir_tools.llm.errors import describe_error
from ipcir_tools.text import excerpt, one_line
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

PAUSE_AFTER = 2
"""Lines in a row without an answer of the agent, after which its model is left alone for a while."""
PAUSE = 60.0
"""Seconds."""
QUOTED_CHARS = 80
"""Characters of a model's words in the reason why they were not taken."""

_CALL_AS_TEXT = re.compile(
    r"<\W?(?:tool|function)|<\||\[TOOL_CALLS\]|^\W*(?:json)?\s*\{.*\}\W*$|[\"'](?:arguments|parameters|name)[\"']\s*:",
    re.DOTALL | re.IGNORECASE,
)
"""A tool call that a model wrote as text, where its server reads none: it is nothing for a user."""


class NoAgentAnswerError(Exception):
    """The agent did not answer a line; the text says why on one line, and is empty where that was said before."""


class AgentSession:
    """One conversation with the agent. Going back to a turn takes the agent's memory back to it, too."""

    def __init__(self, engine: Engine, llm: BaseChatModel | None = None) -> None:
        """``llm`` replaces the model that the settings name. Raises InvalidRequestError, ModelUnavailableError."""
        from langgraph.checkpoint.memory import InMemorySaver

        from ipcir_tools.agents.agent import build_agent
        from ipcir_tools.agents.model_calls import WaitingForServer
        from ipcir_tools.agents.toolkit import IPCIRToolkit
        from ipcir_tools.models.loading import load_llm

        llm = llm or load_llm(engine.settings)
        if llm is None:
            raise InvalidRequestError("No language model is named: give one with --llm, or chat by rules.")
        self._engine = engine
        self._tools = [tool.name for tool in IPCIRToolkit(engine).get_tools()]
        waiting = WaitingForServer(engine.settings.llm_timeout)
        self._llm = llm
        self._agent = build_agent(llm, engine, checkpointer=InMemorySaver(), middleware=[waiting])
        self._checkpoint: RunnableConfig | None = None
        self._checkpoints: dict[str, RunnableConfig] = {}
        self._note: str | None = None
        self._calls_tools = False
        self._failures = 0
        self._paused_until = 0.0

    def send(self, text: str, *, talk: bool = False) -> Iterator[Event]:
        """Send a line to the agent; its events, until it has answered.

        A line that is interrupted, or fails, leaves the agent's memory as it was. Raises NoAgentAnswerError where the
        model fails, goes beyond the :class:`LineLimits`, says nothing, or searches nothing although the line asks for
        it (it is no ``talk``): its words alone are an answer only of a model that has called a tool before. After
        ``PAUSE_AFTER`` such lines in a row, it raises that for ``PAUSE`` seconds without sending anything.
        """
        if time.monotonic() < self._paused_until:
            raise NoAgentAnswerError("")
        used: list[Event] = []
        words: list[MessageEvent] = []
        try:
            for event in self._stream(text):
                if isinstance(event, MessageEvent) and not used:
                    words.append(event)
                    continue
                used.append(event)
                yield from filter(self._is_shown, words)
                words.clear()
                if self._is_shown(event):
                    yield event
        except IPCIRError:
            raise
        except LineLimitError as limit:
            raise self._failed(str(limit)) from None
        except Exception as error:  # integrations raise whatever their servers make them raise
            seconds, address = self._engine.settings.llm_timeout, server_address(self._llm)
            raise self._failed(describe_error(error, self._llm, seconds, address)) from error
        if problem := self._problem(used, words, talk):
            raise self._failed(problem)
        self._failures = 0
        self._calls_tools = self._calls_tools or bool(used)
        yield from filter(self._is_shown, words)

    def follow(self, turn: str, line: str) -> None:
        """Note that a line of the user's was answered without the agent, by this turn."""
        self._hand(turn)
        self._note = f"(The user's line {one_line(line)!r} was answered by turn {turn}: go on from there.)"

    def _failed(self, reason: str) -> NoAgentAnswerError:
        self._failures += 1
        if self._failures < PAUSE_AFTER:
            return NoAgentAnswerError(reason)
        self._paused_until = time.monotonic() + PAUSE
        return NoAgentAnswerError(f"{reason}; the rules answer from now on, and it is tried again after {PAUSE:.0f} s")

    def _problem(self, used: Sequence[Event], words: Sequence[MessageEvent], talk: bool) -> str:
        """Why an agent's answer is none; empty where it is one."""
        if any(isinstance(event, SearchEvent) for event in used):
            return ""
        tools = [event for event in used if isinstance(event, ToolEvent)]
        if tools and not talk and all(each.problem is not None for each in tools):
            return "the language model called its tools with wrong arguments only"
        texts = [event.text for event in (*used, *words) if isinstance(event, MessageEvent)]
        said = [text for text in texts if not self._is_call(text)]
        names_none = not any(name in text for text in said for name in self._tools)
        if said and (talk or tools or (self._calls_tools and names_none)):
            return ""
        if tools or (talk and not texts):
            return "the language model said nothing"
        return f"the language model called no tool (it wrote {excerpt(' '.join(texts), QUOTED_CHARS)!r})"

    def _is_call(self, text: str) -> bool:
        """Whether a message is a tool call written as text."""
        return bool(_CALL_AS_TEXT.search(text) or re.search(rf"\b(?:{'|'.join(self._tools)})\s*\(", text))

    def _is_shown(self, event: Event) -> bool:
        return not (isinstance(event, MessageEvent) and self._is_call(event.text))

    def _stream(self, text: str) -> Iterator[Event]:
        """The events of a line."""
        message = ("user", f"{self._note}\n\n{text}" if self._note else text)
        found: list[str] = []
        start: RunnableConfig = self._checkpoint or {"configurable": {"thread_id": uuid4().hex}}
        limits = LineLimits(self._engine.settings.llm_timeout)
        for update in self._agent.stream({"messages": [message]}, start, stream_mode="updates"):
            for event in self._events(update, limits):
                found += [event.result.turn.id] if isinstance(event, SearchEvent) else []
                yield event
        self._note = None
        thread = start["configurable"]["thread_id"]
        self._checkpoint = self._agent.get_state({"configurable": {"thread_id": thread}}).config
        self._checkpoints |= dict.fromkeys(found, self._checkpoint)

    def go_back(self, turn: str) -> None:
        """Note that the user is now at this turn, of this conversation or another."""
        self._hand(turn)
        self._checkpoint = self._checkpoints.get(turn, self._checkpoint)
        self._note = f"(The user went back to turn {turn}: go on from there.)"

    def start_from(self, reference: str) -> None:
        """Note that the user starts over with this reference, by its id, which hands the picture to the agent."""
        self._engine.show_agents(reference)
        self._note = f"(The user starts over, with the reference picture {reference}.)"

    def _hand(self, turn: str) -> None:
        """Hand the pictures that lead to a turn to the agent: it is to go on from there."""
        queries = [each.query for each in self._engine.catalog.path(turn)]
        pictures = [each.id for query in queries for each in query.references]
        self._engine.show_agents(*pictures, *(id_ for query in queries for id_ in (*query.liked, *query.disliked)))

    def _events(self, update: dict[str, Any], limits: LineLimits) -> Iterator[Event]:
        from langchain_core.messages import AIMessage, ToolMessage

        for message in _new_messages(update):
            if isinstance(message, ToolMessage):
                yield self._tool_event(message.name or "a tool", message.status, message.text, message.artifact)
            elif isinstance(message, AIMessage) and message.text.strip():
                yield MessageEvent(message.text)
            limits.count(message)

    def _tool_event(self, tool: str, status: str, text: str, artifact: Any) -> Event:
        """A search has a new turn in its artifact; ``show_turn`` returns an old one, with its path."""
        if status == "error":
            return ToolEvent(tool, text)
        if not isinstance(artifact, dict) or "hits" not in artifact or "turn" not in artifact or "path" in artifact:
            return ToolEvent(tool)
        return SearchEvent(result_from_json(artifact, self._engine.catalog.turn(artifact["turn"])))


def _refused(event: Event) -> bool:
    return isinstance(event, ToolEvent) and event.problem is not None


def _new_messages(update: dict[str, Any]) -> list[AnyMessage]:
    """The new messages of one step of the agent's graph; middleware may report none."""
    return [message for part in update.values() if isinstance(part, dict) for message in part.get("messages") or ()]
