"""Chat models of LangChain: set up by name, and what identifies them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.llm.budget import CircuitBreaker
from ipcir_tools.llm.http_clients import bounded_async_client, bounded_client
from ipcir_tools.llm.usage import with_sound_usage
from ipcir_tools.text import one_line, shorten

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ipcir_tools.settings import Settings


_REASONING = re.compile(r"openai:(?:o\d|gpt-5)")
"""They choose their own temperature, and answer 400 to a request that has one; their thoughts count as tokens."""

_OPENAI_CLIENTS = ("openai:", "azure_openai:", "deepseek:", "xai:", "together:")
"""Providers whose integrations are LangChain's for OpenAI with another address, and take an HTTP client of ours."""

MAX_TOKENS = 2048
"""Tokens of a reply at most, where no setting says otherwise; an imagination has about a hundred."""
_TOKEN_LIMITS = ("max_tokens", "max_completion_tokens", "ls_max_tokens")

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
    """All that makes two models give different replies: class, address and parameters.

    No key, no timeout and no limit of tokens: a reply that was cut off is never stored, and any other is the same.
    """
    address = [str(getattr(llm, name)) for name in ("openai_api_base", "base_url") if getattr(llm, name, None)]
    parameters = [llm._identifying_params, dict(llm._get_ls_params())]  # some integrations fill only one of the two
    return {"class": type(llm).__qualname__, "address": address, "parameters": _without_limits(parameters)}


def _without_limits(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_limits(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _without_limits(each) for name, each in value.items() if name not in _TOKEN_LIMITS}
    if not kept.get("extra_body", True):
        del kept["extra_body"]  # it held nothing but the limit
    return kept


def server_address(llm: BaseChatModel) -> str:
    """The base URL of a model's server; empty where the integration does not tell."""
    own = (getattr(llm, name, None) for name in ("openai_api_base", "base_url"))
    client = getattr(getattr(llm, "root_client", None), "base_url", None)
    return str(next((each for each in (*own, client) if each), ""))


def _with_provider(name: str, base_url: str | None) -> str:
    from langchain.chat_models import base

    known = getattr(base, "_BUILTIN_PROVIDERS", {"openai": None})
    prefix = name.split(":", maxsplit=1)[0]
    return name if base_url is None or (":" in name and prefix in known) else f"openai:{name}"


def _options(name: str, settings: Settings) -> dict[str, Any]:
    """Arguments of ``init_chat_model``.

    The client's own timeout leaves a request time to wait at the server behind others of this process; ``Budget``
    holds each to ``llm_timeout``.
    """
    options: dict[str, Any] = {"timeout": settings.llm_timeout * settings.llm_concurrency, "max_retries": 0}
    if not _REASONING.match(name):
        options["temperature"] = 0
    if settings.llm_base_url is not None:
        options["base_url"] = settings.llm_base_url
    if (limit := _token_limit(name, settings)) is not None:
        options |= _limit_option(name, limit, settings.llm_base_url)
    base = settings.llm_base_url
    if name.startswith(_OPENAI_CLIENTS):
        options["http_client"] = bounded_client(base, mend=with_sound_usage)
        options["http_async_client"] = bounded_async_client(base, mend=with_sound_usage)
    if name.startswith("openai:") and base is not None:
        options["use_responses_api"] = False
        options["api_key"] = os.environ.get("OPENAI_API_KEY") or NO_KEY
    return options


def _token_limit(name: str, settings: Settings) -> int | None:
    if settings.llm_max_tokens is not None:
        return settings.llm_max_tokens or None
    return None if _REASONING.match(name) else MAX_TOKENS


def _limit_option(name: str, limit: int, base_url: str | None) -> dict[str, Any]:
    """The limit as the server knows it: LangChain sends OpenAI's ``max_completion_tokens``, servers of others know
    ``max_tokens``, not all of them the new name."""
    others = base_url is not None and name.startswith("openai:") and not _REASONING.match(name)
    return {"extra_body": {"max_tokens": limit}} if others else {"max_tokens": limit}


def unavailable_message(name: str, error: Exception) -> str:
    """Why a chat model is not available, on one line, and how to name one."""
    line = shorten(one_line(str(error).split(". ")[0]).rstrip("."), 200)
    return (
        f"language model {name} is not available: {line}. Name one as PROVIDER:MODEL with its package and key in place "
        "(openai:gpt-4o-mini and OPENAI_API_KEY), give the base URL of an OpenAI-compatible server "
        "(--llm-base-url, IPCIR_LLM_BASE_URL), or name none: then the rules imagine the target"
    )
