"""A dialogue in the terminal: by rules through the dialogue graph, or through an agent with a language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage

from ipcir_tools.agents.dialogue.commands import (
    Command,
    Goto,
    New,
    Remark,
    Setting,
    Sheet,
    Show,
    Undo,
    format_refinement,
)
from ipcir_tools.agents.dialogue.context import DialogueContext
from ipcir_tools.agents.dialogue.graph import build_dialogue
from ipcir_tools.agents.dialogue.line_parser import parse_line
from ipcir_tools.agents.dialogue.remarks import answer_remark
from ipcir_tools.chains.imagination.resources import RULES
from ipcir_tools.cli.chat.agent_session import (
    AgentSession,
    Event,
    MessageEvent,
    NoAgentAnswerError,
    SearchEvent,
    ToolEvent,
)
from ipcir_tools.cli.chat.help import HELP
from ipcir_tools.cli.chat.sheets import save_turns
from ipcir_tools.cli.options import filter_of
from ipcir_tools.cli.output import console, results
from ipcir_tools.display.results import result_from_json
from ipcir_tools.engine.hit_files import as_they_are_now
from ipcir_tools.engine.validation import check_options
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.text import excerpt
from ipcir_tools.types import Hit, SearchResult, Turn

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine

MIN_ID = 6
"""Digits of a picture's id that may stand for the whole."""


@dataclass(frozen=True)
class Place:
    """Where a dialogue is: at a turn, or before the first one, with a reference or without."""

    turn: Turn | None = None
    reference: str | None = None


