"""Chat models: one that gives scripted replies, and one that imagines by the rules."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel, Field, PrivateAttr, SkipValidation

from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.chains.imagination.rules.caption import parse_caption
from ipcir_tools.chains.imagination.rules.lexicon import DETERMINERS, PREPOSITIONS
from ipcir_tools.chains.imagination.rules.text import normalise

Reply = str | AIMessage | Exception


class ScriptedChatModel(BaseChatModel):
    """A chat model that gives ``replies`` one after the other, whatever is sent, and raises those that are errors.

    A reply may be a function of the messages so far, for what has to quote them: ids, for one.

    ``received`` holds the messages of every call, ``bound_tools`` what ``bind_tools`` was given, ``schemas`` what
    ``with_structured_output`` was given. A call beyond the last reply raises ``IndexError``.
    """

    replies: SkipValidation[Sequence[Reply | Callable[[list[BaseMessage]], Reply]]]
    model_name: str = "scripted"
    received: list[list[BaseMessage]] = Field(default_factory=list)
    bound_tools: list[list[Any]] = Field(default_factory=list)
    schemas: list[Any] = Field(default_factory=list)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def calls(self) -> int:
        """The number of calls."""
        return len(self.received)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self._lock:
            turn = len(self.received)
            self.received.append(list(messages))
        if turn >= len(self.replies):
            raise IndexError(f"ScriptedChatModel was called {turn + 1} times and has {len(self.replies)} replies")
        scripted = self.replies[turn]
        reply = scripted(messages) if callable(scripted) else scripted
        if isinstance(reply, Exception):
            raise reply
        message = AIMessage(content=reply) if isinstance(reply, str) else reply
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, **kwargs)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Records ``tools``; the replies stay the scripted ones."""
        self.bound_tools.append(list(tools))
        return self.bind(**kwargs)

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Reads the reply's first tool call, or its text as JSON, the way provider packages do.

        A pydantic ``schema`` validates, a dict does not. A reply that is no such thing raises ``ValueError``, or stands
        in ``parsing_error`` with ``include_raw``.
        """
        self.schemas.append(schema)
        if include_raw:
            return self | RunnableLambda(lambda reply: _with_raw(reply, schema))
        return self | RunnableLambda(lambda reply: _structured(reply, schema))


class PretendChatModel(BaseChatModel):
    """A chat model that answers the imagination's prompts out of the rules, to try prompts and chains offline.

    It reads the data blocks of a prompt, answers in JSON where the prompt mentions JSON, keeps to an "at most 30
    words" in it, streams word by word, and counts words as tokens. A ``forgetful`` one remembers only what
    the caption is about: of a long red dress, that it is a dress.
    """

    model_name: str = "pretend"
    forgetful: bool = False

    @property
    def _llm_type(self) -> str:
        return "pretend"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "forgetful": self.forgetful}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = self._reply("\n".join(message.text for message in messages))
        message = AIMessage(text, usage_metadata=_usage(messages, text))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        text = self._reply("\n".join(message.text for message in messages))
        for word in re.findall(r"\S+\s*", text):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
            if run_manager is not None:
                run_manager.on_llm_new_token(word)
        usage = _usage(messages, text)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage, chunk_position="last"))

    def _reply(self, prompt: str) -> str:
        caption = _block(prompt, "caption")
        known = parse_caption(normalise(caption)).noun if self.forgetful else caption
        target = imagine_by_rules(known, _block(prompt, "modification"))
        most = re.search(r"at most (\d+) words", prompt)
        words = _at_most(target.description.split(), int(most[1])) if most else target.description.split()
        if "JSON" not in prompt:
            return " ".join(words)
        lists = {"keep": target.keep, "add": target.add, "remove": target.remove, "alternatives": target.alternatives}
        return json.dumps({"description": " ".join(words), **lists}, ensure_ascii=False)


def _at_most(words: list[str], n: int) -> list[str]:
    """The first words, without what would end in the middle: "a blue dress with"."""
    short = words[:n]
    while len(short) > 1 and len(short) < len(words) and short[-1] in PREPOSITIONS | DETERMINERS | {"and"}:
        short.pop()
    return short


def _block(prompt: str, name: str) -> str:
    """The text in the last pair of tags of that name."""
    found = re.findall(rf"<{name}>\n(.*?)\n</{name}>", prompt, re.DOTALL)
    return str(found[-1]) if found else ""


def _usage(messages: Sequence[BaseMessage], text: str) -> UsageMetadata:
    read, written = sum(len(message.text.split()) for message in messages), len(text.split())
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _structured(reply: AIMessage, schema: Any) -> Any:
    found = reply.tool_calls[0]["args"] if reply.tool_calls else json.loads(reply.text)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema.model_validate(found)
    return found


def _with_raw(reply: AIMessage, schema: Any) -> dict[str, Any]:
    try:
        return {"raw": reply, "parsed": _structured(reply, schema), "parsing_error": None}
    except ValueError as error:  # json's and pydantic's errors both are one
        return {"raw": reply, "parsed": None, "parsing_error": error}
