"""What a program gets wrong is told in one line, by a typed error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ipcir_tools import Engine, IPCIRError, Settings, build_agent
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError


def opened(tmp_path) -> Engine:
    return Engine.open(Settings(home=tmp_path))


@pytest.mark.parametrize(
    ("wrong", "error", "says_so"),
    [
        (lambda _: Settings(hom="x"), InvalidRequestError, "there is no setting hom, did you mean home?"),
        (lambda _: Settings(k="banana"), InvalidRequestError, "k: Input should be a valid integer"),
        (lambda _: Engine.open("my-gallery"), InvalidRequestError, "Engine.open takes Settings(home=...), not str."),
        (
            lambda home: build_agent("nope:x", opened(home)),
            ModelUnavailableError,
            "language model nope:x is not available",
        ),
        (
            lambda home: build_agent(None, opened(home)),
            InvalidRequestError,
            "needs a chat model or its name, not NoneType",
        ),
    ],
)
def test_a_wrong_argument_is_one_line(tmp_path, wrong: Callable[[Any], Any], error: type[IPCIRError], says_so: str):
    with pytest.raises(error) as raised:
        wrong(tmp_path)
    assert says_so in str(raised.value)
    assert "\n" not in str(raised.value)
