"""The retry policy and the errors that it repeats."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from ipcir_tools.llm import retries
from ipcir_tools.llm.errors import is_transient, masked_line, retry_after, status_code


class ServerError(Exception):
    """An error of a client, with a status code and headers."""

    def __init__(self, status: int | None, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.response = SimpleNamespace(status_code=status, headers=headers)


def run(error: Exception, failures: int, *, attempts: int = 3, left: float = 60.0) -> int:
    """The number of calls of something that fails ``failures`` times and then succeeds."""
    calls = 0
    for attempt in retries.retrying(attempts, lambda: left):
        with attempt:
            calls += 1
            if calls <= failures:
                raise error
    return calls


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.004)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_a_transient_error_is_tried_again(status):
    assert is_transient(ServerError(status))
    assert run(ServerError(status), 2) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, None])
def test_any_other_error_is_raised_at_once(status):
    with pytest.raises(ServerError):
        run(ServerError(status), 1)


def test_the_last_error_is_raised_as_it_is():
    error = ServerError(500)
    with pytest.raises(ServerError) as raised:
        run(error, 3)
    assert raised.value is error


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_busy_server_is_tried_for_as_long_as_there_is_time(status):
    assert run(ServerError(status), 12) == 13


def test_an_account_with_nothing_left_is_not_waited_for():
    error = ServerError(429)
    error.code = "insufficient_quota"  # type: ignore[attr-defined]
    assert not is_transient(error)
    with pytest.raises(ServerError):
        run(error, 1)


def test_a_pause_beyond_the_deadline_is_not_waited_for():
    assert run(ServerError(429, **{"retry-after": "0.01"}), 1) == 2
    with pytest.raises(ServerError):
        run(ServerError(429, **{"retry-after": "30"}), 1, left=10.0)


def test_leaving_a_generator_ends_the_attempts():
    """tenacity's context manager takes every exception for an attempt's, that of a closed generator too."""

    def steps():
        for attempt in retries.retrying(3, lambda: 60.0):
            with attempt:
                yield 1
                return 2

    generator = steps()
    assert next(generator) == 1
    generator.close()
    assert list(steps()) == [1]


def test_status_and_pause_of_errors_without_them():
    assert status_code(ValueError()) is None
    assert retry_after(ValueError()) == 0
    assert retry_after(ServerError(429, **{"retry-after": "Wed, 21 Oct"})) == 0
    assert retry_after(ServerError(429, **{"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})) == 0
    assert retry_after(ServerError(429, **{"retry-after": "Fri, 21 Oct 2999 07:28:00 GMT"})) > 60
    assert retry_after(ServerError(429, **{"retry-after": "inf"})) == 0


@pytest.mark.parametrize(
    "text",
    ["key hush-1 is wrong", "http://user:hush@host/v1", "Bearer hush", "Incorrect API key: sk-hush0123456789"],
)
def test_secrets_are_masked(text):
    line = masked_line(ValueError(f"first\n{text}"), ["hush-1"])
    assert "hush" not in line
    assert re.match(r"first .*\*\*\*", line)


def test_a_long_error_is_shortened_after_its_secrets_were_masked():
    line = masked_line(ValueError("x" * 195 + "hush-hush"), ["hush-hush"])
    assert "hush" not in line
    assert len(line) <= 200
