"""The run-time context of a dialogue: what a run may choose, beside its input."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.runtime import get_runtime
from typing_extensions import TypedDict

from ipcir_tools.agents.dialogue.user_input import check_input
from ipcir_tools.chains.imagination.chain import LLM_FIELD, PROMPT_FIELD
from ipcir_tools.engine.validation import check_options
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.search_options import SearchOptions


class DialogueContext(TypedDict, total=False):
    """What a run may choose: ``dialogue.invoke(input, thread, context={"k": 5, "ask": False})``.

    What is left out is as the graph was built, or as the turn before.
    """

    ask: bool
    """Whether an unclear round asks one question."""
    k: int
    """How many hits; an input's own ``k`` goes before it."""
    weight: float
    composer: str
    verify: int | str
    rerank: int
    """The same fields of :class:`SearchOptions`."""
    llm: str
    """The chat model that imagines and asks, as PROVIDER:MODEL, or ``rules``."""
    prompt: str
    """Id of the prompt that asks for the imagination."""


_OPTIONS = ("k", "weight", "composer", "verify", "rerank")
_MODELS = {"llm": LLM_FIELD, "prompt": PROMPT_FIELD}


def run_context() -> dict[str, Any]:
    """The context of the current run; empty without one. Raises InvalidRequestError for an unknown field."""
    context = dict(get_runtime(DialogueContext).context or {})
    if unknown := context.keys() - DialogueContext.__annotations__.keys():
        fields = ", ".join(DialogueContext.__annotations__)
        raise InvalidRequestError(f"The context has no field {min(unknown)!r}: there are {fields}.")
    check_input(context, context)
    return {name: value for name, value in context.items() if value is not None}


def context_options() -> SearchOptions:
    """The options for searches in the context of the current run. Raises InvalidRequestError for a wrong one."""
    context = run_context()
    options = SearchOptions(**{name: context[name] for name in _OPTIONS if name in context})
    check_options(options)
    return options


def with_models(config: RunnableConfig) -> RunnableConfig:
    """``config`` with the model and the prompt of the context, as the chains take them."""
    context = run_context()
    chosen = {field: context[name] for name, field in _MODELS.items() if name in context}
    return merge_configs(config, {"configurable": chosen}) if chosen else config
