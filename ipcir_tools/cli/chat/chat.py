"""A dialogue in the terminal: by rules, or through an agent where there is a language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.agents.dialogue.commands import (
    Command,
    Find,
    Goto,
    New,
    Refine,
    Setting,
    Sheet,
    Show,
    Undo,
    parse_line,
    spoken,
)
from ipcir_tools.cli.chat.agent_session import AgentSession, Did, Event, Found, Said
from ipcir_tools.cli.options import check_sheet_of, filter_of
from ipcir_tools.cli.output import console, results
from ipcir_tools.engine.validation import check_k
from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.store.filters import condition
from ipcir_tools.types import Hit, SearchResult, Turn, Where

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


MIN_ID = 6
"""Digits of a picture's id that may stand for the whole."""

HELP = (
    ("in blue with long sleeves", "any edit; the edits before it still hold"),
    ("more like 3, less like 1", "lean towards a hit, away from another"),
    ("3", "take a hit as the new reference"),
    ("3 but shorter, less like 1", "all at once"),
    ("undo", "to the turn before, or: go back two"),
    ("goto t12ab", "to any turn; going on makes a branch"),
    ("at t12ab: in green", "go on from there at once"),
    ("turns", "the tree of turns, a star where you are"),
    ("show", "this turn again; show 3: one hit"),
    ("sheet hits.png", "the dialogue so far as pictures"),
    ("find a red dress", "start over with words"),
    ('new "my coat.jpg" in green', "start over with a picture"),
    ("k 5", "how many hits from now on"),
    ('where {"format": "jpeg"}', "which pictures; where off: all again"),
    ("quit", "or Ctrl-D"),
)


@dataclass(frozen=True)
class Place:
    """Where a dialogue stands: at a turn, or before the first one with a reference or without."""

    turn: Turn | None = None
    reference: str | None = None