class Chat:
    """One dialogue. Searches go through the dialogue graph, or with an ``agent`` edits and picks through the agent.

    ``sheets`` is a folder for one contact sheet per turn; with ``in_terminal`` the hits of each are drawn there, too.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        agent: AgentSession | None = None,
        sheets: Path | None = None,
        in_terminal: bool = False,
    ) -> None:
        self.engine = engine
        self.agent = agent
        self.sheets = sheets
        self._in_terminal = in_terminal
        self.place = Place()
        self._dialogue = build_dialogue(engine, ask=False, trusted=True, raise_errors=True)
        self._options = SearchOptions()
        self._earlier: list[Place] = []
        self._turns: dict[str, None] = {}
        """Ids of the turns that were shown, in order."""
        self._drawn = 0

    def handle(self, text: str) -> bool:
        """Answer one line; False where it was the last. Raises IPCIRError."""
        line = parse_line(text)
        match line:
            case Command("quit"):
                return False
            case Command("help"):
                console.show_help(HELP)
            case Command("turns"):
                self._show_turns()
            case Command():
                pass  # an empty line
            case Undo(steps):
                self._undo(steps)
            case Goto(turn, None):
                self._go(Place(self.engine.catalog.turn(turn)))
            case Goto(turn, then) if self.agent and then:
                self._go(Place(self.engine.catalog.turn(turn)), show=False)
                self._send(self.agent, format_refinement(then))
            case Show(picture):
                self._show(picture)
            case Sheet(file):
                self._save_sheet(file)
            case New(reference, modification):
                self.start_from(reference)
                if self.agent and modification:
                    self._send(self.agent, modification)
                elif modification:
                    self._search(text)
            case _ if self.agent:
                self._send(self.agent, text.strip())
            case Remark(kind):
                self._answer(line)
                return kind != "farewell"
            case Setting():
                self._set(line)
            case _:
                self._search(text)
        return True

    def start_from(self, reference: str) -> None:
        """Start over with a picture, by id, file or URL: it is opened now, and searched with at the next line."""
        image = self.engine.local_reference(reference)
        record, _ = self.engine.resolve(image)
        if self.agent:
            self.engine.encode_image(image)  # so that the agent may name it by its id
            self.agent.start_from(record.id)
        self._remember_place()
        self.place = Place(reference=reference)
        self._show(None)

    def _answer(self, remark: Remark) -> None:
        console.show_words(answer_remark(remark, self.engine, self.place.turn))
        if remark.kind == "restart":
            self._remember_place()
            self.place = Place()

    # --- moving among turns

    def _remember_place(self) -> None:
        """Note the place, for an undo of starting over."""
        if self.place != Place():
            self._earlier.append(self.place)

    def _undo(self, steps: int) -> None:
        back = self._back(self.place)
        if back is None:
            raise InvalidRequestError("There is nothing to undo: say what the picture should show.")
        for _ in range(steps - 1):
            back = self._back(back) or back
        self._go(back)

    def _back(self, place: Place) -> Place | None:
        """One step back: to the turn before, to the reference without a turn, to the place before starting over."""
        if place.turn is not None and place.turn.parent is not None:
            return Place(self.engine.catalog.turn(place.turn.parent))
        if place.turn is not None and place.turn.query.reference is not None:
            return Place(reference=place.turn.query.reference)
        return self._earlier.pop() if self._earlier else None

    def _go(self, place: Place, show: bool = True) -> None:
        self.place = place
        if place.turn is not None:
            self._turns[place.turn.id] = None
        if self.agent and place.turn is not None:
            self.agent.go_back(place.turn.id)
        elif self.agent and place.reference is not None:
            self.agent.start_from(self.engine.resolve(self.engine.local_reference(place.reference))[0].id)
        if show:
            self._show(None)

    # --- searching

    def _search(self, text: str) -> None:
        """One round of the dialogue graph from the current place; where an agent did not answer, without its model."""
        turn = self.place.turn
        context = DialogueContext(llm=RULES) if self.agent else DialogueContext()
        with console.working("searching"):
            state = self._dialogue.invoke(
                {
                    "messages": [HumanMessage(text)],
                    "turn": turn.id if turn else None,
                    "reference": None if turn else self.place.reference,
                    "k": self._options.k,
                    "where": self._options.where,
                },
                context=context,
            )
        document, unclear = state["result"] or {}, state["clarification"]
        if unclear:
            document = {**document, "warnings": [*document["warnings"], f"Unclear: {unclear['message']}"]}
        self._arrive(result_from_json(document, self.engine.catalog.turn(document["turn"])))

    def _send(self, agent: AgentSession, text: str) -> None:
        """One line through the agent, or by rules where it does not answer."""
        events = iter(agent.send(text, talk=isinstance(parse_line(text), Remark)))
        searched, shown = False, set[ToolEvent]()
        try:
            while (event := self._next(events)) is not None:
                searched = searched or isinstance(event, SearchEvent)
                if not isinstance(event, ToolEvent):
                    self._show_event(event)
                elif event not in shown:  # each once a line
                    shown.add(event)
                    self._show_event(event)
        except NoAgentAnswerError as failure:
            if searched and self.place.turn:
                console.show_note("agent", f"did not finish: {failure}", "yellow")
                agent.follow(self.place.turn.id, text)
            else:
                self._search_without(agent, text, str(failure))

    def _search_without(self, agent: AgentSession, text: str, reason: str) -> None:
        """Answer by rules a line that the agent did not answer."""
        if reason:
            console.show_note("by rules", f"because {reason}", "yellow")
        match parse_line(text):
            case Remark() as remark:
                self._answer(remark)
            case Setting() as setting:
                self._set(setting)
            case _:
                self._search(text)
                if self.place.turn:
                    agent.follow(self.place.turn.id, text)

    def _show_event(self, event: Event) -> None:
        match event:
            case SearchEvent(result):
                self._arrive(result)
            case MessageEvent(message):
                console.show_words(message)
            case ToolEvent(tool, None):
                console.show_note("agent", f"used {tool}")
            case ToolEvent(tool, problem):
                console.show_note("agent", f"{tool} was refused: {problem}", "yellow")

    @staticmethod
    def _next(events: Iterator[Event]) -> Event | None:
        with console.working("waiting for the agent"):
            return next(events, None)

    def _arrive(self, result: SearchResult) -> None:
        """Go to the turn of a search and show it."""
        turn = result.turn
        parent = self.engine.catalog.turn(turn.parent) if turn.parent else None
        if parent is None and (self.place.turn is not None or turn.query.reference is None):
            self._remember_place()  # the search started over
        self.place = Place(turn)
        self._turns[turn.id] = None
        results.show_result(result, parent=parent)
        if self._in_terminal:
            from ipcir_tools.cli.output.terminal_pictures import show_pictures

            show_pictures(result, self.engine.settings)
        if self.sheets is not None:
            self._drawn += 1
            save_turns(self.engine, [turn], self.sheets / f"{self._drawn:02d}-{turn.id}.png")

    # --- looking

    def _show_turns(self) -> None:
        if not self._turns:
            raise InvalidRequestError("There is no turn yet: say what the picture should show.")
        shown: dict[str, Turn] = {}
        for id_ in reversed(self._turns):
            if id_ not in shown:
                shown |= {turn.id: turn for turn in self.engine.catalog.path(id_)}
        results.show_turns(list(shown.values()), self.place.turn.id if self.place.turn else None)

    def _show(self, picture: str | None) -> None:
        turn = self.place.turn
        if turn is None:
            self._show_reference(self.place.reference)
        elif picture is None:
            parent = self.engine.catalog.turn(turn.parent) if turn.parent else None
            results.show_result(SearchResult(turn=as_they_are_now(turn, self.engine.catalog)), parent=parent)
        else:
            results.show_hit(find_hit(picture, as_they_are_now(turn, self.engine.catalog)))

    def _show_reference(self, reference: str | None) -> None:
        if reference is None:
            raise InvalidRequestError("Nothing was searched yet: say what the picture should show.")
        record, _ = self.engine.resolve(self.engine.local_reference(reference))
        console.show_note("reference", f"{record.id} {Path(record.source).name}")

    def _set(self, setting: Setting) -> None:
        if setting.name == "k":
            if not setting.value.isdecimal():
                raise InvalidRequestError(f"k takes a whole number, such as 'k 20', not {excerpt(setting.value)}.")
            options = self._options.updated(k=int(setting.value))
        else:
            off = setting.value.lower() in ("off", "none")
            options = self._options.updated(where={} if off else filter_of(setting.value, "where"))
        check_options(options)
        self._options = options
        console.show_note(setting.name, f"{setting.value}, from the next search on")

    def _save_sheet(self, file: str | None) -> None:
        turn = self.place.turn
        if turn is None:
            raise InvalidRequestError("There is no turn to draw yet: say what the picture should show.")
        path = Path(file) if file else (self.sheets or Path()) / f"dialogue-{turn.id}.png"
        save_turns(self.engine, self.engine.catalog.path(turn.id), path)


def find_hit(picture: str, turn: Turn) -> Hit:
    """The hit of a turn with that rank, or whose id begins so. Raises NotFoundError."""
    for hit in turn.hits:
        if picture == str(hit.rank) or (len(picture) >= MIN_ID and hit.id.startswith(picture)):
            return hit
    raise NotFoundError(f"Turn {turn.id} has no hit {picture}: it has {len(turn.hits)}, counted from 1.")
