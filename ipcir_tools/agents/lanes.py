"""How many calls a server works on at a time: two bounded lanes, so that cheap calls do not wait behind dear ones."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter, create_task_group, sleep_forever
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync

from ipcir_tools.errors import BusyError
from ipcir_tools.work import Work, WorkEndedError, current_work

T = TypeVar("T")


class Lane:
    """Calls of one kind: ``running`` of them at a time, ``waiting`` in line, in the order in which they came.

    For one event loop. A call that is cancelled is dropped where it waits in line. Where it runs, its work is ended
    (:mod:`ipcir_tools.work`), and its place is free as soon as its thread has stopped, not before: clients that give up
    and ask again do not pile up work.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self.running, self.waiting = running, waiting
        self._limiter: CapacityLimiter | None = None
        self.calls = 0
        """How many run and wait."""

    async def run(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises, in a worker thread. Raises BusyError where the line is full."""
        if self.calls >= self.running + self.waiting:
            raise BusyError(
                f"The server is busy: {self.running} calls of this kind run and {self.waiting} wait. Nothing was done "
                "for this one: wait a minute and send it again, or go on without it."
            )
        self._limiter = self._limiter or CapacityLimiter(self.running)
        self.calls += 1
        try:
            outcome = await _in_thread(call, self._limiter)
        finally:
            self.calls -= 1
        return outcome.result()


async def _in_thread(call: Callable[[], T], limiter: CapacityLimiter) -> Future[T]:
    """The result of ``call``, or its error, which is raised outside of the group of tasks."""
    work, outcome = Work(), Future[T]()

    def run() -> None:
        current_work.set(work)  # in the context of this call: anyio copies one for each
        try:
            outcome.set_result(call())
        except WorkEndedError:
            return
        except Exception as error:  # noqa: BLE001 - it is raised in the task that waits
            outcome.set_exception(error)

    async def watch() -> None:
        try:
            await sleep_forever()
        finally:
            work.end()

    async with create_task_group() as tasks:
        tasks.start_soon(watch)
        await run_sync(run, limiter=limiter)
        tasks.cancel_scope.cancel()
    await checkpoint()  # raises where the call was cancelled
    return outcome


@dataclass(frozen=True)
class Lanes:
    """The lanes of a server. The numbers are for one person's machine, whose models take one call after the other."""

    cheap: Lane = field(default_factory=lambda: Lane(8, 64))
    """Calls that only read what is stored: turns, facts, pictures."""
    dear: Lane = field(default_factory=lambda: Lane(8, 56))
    """Calls that ask models, or index."""

    def of(self, cheap: bool) -> Lane:
        """The lane of a call."""
        return self.cheap if cheap else self.dear
