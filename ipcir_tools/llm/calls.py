"""A call of a chat model as part of something else, such as an agent: in line, within a time, and tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.retries import retrying
from ipcir_tools.llm.slots import slots_of
from ipcir_tools.llm.timeouts import call_within

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_T = TypeVar("_T")


def call_model(llm: BaseChatModel, call: Callable[[], _T], seconds: float) -> _T:
    """``call()``, which calls ``llm``, in at most ``seconds``: a server that is busy or loads its model is waited for.

    Raises DeadlineExceededError, and what the last attempt raised.
    """
    budget, slots = Budget(seconds), slots_of(llm)
    for attempt in retrying(budget.attempts, budget.left):
        with attempt, slots.slot(budget) as slot:

            def answer() -> _T:
                with slots.answering(slot):
                    return call()

            return call_within(budget.start_call(), answer, budget.left)
    raise AssertionError("the last attempt returns or raises")
