"""Requests that wait for a model share its next batch of texts, so that many callers cost little more than one.

There is no thread of its own: one of those that wait takes the model's lock and encodes for all. Whoever holds that
lock already, or finds it free, encodes at once, so that nobody waits for another while holding it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from ipcir_tools.types import FloatArray


class _Request:
    """The texts of one caller, and what came of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.features: FloatArray | None = None
        self.error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.features is not None or self.error is not None

    def result(self) -> FloatArray:
        if self.error is not None:
            raise self.error
        assert self.features is not None
        return self.features


class TextBatches:
    """Encodes texts in batches of at most ``size``, those of waiting callers together. Safe for many threads.

    ``embed`` gives checked features ``[b, d]`` of 1 to ``size`` texts and is called under ``lock``. What it raises for
    a batch of several callers is raised to none of them: each of them has its own texts encoded alone.
    """

    def __init__(
        self, embed: Callable[[Sequence[str]], FloatArray], lock: threading.RLock, size: Callable[[], int]
    ) -> None:
        self._embed, self._lock, self._size = embed, lock, size
        self._waiting: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._has_next = False
        """Whether one of those that wait is the next to take the lock."""

    def features(self, texts: Sequence[str]) -> FloatArray:
        """The features ``[b, d]`` of 1 to ``size`` texts."""
        own = _Request(texts)
        with self._changed:
            self._waiting.append(own)
        if self._lock.acquire(blocking=False):  # it is free, or this thread's already
            try:
                self._encode_until(own)
            finally:
                self._lock.release()
        elif self._is_next(own):
            try:
                with self._lock:
                    self._encode_until(own)
            finally:
                with self._changed:
                    self._has_next = False
                    self._changed.notify_all()
        return own.result()

    def _is_next(self, own: _Request) -> bool:
        """Wait for the result, or until this caller is the one to wait for the lock."""
        with self._changed:
            while not own.done:
                if not self._has_next:
                    self._has_next = True
                    return True
                self._changed.wait()
            return False

    def _encode_until(self, own: _Request) -> None:
        """Encode what waits, in its order, until ``own`` is done. The lock is held."""
        while not own.done:
            batch = self._next_batch()
            try:
                self._encode(batch)
            finally:
                with self._changed:  # an interrupt of this caller leaves the others waiting for whoever is next
                    self._waiting.extendleft(each for each in reversed(batch) if not each.done and each is not own)
                    self._changed.notify_all()

    def _next_batch(self) -> list[_Request]:
        """As many of those that wait as fit into one batch, one at least."""
        with self._changed:
            batch = [self._waiting.popleft()]
            left = self._size() - len(batch[0].texts)
            while self._waiting and len(self._waiting[0].texts) <= left:
                batch.append(self._waiting.popleft())
                left -= len(batch[-1].texts)
            return batch

    def _encode(self, batch: Sequence[_Request]) -> None:
        try:
            self._give(batch, self._embed([text for each in batch for text in each.texts]))
        except Exception as error:  # noqa: BLE001 - a model raises anything; it is raised to whom it concerns
            if len(batch) == 1:
                batch[0].error = error
            for each in batch if len(batch) > 1 else ():
                self._encode([each])

    @staticmethod
    def _give(batch: Sequence[_Request], features: FloatArray) -> None:
        parts = np.split(features, np.cumsum([len(each.texts) for each in batch])[:-1])
        for each, part in zip(batch, parts, strict=True):
            each.features = part.copy() if len(batch) > 1 else part  # one text does not hold the others in memory
