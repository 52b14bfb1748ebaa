"""Work that is ended from outside: wherever it waits it stops, and nobody else notices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

import pytest

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.retries import retrying
from ipcir_tools.llm.slots import ServerSlots
from ipcir_tools.llm.timeouts import call_within
from ipcir_tools.store.made_once import Claims
from ipcir_tools.work import Work, WorkEndedError, check_work, current_work, ending, sleep, wait_for

PATIENCE = 60.0


class Doing:
    """A call in a thread, as work."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.work, self._outcome = Work(), Future[Any]()
        context = copy_context()
        context.run(current_work.set, self.work)
        threading.Thread(target=context.run, args=(self._run, call), daemon=True).start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self._outcome.set_exception(error)

    def ended(self) -> None:
        self.work.end()
        assert isinstance(self._outcome.exception(PATIENCE), WorkEndedError)


def forever(began: threading.Event, ended: threading.Event) -> None:
    began.set()
    ended.wait(PATIENCE)


def test_a_call_to_a_server_is_ended():
    began, ended = threading.Event(), threading.Event()
    doing = Doing(lambda: call_within(2 * PATIENCE, lambda: forever(began, ended)))
    assert began.wait(PATIENCE)
    doing.ended()
    ended.set()


def test_no_call_is_begun_for_work_that_was_ended():
    begun: list[int] = []
    go = threading.Event()

    def work() -> None:
        go.wait(PATIENCE)
        call_within(PATIENCE, lambda: begun.append(1))

    doing = Doing(work)
    doing.work.end()
    go.set()
    doing.ended()
    assert begun == []


def test_the_pause_between_two_attempts_is_ended_and_no_further_attempt_is_made():
    attempts: list[int] = []
    paused = threading.Event()

    def work() -> None:
        for attempt in retrying(3, lambda: 1e9, waiting=lambda _: paused.set()):
            with attempt:
                attempts.append(1)
                raise BusyError

    class BusyError(Exception):
        status_code = 429
        headers = {"retry-after": "3600"}  # noqa: RUF012
        response = None

    doing = Doing(work)
    assert paused.wait(PATIENCE)
    doing.ended()
    assert attempts == [1]


def test_the_wait_for_a_slot_is_ended_and_the_line_goes_on():
    slots, waits = ServerSlots(1), threading.Event()
    with slots.slot(Budget(PATIENCE)):
        doing = Doing(lambda: (waits.set(), slots.slot(Budget(PATIENCE)).__enter__()))
        assert waits.wait(PATIENCE)
        doing.ended()
    with slots.slot(Budget(PATIENCE)):
        pass


def test_the_wait_for_what_another_one_makes_is_ended():
    doing = Doing(lambda: wait_for(Future()))
    doing.ended()


def test_a_sleep_is_ended():
    Doing(lambda: sleep(2 * PATIENCE)).ended()


def test_what_cannot_be_ended_goes_on_as_ever():
    assert current_work.get() is None
    check_work()
    sleep(0)
    with ending(pytest.fail):
        pass
    done: Future[int] = Future()
    done.set_result(1)
    wait_for(done)


def test_what_ends_a_wait_is_done_once_and_only_within_its_block():
    work, done = Work(), []
    with work.ending(lambda: done.append("a")):
        pass
    with work.ending(lambda: done.append("b")):
        work.end()
    assert done == ["b"]
    with pytest.raises(WorkEndedError), work.ending(lambda: done.append("c")):
        done.append("d")
    assert done == ["b"]


def test_who_waits_for_what_another_makes_is_ended():
    claims, ended = Claims(), threading.Event()
    work = Work()

    def wait() -> None:
        current_work.set(work)
        with claims.of(["caption"]) as claimed, pytest.raises(WorkEndedError):
            claimed.others["caption"].wait()
        ended.set()

    with claims.of(["caption"]):
        thread = threading.Thread(target=wait)
        thread.start()
        work.end()
        thread.join(30)
        assert ended.is_set()
