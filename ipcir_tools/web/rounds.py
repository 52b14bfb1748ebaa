"""Rounds of dialogues: each a run of the dialogue graph of its own, so that two tabs can mix nothing.

A round is told which turn it builds on, and only an open question is kept from one to the next: the client sends its
name with the answer. What a result said beside its turn (warnings, near-copies left out, a poor match) is kept in
memory for as long as anybody may want to see it; the turn itself is in the catalog.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ipcir_tools.display.results import result_from_json
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import IPCIRError
from ipcir_tools.types import SearchResult
from ipcir_tools.web.ask import Ask
from ipcir_tools.web.downloads import Downloads

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from ipcir_tools.agents.dialogue.graph import Dialogue


log = logging.getLogger(__name__)

MOST_KEPT = 500
"""Results whose notes are kept, and questions that may still be answered."""

PULSE = 1.0
"""Seconds after which a client hears that its round is still at work."""

Event = dict[str, Any]
"""A line of the answer: ``step`` as it begins, ``seconds`` so far, or what it ended with."""


class Rounds:
    """Runs rounds in threads and keeps what was said about their results. Safe for many threads."""

    def __init__(self, engine: Engine, downloads: Downloads) -> None:
        self._engine, self._downloads = engine, downloads
        self._lock = threading.Lock()
        self._graph: Dialogue | None = None
        self._notes: OrderedDict[str, SearchResult] = OrderedDict()
        self._questions: OrderedDict[str, Event] = OrderedDict()

    @property
    def _dialogue(self) -> Dialogue:
        """The graph, made when it is first needed: one for all, for it keeps the open questions."""
        from langgraph.checkpoint.memory import InMemorySaver

        from ipcir_tools.agents.dialogue.graph import build_dialogue

        with self._lock:
            self._graph = self._graph or build_dialogue(self._engine, checkpointer=InMemorySaver(), trusted=True)
            return self._graph

    def note(self, result: SearchResult) -> None:
        """Keep what was said about a result."""
        with self._lock:
            self._notes[result.turn.id] = result
            while len(self._notes) > MOST_KEPT:
                self._notes.popitem(last=False)

    def noted(self, turn: str) -> SearchResult | None:
        """The result with this turn, where it is still known."""
        with self._lock:
            return self._notes.get(turn)

    def search_imagined(
        self, turn: str, keep: Sequence[str], add: Sequence[str], remove: Sequence[str]
    ) -> SearchResult:
        """Search again with a turn's imagined target whose words were edited; what is said of it is kept."""
        result = self._engine.search_imagined(turn, keep=keep, add=add, remove=remove)
        self.note(result)
        return result

    def question(self, round: str | None) -> Event | None:
        """The open question of a round."""
        with self._lock:
            return self._questions.get(round or "")

    async def run(self, ask: Ask) -> AsyncIterator[Event]:
        """The events of one round, the last with ``done``. Where the client goes, the round ends after its step."""
        loop, began = asyncio.get_running_loop(), time.monotonic()
        queue: asyncio.Queue[Event] = asyncio.Queue()
        gone = threading.Event()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        work = asyncio.create_task(asyncio.to_thread(self._work, ask, tell, gone.is_set))
        try:
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), PULSE)
                except TimeoutError:
                    event = {"seconds": round(time.monotonic() - began, 1), **self._downloads.state}
                yield event
                if event.get("done"):
                    await work
                    return
        finally:
            gone.set()

    def _work(self, ask: Ask, tell: Callable[[Event], None], is_gone: Callable[[], bool]) -> None:
        try:
            tell({"done": True, **self._take(ask, tell, is_gone)})
        except IPCIRError as error:
            tell({"done": True, "error": str(error)})
        except Exception as error:  # broad: whatever it is, the person must hear of it
            log.exception("a round of a dialogue failed")
            tell({"done": True, "error": f"Something failed inside ({type(error).__name__}): try it again."})

    def _take(self, ask: Ask, tell: Callable[[Event], None], is_gone: Callable[[], bool]) -> Event:
        from langgraph.types import Command

        open_ = self.question(ask.round)
        name = ask.round if open_ and ask.round else uuid4().hex[:12]
        given: Any = Command(resume=ask.as_reply()) if open_ else ask.as_message()
        config: RunnableConfig = {"configurable": {"thread_id": name}}
        context: Any = ask.options
        state: Event = {}
        steps: Iterator[Any] = self._dialogue.stream(given, config, context=context, stream_mode=["custom", "values"])
        asked: Any = None
        try:
            for mode, value in steps:
                if is_gone():
                    return {}
                if mode == "custom":
                    tell({"step": value["node"]})
                else:
                    state = value
            asked = state.get("__interrupt__")
        finally:
            with self._lock:
                self._questions.pop(name, None)
            if not asked:
                self._forget(name)
        return self._asking(name, asked[0].value) if asked else self._ended(state)

    def _asking(self, name: str, asked: Event) -> Event:
        """A question: beside the turn that was found nevertheless, where there is one."""
        question = {"question": asked["question"], "why": asked["why"], "turn": asked["turn"], "round": name}
        with self._lock:
            self._questions[name] = question
            old = [self._questions.popitem(last=False)[0] for _ in range(len(self._questions) - MOST_KEPT)]
        for each in old:
            self._forget(each)
        return question

    def _ended(self, state: Event) -> Event:
        if document := state.get("result"):
            turn = self._engine.turn(document["turn"])
            if document.get("timings"):
                self.note(result_from_json(document, turn))
            return {"turn": turn.id}
        said = state["messages"][-1].text if state.get("messages") else ""
        return {"error": said} if state.get("problem") else {"said": said, "turn": state.get("turn")}

    def _forget(self, name: str) -> None:
        saver = self._dialogue.checkpointer
        if saver is not None and not isinstance(saver, bool):
            saver.delete_thread(name)
