"""Requests of one process at one server: how many at a time, and what their clocks count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.messages import HumanMessage

from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import langchain_chat_model
from ipcir_tools.llm.slots import RAISE_AFTER, ServerSlots, slots_of
from ipcir_tools.models.loading import load_chat_model
from ipcir_tools.settings import Settings


class BusyError(Exception):
    """A server's 503."""

    status_code = 503


def in_threads(n: int, work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(n) as pool:
        list(pool.map(work, range(n)))


def answer(slots: ServerSlots, budget: Budget | None = None, error: Exception | None = None) -> None:
    """One request that is answered at once."""
    with slots.slot(budget or Budget(10)) as slot, slots.answering(slot):
        if error is not None:
            raise error


def test_no_more_requests_than_the_limit_are_at_the_server():
    slots, now, most, lock = ServerSlots(3), 0, 0, threading.Lock()

    def request(_: int) -> None:
        nonlocal now, most
        with slots.slot(Budget(10)):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1

    in_threads(12, request)
    assert most == 3


def test_waiting_in_line_is_not_counted():
    slots, first_is_in, go = ServerSlots(1), threading.Event(), threading.Event()

    def hold() -> None:
        with slots.slot(Budget(10)):
            first_is_in.set()
            go.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        first_is_in.wait(10)
        threading.Timer(0.2, go.set).start()
        budget = Budget(0.1)
        answer(slots, budget)
    assert budget.left() > 0


def test_the_clock_begins_anew_when_a_request_that_was_sent_before_is_answered():
    slots = ServerSlots(2)
    with slots.slot(Budget(10)) as first, slots.slot(budget := Budget(0.1)):
        time.sleep(0.15)
        assert budget.left() < 0
        slots.give_back(first, answered=True)
        assert 0 < budget.left() <= 0.1
        assert budget.elapsed() >= 0.15, "what is reported is the whole time"


def test_a_request_that_was_not_answered_gives_the_others_no_time():
    slots = ServerSlots(2)
    with slots.slot(Budget(10)) as first, slots.slot(budget := Budget(0.01)):
        time.sleep(0.02)
        slots.give_back(first, answered=False)
        assert budget.left() < 0


@pytest.mark.parametrize("moment", [0.0, 10.0])
def test_one_that_was_sent_well_later_gives_no_time(monkeypatch, moment):
    """Else a request that hangs would be waited for as long as others are answered. Two that were sent in the same
    moment may arrive in the other order."""
    monkeypatch.setattr("ipcir_tools.llm.slots.SAME_MOMENT", moment)
    slots = ServerSlots(2)
    with slots.slot(budget := Budget(0.01)):
        time.sleep(0.02)
        answer(slots)
        assert (budget.left() < 0) == (moment == 0)


def test_a_server_that_takes_fewer_gets_fewer_and_is_tried_with_more_later():
    slots = ServerSlots(2)
    with slots.slot(Budget(10)):
        with pytest.raises(BusyError):
            answer(slots, error=BusyError())
        waiting = threading.Thread(target=answer, args=(slots,))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive(), "the server is busy with the other request"
    waiting.join(10)
    for _ in range(RAISE_AFTER):
        answer(slots)
    with slots.slot(Budget(10)):
        answer(slots)


def test_a_server_that_is_busy_with_others_still_gets_one():
    slots = ServerSlots(4)
    for _ in range(3):
        with pytest.raises(BusyError):
            answer(slots, error=BusyError())
    answer(slots)


def test_an_interrupted_wait_leaves_the_line():
    slots = ServerSlots(1)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with slots.slot(Budget(10)):
        slots._changed.wait = lambda: interrupted()  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            answer(slots)
        del slots._changed.wait
    answer(slots)


def test_models_at_the_same_address_with_the_same_name_share_their_slots():
    here = Settings(llm_base_url="http://127.0.0.1:1/v1", llm_concurrency=7)
    one, same = load_chat_model("m", here), load_chat_model("m", here)
    assert slots_of(one) is slots_of(same)
    assert slots_of(one).limit == 7
    other_port = langchain_chat_model("m", Settings(llm_base_url="http://127.0.0.1:2/v1"))
    assert slots_of(load_chat_model("other", here)) is not slots_of(one) is not slots_of(other_port)


def test_a_model_without_an_address_has_slots():
    model = ScriptedChatModel(replies=["a"])
    assert slots_of(model) is slots_of(model)
    assert model.invoke([HumanMessage("x")]).text == "a"