class Chat:
    """One dialogue. With a ``voice`` the agent hears edits and picks; all that moves among turns is done here.

    ``sheets`` is a folder for one contact sheet per turn.
    """

    def __init__(self, engine: Engine, *, voice: AgentSession | None = None, sheets: Path | None = None) -> None:
        self.engine = engine
        self.voice = voice
        self.sheets = sheets
        self.place = Place()
        self._drawn = 0
        self._k: int | None = None
        self._where: Where | None = None
        self._earlier: list[Place] = []
        self._seen: dict[str, Turn] = {}

    def hear(self, text: str) -> bool:
        """Answer one line; False where it was the last. Raises IPCIRError, and whatever the agent's model raises."""
        line = parse_line(text)
        match line:
            case Command("quit"):
                return False
            case Command(name):
                self._command(name)
            case Undo(steps):
                self._undo(steps)
            case Goto(turn, then):
                self._go(Place(self.engine.catalog.turn(turn)), show=then is None)
                if then is not None:
                    self._refine(then, spoken(then))
            case Show(picture):
                self._show(picture)
            case Sheet(file):
                self._sheet(file)
            case New(reference, words):
                self.begin(reference)
                if words:
                    self._refine(Refine(words), words)
            case Find() | Setting() | Refine() if self.voice:
                self._ask_agent(self.voice, text.strip())
            case Setting(name, value):
                self._set(name, value)
            case Find(words):
                self._refine(Refine(words), words, Place())
            case Refine():
                self._refine(line, text.strip())
        return True

    def begin(self, reference: str) -> None:
        """Start over with a picture, by id, file or URL: it is looked at now, and searched with at the next line."""
        record, _ = self.engine.resolved(reference, trusted=True)
        if self.voice:
            self.engine.encode_image(reference, trusted=True)  # so that the agent may name it by its id
            self.voice.began(record.id)
        self._leave()
        self.place = Place(reference=reference)
        self._show(None)

    # --- moving among turns

    def _leave(self) -> None:
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
        """One step back: to the turn before, to the bare reference, to what was before starting over."""
        if place.turn is not None and place.turn.parent is not None:
            return Place(self.engine.catalog.turn(place.turn.parent))
        if place.turn is not None and place.turn.query.reference is not None:
            return Place(reference=place.turn.query.reference)
        return self._earlier.pop() if self._earlier else None

    def _go(self, place: Place, show: bool = True) -> None:
        self.place = place
        if place.turn is not None:
            self._seen |= {turn.id: turn for turn in self.engine.catalog.path(place.turn.id)}
        if self.voice and place.turn is not None:
            self.voice.went_back(place.turn.id)
        elif self.voice and place.reference is not None:
            self.voice.began(self.engine.resolved(place.reference, trusted=True)[0].id)
        if show:
            self._show(None)

    # --- searching

    def _refine(self, said: Refine, words: str, start: Place | None = None) -> None:
        """Search from where the dialogue stands, or start over from ``start``."""
        if self.voice:
            self._ask_agent(self.voice, words)
            return
        with console.working("searching"):
            result = self._searched(said, start or self.place)
        if start is not None:
            self._leave()
        self._found(result)

    def _searched(self, said: Refine, place: Place) -> SearchResult:
        engine, turn, reference = self.engine, place.turn, place.reference
        if turn is not None:
            return engine.refine(
                turn.id, said.text, reference=said.reference, liked=said.liked, disliked=said.disliked,
                k=self._k, where=self._where, trusted=True,
            )  # fmt: skip
        if said.reference or said.liked or said.disliked:
            raise InvalidRequestError("Nothing was found yet that could be picked: say what the picture should show.")
        if reference is not None:
            return engine.search(reference, said.text, k=self._k, where=self._where, trusted=True)
        return engine.find(said.text, k=self._k, where=self._where)

    def _ask_agent(self, voice: AgentSession, words: str) -> None:
        events = iter(voice.hear(words))
        while (event := self._next(events)) is not None:
            match event:
                case Found(result):
                    self._found(result)
                case Said(text):
                    console.show_words(text)
                case Did(tool, None):
                    console.show_note("agent", f"used {tool}")
                case Did(tool, problem):
                    console.show_note("agent", f"{tool} was refused: {problem}", "yellow")

    @staticmethod
    def _next(events: Iterator[Event]) -> Event | None:
        with console.working("the agent is at work"):
            return next(events, None)

    def _found(self, result: SearchResult) -> None:
        turn = result.turn
        parent = self.engine.catalog.turn(turn.parent) if turn.parent else None
        self._seen[turn.id] = turn
        if self.voice and parent is None and self.place.turn is not None:
            self._leave()  # the agent started over
        self.place = Place(turn)
        results.show_result(result, parent=parent)
        if self.sheets is not None:
            self._drawn += 1
            self._draw([turn], self.sheets / f"{self._drawn:02d}-{turn.id}.png")

    # --- looking

    def _command(self, name: str) -> None:
        if name == "help":
            console.show_help(HELP)
        elif name == "turns":
            self._turns()

    def _turns(self) -> None:
        if not self._seen:
            raise InvalidRequestError("There is no turn yet: say what the picture should show.")
        results.show_turns(list(self._seen.values()), self.place.turn.id if self.place.turn else None)

    def _show(self, picture: str | None) -> None:
        turn = self.place.turn
        if turn is None:
            self._show_reference(self.place.reference)
        elif picture is None:
            parent = self.engine.catalog.turn(turn.parent) if turn.parent else None
            results.show_result(SearchResult(turn=turn), parent=parent)
        else:
            results.show_hit(hit_named(picture, turn))

    def _show_reference(self, reference: str | None) -> None:
        if reference is None:
            raise InvalidRequestError("Nothing was searched yet: say what the picture should show.")
        record, _ = self.engine.resolved(reference, trusted=True)
        console.show_note("reference", f"{record.id} {Path(record.source).name}")

    def _set(self, name: str, value: str) -> None:
        if name == "k":
            check_k(int(value))
            self._k = int(value)
        else:
            where = filter_of(value, "where") if value.lower() not in ("off", "none") else None
            if where:
                condition(where)
            self._where = where or {}
        console.show_note(name, f"{value}, from the next search on")

    def _sheet(self, file: str | None) -> None:
        turn = self.place.turn
        if turn is None:
            raise InvalidRequestError("There is no turn to draw yet: say what the picture should show.")
        path = Path(file) if file else (self.sheets or Path()) / f"dialogue-{turn.id}.png"
        self._draw(self.engine.catalog.path(turn.id), path)

    def _draw(self, path: list[Turn], file: Path) -> None:
        """The turns one below the other; what each next one picked is framed."""
        from ipcir_tools.display.search_sheet import Strip, save_sheet

        check_sheet_of(self.engine, file)
        picked = [{later.query.reference, *later.query.liked} for _, later in pairwise(path)] + [set()]
        strips = [
            Strip(SearchResult(turn=turn), {id_ for id_ in marked if id_})
            for turn, marked in zip(path, picked, strict=True)
        ]
        save_sheet(strips, file, self.engine.settings)
        console.show_note("as pictures", str(file))


def hit_named(picture: str, turn: Turn) -> Hit:
    """The hit of a turn with that rank, or whose id begins so. Raises NotFoundError."""
    for hit in turn.hits:
        if picture == str(hit.rank) or (len(picture) >= MIN_ID and hit.id.startswith(picture)):
            return hit
    raise NotFoundError(f"Turn {turn.id} has no hit {picture}: it has {len(turn.hits)}, counted from 1.")
