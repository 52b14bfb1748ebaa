"""The private parts of LangChain that names of chat models depend on: these tests fail when LangChain changes them."""

from __future__ import annotations

from langchain.chat_models import base

from ipcir_tools.fakes import ScriptedChatModel
from ipcir_tools.llm.chat_model import _with_provider


def test_the_providers_that_langchain_knows():
    assert {"openai", "anthropic"} <= set(base._BUILTIN_PROVIDERS)


def test_a_name_at_an_own_address_is_openai_compatible_unless_it_names_a_provider():
    url = "http://127.0.0.1:11434/v1"
    assert _with_provider("llama3.1", url) == "openai:llama3.1"
    assert _with_provider("qwen:7b", url) == "openai:qwen:7b"
    assert _with_provider("anthropic:claude", url) == "anthropic:claude"
    assert _with_provider("llama3.1", None) == "llama3.1"


def test_what_tells_models_apart():
    model = ScriptedChatModel(replies=[])
    assert isinstance(model._get_ls_params(), dict)
    assert isinstance(dict(model._identifying_params), dict)
