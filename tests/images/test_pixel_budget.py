"""The one bound on what is decoded at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from filelock import FileLock, Timeout
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.errors import BadImageError, InvalidRequestError
from ipcir_tools.images import budget
from ipcir_tools.images.budget import Budget, decoder_memory, decoder_share, file_share
from ipcir_tools.settings import load_settings

LIMIT = 3_200
"""Small ones take up to 100, and have 400 for themselves; large ones have 2,800."""


class Thread:
    """Holds some bytes until it is told to let them go."""

    def __init__(self, work: Callable[[threading.Event, threading.Event], None]) -> None:
        self.has, self.end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=work, args=(self.has, self.end), daemon=True)
        self.thread.start()

    def waits(self) -> bool:
        return not self.has.wait(0.05)

    def let_go(self) -> None:
        self.end.set()
        self.thread.join(5)


def holding(shared: Budget, size: int, limit: int = LIMIT) -> Thread:
    def work(has: threading.Event, end: threading.Event) -> None:
        with shared.hold(size, limit):
            has.set()
            end.wait(10)

    return Thread(work)


def test_pictures_wait_until_they_fit_in_the_order_in_which_they_came():
    shared = Budget()
    first, second, third = (holding(shared, size) for size in (2_000, 1_000, 700))
    assert not first.waits()
    assert second.waits()
    assert third.waits()  # though it would fit
    first.let_go()
    assert second.has.wait(5)
    assert third.has.wait(5)
    second.let_go()
    third.let_go()
    assert shared.held == 0


def test_small_pictures_pass_while_dear_ones_wait_and_no_dear_one_waits_for_ever():
    shared = Budget()
    dear, waiting = holding(shared, 2_800), holding(shared, 2_800)
    small = [holding(shared, 100) for _ in range(5)]
    assert sum(not each.waits() for each in small) == 4
    assert shared.held == LIMIT
    dear.let_go()
    assert waiting.has.wait(5)
    for each in (waiting, *small):
        each.let_go()


def test_a_file_larger_than_the_limit_is_held_alone():
    shared = Budget()
    first = holding(shared, 2 * LIMIT)
    assert not first.waits()
    second = holding(shared, 200)
    assert second.waits()
    first.let_go()
    second.let_go()
    assert shared.held == 0


@given(sizes=st.lists(st.integers(1, 2_800), min_size=1, max_size=12))
def test_never_more_than_the_limit_is_held_and_everybody_gets_a_share(sizes):
    shared, most = Budget(), []

    def work(size: int) -> None:
        with shared.hold(size, LIMIT):
            most.append(shared.held)

    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert len(most) == len(sizes)
    assert max(most) <= LIMIT
    assert shared.held == 0


def test_a_picture_that_could_never_be_decoded_is_refused_and_nothing_is_held():
    total = 120_000_000
    refused = pytest.raises(BadImageError, match=r"takes 90 MB .* more than 88 MB \(IPCIR_DECODE_MEMORY\)")
    with refused, decoder_share(total) as claim:
        claim(90_000_000)
    with decoder_share(total) as claim:
        claim(decoder_memory(total) * 7 // 8)
    assert budget._DECODERS.held == 0


def test_processes_that_share_a_machine_decode_one_large_picture_at_a_time(monkeypatch, tmp_path):
    """Two budgets stand for two processes: a lock of the system tells them apart, too."""
    lock = tmp_path / "cache" / "decoding.lock"
    monkeypatch.setattr(budget, "_machine", lock)
    with decoder_share(10**9) as claim:
        claim(10**6)  # a small one
        assert not lock.exists()
    with decoder_share(10**9) as claim:
        claim(10**8)
        with pytest.raises(Timeout):
            FileLock(lock, timeout=0).acquire()
    with FileLock(lock, timeout=0):
        pass


def test_an_error_gives_its_share_back_and_a_thread_needs_one_share_for_its_file():
    size, total = 80_000_000, 1_500_000_000
    with pytest.raises(ValueError, match="bad"), file_share(size, total), file_share(size, total):
        raise ValueError("bad")
    assert budget._FILES.held == 0


@pytest.mark.parametrize(("text", "size"), [("800 MB", 800_000_000), ("2GiB", 2 * 2**30), ("64000000", 64_000_000)])
def test_the_setting_takes_units(monkeypatch, text, size):
    monkeypatch.setenv("IPCIR_DECODE_MEMORY", text)
    assert load_settings().decode_memory == size


def test_too_small_a_setting_is_refused():
    with pytest.raises(InvalidRequestError, match="decode_memory"):
        load_settings(decode_memory="1 MB")
