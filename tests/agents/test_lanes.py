"""The lanes of a server: order, bounds and ends, by events and counts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ipcir_tools.agents.lanes import Lane, Lanes
from ipcir_tools.agents.tools import TOOLS
from ipcir_tools.errors import BusyError
from ipcir_tools.work import check_work, current_work, sleep

PATIENCE = 60.0


class Calls:
    """Calls that wait until they are let go, and note what happens."""

    def __init__(self) -> None:
        self.began: list[Any] = []
        self.most = self._running = 0
        self._lock, self._go = threading.Lock(), threading.Event()

    def __call__(self, name: Any) -> Any:
        with self._lock:
            self.began.append(name)
            self._running += 1
            self.most = max(self.most, self._running)
        self._go.wait(PATIENCE)
        with self._lock:
            self._running -= 1
        return name

    def let_go(self) -> None:
        self._go.set()


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.005)


async def test_so_many_run_in_the_order_in_which_they_came_and_the_rest_wait():
    lane, calls = Lane(2, 10), Calls()
    tasks = [asyncio.create_task(lane.run(lambda n=n: calls(n))) for n in range(6)]
    await until(lambda: len(calls.began) == 2)
    calls.let_go()
    assert await asyncio.gather(*tasks) == list(range(6))
    assert set(calls.began[:2]) == {0, 1}
    assert calls.most == 2


async def test_beyond_the_line_a_call_is_refused_and_never_begun():
    lane, calls = Lane(2, 3), Calls()
    tasks = [asyncio.create_task(lane.run(lambda n=n: calls(n))) for n in range(5)]
    await until(lambda: len(calls.began) == 2)
    with pytest.raises(BusyError, match=r"2 calls of this kind run and 3 wait.*send it again"):
        await lane.run(lambda: calls("late"))
    calls.let_go()
    await asyncio.gather(*tasks)
    assert "late" not in calls.began
    assert await lane.run(lambda: "later") == "later"


async def test_a_call_that_is_cancelled_in_line_is_dropped():
    lane, calls = Lane(1, 1), Calls()
    first = asyncio.create_task(lane.run(lambda: calls("first")))
    await until(lambda: calls.began)
    second = asyncio.create_task(lane.run(lambda: calls("second")))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    third = asyncio.create_task(lane.run(lambda: calls("third")))
    calls.let_go()
    assert await asyncio.gather(first, third) == ["first", "third"]
    assert calls.began == ["first", "third"]


async def test_a_call_that_is_cancelled_while_it_runs_is_ended_and_its_place_free():
    lane, began = Lane(1, 0), threading.Event()

    def endless() -> None:
        began.set()
        sleep(2 * PATIENCE)

    task = asyncio.create_task(lane.run(endless))
    await until(began.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await lane.run(lambda: "next") == "next"


async def test_the_place_of_a_thread_that_does_not_stop_is_not_given_away():
    lane, calls = Lane(1, 0), Calls()
    task = asyncio.create_task(lane.run(lambda: calls("deaf")))
    await until(lambda: calls.began)
    task.cancel()
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await lane.run(lambda: calls("more"))
    calls.let_go()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.began == ["deaf"]


async def test_errors_are_those_of_the_call():
    def fails() -> None:
        raise KeyError("a")

    lane = Lane(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError, match="a"):
            await lane.run(fails)


async def test_each_call_is_work_of_its_own():
    lane, seen = Lane(1, 9), []
    await asyncio.gather(*(lane.run(lambda: (check_work(), seen.append(current_work.get()))) for _ in range(3)))
    assert len(set(seen)) == 3
    assert current_work.get() is None


def test_what_only_reads_is_cheap():
    assert {name for name, tool in TOOLS.items() if tool.cheap} == {
        "show_turn", "list_turns", "describe_gallery", "show_images",
    }  # fmt: skip
    assert all(tool.read_only for tool in TOOLS.values() if tool.cheap)
    lanes = Lanes()
    assert lanes.of(True) is lanes.cheap
    assert lanes.of(False) is lanes.dear
