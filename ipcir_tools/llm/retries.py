"""One retry policy for every server that a model runs on, with tenacity."""

from __future__ import annotations

import random
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception

from ipcir_tools.llm.errors import is_busy, is_transient, retry_after
from ipcir_tools.work import sleep

FIRST_PAUSE = 0.25
"""Seconds before the second attempt, doubled before each later one, and jittered by half."""
LONGEST_PAUSE = 2.0
"""Seconds at most between two attempts, before the jitter, where the server names none."""


def retrying(
    attempts: int,
    seconds_left: Callable[[], float],
    retry: Callable[[BaseException], bool] = is_transient,
    waiting: Callable[[BaseException], None] = lambda error: None,
) -> Retrying:
    """Attempts at one request: ``for attempt in retrying(...): with attempt: ...``. The last error is raised as it is.

    ``retry`` decides which errors are transient. A server that is busy or still loads its model is tried again for as
    long as there is time, unless a caller wants one attempt only; ``waiting`` is told of each of its errors. Stricter
    than tenacity's own waiting: a server's Retry-After is honoured, and where the pause would end after the deadline,
    the error is raised at once rather than slept over.
    """

    def stop(state: RetryCallState) -> bool:
        busy = attempts > 1 and is_busy(_error(state))
        return (not busy and state.attempt_number >= attempts) or state.upcoming_sleep >= seconds_left()

    def before_sleep(state: RetryCallState) -> None:
        if is_busy(error := _error(state)):
            waiting(error)

    return Retrying(
        retry=retry_if_exception(retry), wait=_pause, stop=stop, before_sleep=before_sleep, sleep=sleep, reraise=True
    )


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or Exception()


def _pause(state: RetryCallState) -> float:
    requested = retry_after(_error(state))
    pause: float = min(FIRST_PAUSE * 2 ** min(state.attempt_number - 1, 16), LONGEST_PAUSE) * random.uniform(0.5, 1.5)
    return max(requested, pause)
