"""One retry policy for every server that a model runs on, with tenacity."""

from __future__ import annotations

import random
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception

from ipcir_tools.llm.errors import is_transient, retry_after

FIRST_PAUSE = 0.25
"""Seconds before the second attempt, doubled before each later one, and jittered by half."""


def retrying(
    attempts: int, seconds_left: Callable[[], float], retry: Callable[[BaseException], bool] = is_transient
) -> Retrying:
    """Attempts at one request: ``for attempt in retrying(...): with attempt: ...``. The last error is raised as it is.

    ``retry`` decides which errors are transient. Stricter than tenacity's own waiting: a server's Retry-After is
    honoured, and where the pause would end after the deadline, the error is raised at once rather than slept over.
    """
    return Retrying(
        retry=retry_if_exception(retry),
        wait=_pause,
        stop=lambda state: state.attempt_number >= attempts or state.upcoming_sleep >= seconds_left(),
        reraise=True,
    )


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    requested = retry_after(error) if error else 0.0
    pause: float = FIRST_PAUSE * 2 ** (state.attempt_number - 1) * random.uniform(0.5, 1.5)
    return max(requested, pause)
