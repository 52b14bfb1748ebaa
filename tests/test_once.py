"""What several threads want is made by one of them, while others make other things."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipcir_tools.once import Once
from ipcir_tools.store.made_once import Claims


def test_equal_things_are_made_once_and_others_meanwhile():
    once, begun, release, made = Once[str](), threading.Event(), threading.Event(), list[str]()

    def slow() -> str:
        begun.set()
        assert release.wait(20)
        made.append("slow")
        return "slow"

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(once.get, "a", slow)
        assert begun.wait(20)
        others = [pool.submit(once.get, "a", slow) for _ in range(7)]
        assert pool.submit(once.get, "b", lambda: "quick").result(20) == "quick"
        release.set()
        assert {each.result(20) for each in [first, *others]} == {"slow"}
    assert len(made) < 8, "those who came while it was made did not make it again"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=repr)
def test_an_error_is_raised_to_all_who_wait_but_an_interrupt_to_one(error):
    once, begun, release = Once[str](), threading.Event(), threading.Event()

    def fail() -> str:
        begun.set()
        assert release.wait(20)
        raise error

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.get, "a", fail)
        assert begun.wait(20)
        other = pool.submit(once.get, "a", lambda: "made")
        release.set()
        assert first.exception(20) is error
        if other.exception(20) is None:  # it came after the first, or made it in its place
            assert other.result() == "made"
        else:
            assert isinstance(error, Exception)


def test_what_is_settled_early_is_waited_for_no_longer():
    claims = Claims()
    with claims.of(["a", "b"]) as mine:
        assert mine.own == ["a", "b"]
        with claims.of(["a", "b", "c"]) as yours:
            assert (yours.own, set(yours.others)) == (["c"], {"a", "b"})
        mine.settle(["a"])
        yours.others["a"].wait()
        error = ValueError("no")
        mine.settle(["b"], error)
        yours.others["b"].wait()
        assert (yours.others["a"].error, yours.others["b"].error) == (None, error)
        with claims.of(["a"]) as again:
            assert again.own == ["a"], "it is free again"
            mine.settle(["a"])
            with claims.of(["a"]) as third:
                assert third.own == [], "nobody settles what another has claimed"
    with claims.of(["a", "b"]) as free:
        assert free.own == ["a", "b"]
