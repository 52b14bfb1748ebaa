"""Dot products of many rows are the same by however many threads, and nobody waits for a thread that has no core."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ipcir_tools.store import dots as scan
from ipcir_tools.store.best_rows import _least_of_best, best_rows
from ipcir_tools.store.dots import BLOCK, dots
from ipcir_tools.store.snapshot import Snapshot, base_segment
from ipcir_tools.types import Probe

ROWS = 4 * BLOCK + 7


@pytest.fixture
def drawn():
    rng = np.random.default_rng(3)
    return rng.standard_normal((ROWS, 16)).astype(np.float32), rng.standard_normal(16).astype(np.float32)


@pytest.fixture
def helper(monkeypatch):
    """Collects the work for the threads that help; nobody does it."""
    asked: list = []

    class Jobs:
        put = asked.append

    monkeypatch.setattr(scan, "_cores", lambda: 2)
    monkeypatch.setattr(scan, "_helpers", Jobs)
    return asked


def test_several_threads_give_what_one_gives(drawn, monkeypatch):
    rows, vector = drawn
    monkeypatch.setattr(scan, "_cores", lambda: 1)
    alone = dots(rows, vector)
    monkeypatch.setattr(scan, "_cores", lambda: 4)
    assert np.allclose(alone, rows @ vector, atol=1e-4)
    for _ in range(50):
        assert np.array_equal(dots(rows, vector), alone)


def test_helpers_that_never_come_are_not_waited_for(drawn, helper):
    rows, vector = drawn
    assert np.allclose(dots(rows, vector), rows @ vector, atol=1e-4)
    assert len(helper) == 1
    helper[0]()  # one that comes after the end finds nothing left


def test_a_helper_that_fails_costs_nothing_but_its_block(drawn, monkeypatch):
    rows, vector = drawn
    product, main, failed = scan._dots, threading.current_thread(), threading.Event()

    def failing(some, other, out):
        if threading.current_thread() is not main:
            failed.set()
            raise MemoryError
        failed.wait(30)
        return product(some, other, out=out)

    monkeypatch.setattr(scan, "_cores", lambda: 2)
    scan._helpers.cache_clear()
    monkeypatch.setattr(scan, "_dots", failing)
    for _ in range(2):  # the thread is still there
        failed.clear()
        assert np.allclose(dots(rows, vector), rows @ vector, atol=1e-4)
        assert failed.is_set()


def test_nobody_writes_into_a_result_that_was_given(drawn, monkeypatch):
    rows, vector = drawn
    monkeypatch.setattr(scan, "_cores", lambda: 2)
    for _ in range(300):
        found = dots(rows, vector)
        found[:] = -7
        assert (found == -7).all()


def test_chosen_rows_ask_for_help_too(drawn, helper):
    rows, vector = drawn
    dots(rows, vector, np.arange(3 * BLOCK))
    assert len(helper) == 1


def test_a_block_that_a_helper_has_taken_and_not_finished_is_done_again(drawn, monkeypatch):
    rows, vector = drawn
    taken, go_on = threading.Event(), threading.Event()
    product, main = scan._dots, threading.current_thread()

    def stuck(some, other, out):
        if threading.current_thread() is main:
            assert taken.wait(30)
        else:
            taken.set()
            go_on.wait(30)
        return product(some, other, out=out)

    class Jobs:
        @staticmethod
        def put(work):
            threading.Thread(target=work, daemon=True).start()

    monkeypatch.setattr(scan, "_cores", lambda: 2)
    monkeypatch.setattr(scan, "_helpers", Jobs)
    monkeypatch.setattr(scan, "_dots", stuck)
    try:
        assert np.allclose(dots(rows, vector), rows @ vector, atol=1e-4), "while the helper is stuck in its block"
    finally:
        go_on.set()


def test_few_rows_ask_for_no_help(drawn, helper):
    rows, vector = drawn
    dots(rows[: 2 * BLOCK - 1], vector)
    assert not helper


@pytest.mark.parametrize("wanted", [1, 7, 60, 900])
@pytest.mark.parametrize("of", ["different", "equal", "two values"])
def test_the_least_of_the_best_is_that_of_the_sorted_scores(wanted, of):
    rng = np.random.default_rng(wanted)
    scores = {
        "different": rng.standard_normal(ROWS),
        "equal": np.ones(ROWS),
        "two values": rng.integers(0, 2, ROWS),
    }[of].astype(np.float32)
    for some in (scores, np.sort(scores), np.sort(scores)[::-1].copy(), scores[: wanted + 1]):
        assert _least_of_best(some, wanted) == np.sort(some)[-wanted]


def test_a_picture_that_a_rule_has_no_score_for_is_no_hit():
    ids = [f"{i:016x}" for i in range(60)]
    matrix = np.eye(60, dtype=np.float32)
    snapshot = Snapshot.of(base_segment(ids, matrix, 1), 1)
    scores = np.where(np.arange(60) % 3, np.arange(60), np.nan).astype(np.float32)
    probe = Probe(matrix[0], rescore=lambda features: scores[features.argmax(axis=1)])
    found = best_rows(probe, 5, snapshot, snapshot.living)
    assert [score for _, score in found] == [59, 58, 56, 55, 53]


@pytest.mark.parametrize("n", [0, 1, 900, 3 * BLOCK])
def test_chosen_rows_give_what_they_give_among_all(drawn, n):
    rows, vector = drawn
    chosen = np.random.default_rng(n).permutation(ROWS)[:n]
    assert np.array_equal(dots(rows, vector, chosen), dots(rows, vector)[chosen])
