"""The bound on pixels that are decoded at a time."""

from __future__ import annotations

import threading

import pytest

from ipcir_tools.images.budget import PixelBudget


def test_pictures_wait_until_they_fit():
    budget, order = PixelBudget(10), []
    entered = threading.Event()

    def second() -> None:
        with budget.share() as claim:
            entered.set()
            claim(6)
            order.append("second")

    with budget.share() as claim:
        claim(6)
        other = threading.Thread(target=second)
        other.start()
        assert entered.wait(5)
        other.join(0.05)
        assert other.is_alive()
        order.append("first")
    other.join(5)
    assert order == ["first", "second"]


def test_one_picture_alone_always_fits_and_an_error_gives_it_back():
    budget = PixelBudget(10)

    def fail() -> None:
        with budget.share() as claim:
            claim(1_000)
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    with budget.share() as claim:
        claim(10)
