"""The circuit breaker of a chat model's server."""

from __future__ import annotations

import pytest

from ipcir_tools.llm import budget, errors


def test_requests_already_sent_do_not_lengthen_the_break():
    breaker = budget.CircuitBreaker()
    for _ in range(2):
        breaker.record(answered=False)
    ends = breaker._open_until
    breaker.record(answered=False)
    assert breaker._open_until == ends > 0
    with pytest.raises(errors.NoReplyError, match="3 times in a row") as raised:
        breaker.check()
    assert 0 < raised.value.retry_after <= budget.BREAK_FOR
