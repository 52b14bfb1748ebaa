"""Chat models of LangChain: set up by name, and what identifies them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.llm.budget import CircuitBreaker
from ipcir_tools.text import one_line, shorten

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ipcir_tools.settings import Settings


_OWN_TEMPERATURE = re.compile(r"openai:(?:o\d|gpt-5)")
"""Reasoning models choose their own temperature, and answer 400 to a request that has one."""

NO_KEY = "no-key"
"""Sent to the user's own server where no key is set: the client requires one, local servers do not."""


@dataclass(frozen=True)
class NamedChatModel:
    """A chat model with its name and the circuit breaker of its server."""

    llm: BaseChatModel
    name: str
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)


def model_name(llm: BaseChatModel) -> str:
    """The name of a model: ``openai:gpt-4o-mini``."""
    params = llm._get_ls_params()
    parts = (params.get("ls_provider"), params.get("ls_model_name"))
    return ":".join(part for part in parts if part) or type(llm).__name__


def langchain_chat_model(name: str, settings: Settings) -> BaseChatModel:
    """The chat model of that name by LangChain's ``init_chat_model``. No request is sent here.

    With ``settings.llm_base_url`` a name without a known provider (``qwen3:8b``) means an OpenAI-compatible server
    with Chat Completions: few of them support the Responses API. The client itself never retries; ``ChatClient``
    does, within its budget. Raises ``ModelUnavailableError`` for an unknown provider, a missing package or a missing
    key.
    """
    from langchain.chat_models import init_chat_model

    full_name = _with_provider(name, settings.llm_base_url)
    try:
        model: BaseChatModel = init_chat_model(full_name, **_options(full_name, settings))
    except Exception as error:  # every integration raises its own types for a bad name, key or option
        raise ModelUnavailableError(unavailable_message(full_name, error)) from error
    return model


def model_identity(llm: BaseChatModel) -> dict[str, Any]:
    """All that makes two models give different replies: class, address and parameters; no key and no timeout."""
    address = [str(getattr(llm, name)) for name in ("openai_api_base", "base_url") if getattr(llm, name, None)]
    parameters = [llm._identifying_params, llm._get_ls_params()]  # some integrations fill only one of the two
    return {"class": type(llm).__qualname__, "address": address, "parameters": parameters}


def _with_provider(name: str, base_url: str | None) -> str:
    from langchain.chat_models import base

    known = getattr(base, "_BUILTIN_PROVIDERS", {"openai": None})
    prefix = name.split(":", maxsplit=1)[0]
    return name if base_url is None or (":" in name and prefix in known) else f"openai:{name}"


def _options(name: str, settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"timeout": settings.llm_timeout, "max_retries": 0}
    if not _OWN_TEMPERATURE.match(name):
        options["temperature"] = 0
    if settings.llm_base_url is None:
        return options
    options["base_url"] = settings.llm_base_url
    if name.startswith("openai:"):
        options["use_responses_api"] = False
        options["api_key"] = os.environ.get("OPENAI_API_KEY") or NO_KEY
    return options


def unavailable_message(name: str, error: Exception) -> str:
    """Why a chat model is not available, on one line, and how to name one."""
    line = shorten(one_line(str(error).split(". ")[0]).rstrip("."), 200)
    return (
        f"language model {name} is not available: {line}. Name one as PROVIDER:MODEL with its package and key in place "
        "(openai:gpt-4o-mini and OPENAI_API_KEY), give the base URL of an OpenAI-compatible server "
        "(IPCIR_LLM_BASE_URL), or name none: then the rules imagine the target"
    )
