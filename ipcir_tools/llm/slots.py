"""Requests to one server at a time: a limit for each server and model in this process, and clocks that know of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Lock
from typing import TYPE_CHECKING

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import server_address
from ipcir_tools.llm.errors import is_busy, is_unanswered
from ipcir_tools.work import check_work, ending

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

CONCURRENCY = 4
"""Requests at a time where no setting says otherwise."""
SAME_MOMENT = 0.25
"""Seconds between two requests of two threads that may arrive at the server in the other order."""
RAISE_AFTER = 10
"""Replies in a row after which a limit that was lowered is raised by one again."""


@dataclass(eq=False)
class Slot:
    """The right to have one request at a server, until its reply is read, or its time is up."""

    budget: Budget
    ahead: set[Slot] = field(default_factory=set)
    """Requests of this process that may be answered before: those sent before, or in the same moment."""
    sent: float = field(default_factory=time.monotonic)
    counted_from: float = field(default_factory=time.monotonic)


class ServerSlots:
    """How many requests of this process may be at one server at a time; further ones wait in line. Thread-safe.

    Waiting behind requests of this process is not silence of the server, so it is not counted against a request's
    budget: neither the wait for a slot, nor, at a server that answers one request after the other, the time until
    those that were sent before, or in the same moment, are answered. Where a server rejects a request as busy while it
    has others of this process, the limit is lowered to what it takes.
    """

    def __init__(self, limit: int = CONCURRENCY) -> None:
        self.limit = limit
        """The limit that was asked for."""
        self._current = limit
        self._replies = 0
        self._taken: list[Slot] = []
        self._line: deque[object] = deque()
        self._changed = Condition(Lock())

    @contextmanager
    def slot(self, budget: Budget) -> Iterator[Slot]:
        """A slot, as soon as one is free; it is given back at the end of the block, where it was not before."""
        slot = self._take(budget)
        try:
            yield slot
        finally:
            self.give_back(slot, answered=False)

    @contextmanager
    def answering(self, slot: Slot) -> Iterator[None]:
        """The server's work on a request, in whichever thread reads its reply; the slot is given back at the end."""
        answered = False
        try:
            yield
            answered = True
        except Exception as error:
            answered = not is_unanswered(error)
            if is_busy(error):
                self._lower()
            raise
        finally:
            self.give_back(slot, answered=answered)

    def give_back(self, slot: Slot, *, answered: bool) -> None:
        """Let the next request go. Where the server ``answered``, the clocks of those sent after begin anew."""
        with self._changed:
            if slot not in self._taken:
                return
            self._taken.remove(slot)
            now = time.monotonic()
            for other in self._taken:
                if slot in other.ahead:
                    other.ahead.remove(slot)
                    if answered:
                        other.budget.extend(now - other.counted_from)
                        other.counted_from = now
            if answered:
                self._replies += 1
                if self._replies >= RAISE_AFTER:
                    self._current, self._replies = min(self._current + 1, self.limit), 0
            self._changed.notify_all()

    def set_limit(self, limit: int) -> None:
        """Change the limit, for requests that are not at the server yet."""
        with self._changed:
            if limit != self.limit:
                self.limit = self._current = limit
                self._changed.notify_all()

    def _take(self, budget: Budget) -> Slot:
        began, place = time.monotonic(), object()
        with ending(self._wake), self._changed:
            self._line.append(place)
            try:
                while self._line[0] is not place or len(self._taken) >= self._current:
                    check_work()
                    self._changed.wait()
                slot = Slot(budget, set(self._taken))
                for other in self._taken:
                    if slot.sent - other.sent < SAME_MOMENT:
                        other.ahead.add(slot)
                self._taken.append(slot)
            finally:
                self._line.remove(place)
                self._changed.notify_all()
        budget.exclude(time.monotonic() - began)
        return slot

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _lower(self) -> None:
        """The server has no room for as many as it has of this process: the others of them are what it takes."""
        with self._changed:
            others = len(self._taken) - 1
            if others:
                self._current, self._replies = min(self._current, others), 0


_servers: dict[str, ServerSlots] = {}
_lock = Lock()


def slots_of(llm: BaseChatModel) -> ServerSlots:
    """The slots at a model's server: the same for every model object with that address and name."""
    key = f"{type(llm).__qualname__} {server_address(llm)} {llm._get_ls_params().get('ls_model_name')}"
    with _lock:
        return _servers.setdefault(key, ServerSlots())
