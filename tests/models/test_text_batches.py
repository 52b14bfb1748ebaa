"""Texts of callers that wait for each other are encoded together; counted by a fake encoder, nothing is timed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.types import FloatArray

SECONDS = 20
"""After which something hangs."""


class GatedEncoder(FakeEncoder):
    """Its first batch waits until ``gate`` opens; ``batches`` are the texts of each. A text "bad" fails its batch."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate, self.began = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        self.batches.append(list(texts))
        self.began.set()
        assert self.gate.wait(SECONDS)
        if "bad" in texts:
            raise ValueError("a bad text")
        if "nothing" in texts:
            return np.stack([self._text(text) * (text != "nothing") for text in texts])
        return super()._text_batch(texts)


def waiting(encoder: GatedEncoder, n: int) -> None:
    """Wait until ``n`` requests wait behind the one that is encoded."""
    for _ in range(SECONDS * 200):
        if len(encoder._text_batches._waiting) == n:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"{len(encoder._text_batches._waiting)} requests wait, not {n}")


def behind_one(
    encoder: GatedEncoder, requests: Sequence[Callable[[], FloatArray]], between: Callable[[], None] = lambda: None
) -> list[Future[FloatArray]]:
    """The requests, all of which came while another one was encoded."""
    with ThreadPoolExecutor(len(requests) + 1) as pool:
        pool.submit(encoder.embed_texts, ["first"])
        assert encoder.began.wait(SECONDS)
        made = []
        for i, request in enumerate(requests):
            made.append(pool.submit(request))
            waiting(encoder, i + 1)
        between()
        encoder.gate.set()
    return made


def asking(encoder: FakeEncoder, *texts: str) -> Callable[[], FloatArray]:
    return lambda: encoder.embed_texts(texts)


def test_requests_that_wait_are_encoded_together() -> None:
    encoder, alone = GatedEncoder(), FakeEncoder()
    found = behind_one(encoder, [asking(encoder, f"a {i} dress", "blue") for i in range(15)])
    assert [len(batch) for batch in encoder.batches] == [1, 30]
    for i, each in enumerate(found):
        np.testing.assert_array_equal(each.result(), alone.embed_texts([f"a {i} dress", "blue"]))


def test_batches_are_bounded_and_in_the_order_of_the_requests() -> None:
    encoder = GatedEncoder(batch_size=4)
    behind_one(encoder, [asking(encoder, *(f"{i}.{j}" for j in range(1 + i % 3))) for i in range(7)])
    assert all(len(batch) <= 4 for batch in encoder.batches)
    assert [text for batch in encoder.batches[1:] for text in batch] == [
        f"{i}.{j}" for i in range(7) for j in range(1 + i % 3)
    ]
    assert len(encoder.batches) == 1 + 4


def test_a_long_request_is_encoded_in_parts() -> None:
    encoder = GatedEncoder(batch_size=4)
    encoder.gate.set()
    assert encoder.embed_texts([str(i) for i in range(10)]).shape == (10, 64)
    assert [len(batch) for batch in encoder.batches] == [4, 4, 2]
    assert encoder.embed_texts([]).shape == (0, 64)


@pytest.mark.parametrize(("text", "error"), [("bad", ValueError), ("nothing", ModelUnavailableError)])
def test_an_error_reaches_only_those_whose_texts_fail(text: str, error: type[Exception]) -> None:
    encoder = GatedEncoder()
    good, bad, other = behind_one(encoder, [asking(encoder, "red"), asking(encoder, text), asking(encoder, "blue")])
    assert isinstance(bad.exception(), error)
    np.testing.assert_array_equal(good.result(), FakeEncoder().embed_texts(["red"]))
    np.testing.assert_array_equal(other.result(), FakeEncoder().embed_texts(["blue"]))
    assert not encoder._text_batches._waiting


def test_an_interrupt_of_one_caller_leaves_the_others_their_results() -> None:
    encoder = GatedEncoder()
    real = encoder._text_batch

    def interrupted_once(texts: Sequence[str]) -> FloatArray:
        if len(texts) > 1:
            encoder._text_batch = real  # type: ignore[method-assign]
            raise KeyboardInterrupt
        return real(texts)

    encoder._text_batch = interrupted_once  # type: ignore[method-assign]
    found = behind_one(encoder, [asking(encoder, f"{i}") for i in range(5)])
    outcomes = [type(each.exception()) for each in found]
    assert outcomes.count(KeyboardInterrupt) == 1
    assert outcomes.count(type(None)) == 4
    assert not encoder._text_batches._waiting


def test_whoever_holds_the_models_lock_waits_for_nobody() -> None:
    encoder = GatedEncoder()
    encoder.gate.set()
    with ThreadPoolExecutor(4) as pool, encoder._lock:  # as pseudo words and shared models hold it
        others = [pool.submit(encoder.embed_texts, [f"{i}"]) for i in range(4)]
        waiting(encoder, 4)
        assert encoder.embed_texts(["mine"]).shape == (1, 64)
    assert all(each.result(SECONDS).shape == (1, 64) for each in others)


def test_callers_of_an_event_loop_share_batches() -> None:
    encoder = GatedEncoder()

    async def all_at_once() -> list[FloatArray]:
        calls = [asyncio.to_thread(encoder.embed_texts, [f"{i}"]) for i in range(4)]
        gathered = asyncio.gather(*calls)
        await asyncio.to_thread(waiting, encoder, 3)
        encoder.gate.set()
        return list(await gathered)

    assert len(asyncio.run(all_at_once())) == 4
    assert [len(batch) for batch in encoder.batches] == [1, 3]


@given(st.lists(st.lists(st.text(max_size=4), max_size=9), min_size=1, max_size=12), st.integers(1, 5))
def test_every_caller_gets_the_features_of_its_own_texts(requests: list[list[str]], size: int) -> None:
    encoder, alone = FakeEncoder(batch_size=size), FakeEncoder()
    with ThreadPoolExecutor(len(requests)) as pool:
        found = list(pool.map(encoder.embed_texts, requests))
    for texts, features in zip(requests, found, strict=True):
        np.testing.assert_array_equal(features, alone.embed_texts(texts))
    assert encoder.texts_encoded == sum(map(len, requests))
