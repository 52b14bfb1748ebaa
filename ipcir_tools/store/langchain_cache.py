"""LangChain's cache of model replies, stored in the catalog beside the package's own replies."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, AIMessageChunk, ChatMessage, ChatMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk
from pydantic import BaseModel

from ipcir_tools.text import json_digest
from ipcir_tools.types import Reply

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from ipcir_tools.store.replies import StoredReplies


KIND = "llm"
"""The kind of the replies in this cache."""

_ALLOWED = (
    *(Generation, GenerationChunk, ChatGeneration, ChatGenerationChunk),
    *(AIMessage, AIMessageChunk, ChatMessage, ChatMessageChunk),
)
"""All that a reply is made of: a row can name nothing else, so no row can run code or read a secret."""
_loads = inspect.unwrap(loads)  # the wrapper only warns every user of the cache that it is beta

_RANDOM_ID = re.compile(r'"id": "lc_[0-9a-f-]{36}"')
"""Random ids that LangChain gives content blocks. In a user's text the quotes would be escaped."""
_MODEL_NAME = re.compile(r"""["']model(?:_name|_id)?["'](?::|,) ["']([^"']+)["']""")


class CatalogCache(BaseCache):
    """LangChain's cache over a catalog: for all models by ``set_llm_cache(engine.cache)``, or for one by ``cache=``.

    ::

        model = init_chat_model("openai:gpt-5-mini", cache=engine.cache)

    Replies are stored under a hash of the whole prompt and the model's parameters, for every process that opens the
    catalog; ``ipcir cache`` shows them. Like every cache of LangChain:

    - **Accounting.** A hit carries the tokens of the call that made it, in ``usage_metadata`` unchanged, with
      ``total_cost: 0`` added, and that alone where the server gave no account; the key is the one mark of a hit.
      Whatever sums up ``usage_metadata``, as ``get_usage_metadata_callback`` does, counts the tokens of a hit once
      more though nothing was spent. What was spent is in the catalog: one call and its tokens for each reply, without
      the retries that a client makes by itself.
    - ``invoke``, ``batch`` and their async twins look replies up and store them; ``stream`` of a model that can stream
      does neither. Equal questions that are asked at the same time are not joined.
    - A model with structured output by a pydantic class is known by the class's name, not by its fields: after a
      change to them clear the cache, or old replies will not fit.

    Of this cache alone:

    - A hit is a message of its own and comes without an id; LangGraph, which takes two messages of one id for one,
      gives it another. A provider's ``response_metadata`` stays.
    - A row that cannot be read is a miss, and the next reply replaces it. A reply that could not be read back is not
      stored.
    - Where the database itself cannot be used, CatalogError is raised.
    """

    def __init__(self, catalog: StoredReplies) -> None:
        self._catalog = catalog

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """The stored generations for this prompt and these parameters of a model; None where there are none."""
        try:
            kept = self._catalog.reply(_key(prompt, llm_string))
        except ValueError:  # a row that is no Reply
            return None
        return None if kept is None else _revived(kept.text)

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Store generations, in place of earlier ones."""
        text = "[" + ", ".join(dumps(_portable(each)) for each in return_val) + "]"
        if _revived(text) is None:
            return
        messages = [each.message for each in return_val if isinstance(each, ChatGeneration)]
        spent: dict[str, int] = next(
            (usage for each in messages if (usage := getattr(each, "usage_metadata", None))), {}
        )
        reply = Reply(
            text=text,
            kind=KIND,
            model=_model(messages, llm_string),
            calls=1,
            input_tokens=spent.get("input_tokens", 0),
            output_tokens=spent.get("output_tokens", 0),
            created=datetime.now(UTC).isoformat(),
        )
        self._catalog.put_reply(_key(prompt, llm_string), reply)

    def clear(self, **kwargs: Any) -> None:
        """Delete all replies of this cache; the catalog's other replies stay. Takes no arguments."""
        if kwargs:
            raise TypeError(f"clear() takes no arguments, not {', '.join(kwargs)}: see Catalog.forget_replies")
        self._catalog.forget_replies(kind=KIND)


def reply_content(text: str) -> str:
    """The content of a stored reply, for people: its text and its tool calls. Any other text is returned as it is."""
    try:
        each = [_content(generation["kwargs"]) for generation in json.loads(text)]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return text
    return "\n".join(each)


def _content(generation: dict[str, Any]) -> str:
    calls = generation.get("message", {"kwargs": {}})["kwargs"].get("tool_calls", [])
    called = [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False)})" for call in calls]
    return "\n".join(filter(None, [generation["text"], *called]))


def _key(prompt: str, llm_string: str) -> str:
    same = _RANDOM_ID.sub('"id": null', prompt)
    return json_digest([same, llm_string])


def _portable(generation: Generation) -> Generation:
    """A generation that can be read back any number of times: its message without an id, its parts plain data."""
    if not isinstance(generation, ChatGeneration):
        return generation
    message = generation.message
    extras = dict(message.additional_kwargs)
    if isinstance(parsed := extras.get("parsed"), BaseModel):
        extras["parsed"] = parsed.model_dump(mode="json")  # LangChain makes the class of it again
    plain = message.model_copy(update={"id": None, "additional_kwargs": extras})
    return generation.model_copy(update={"message": plain})


def _revived(text: str) -> list[Generation] | None:
    try:
        found = _loads(text, allowed_objects=_ALLOWED)
    except Exception:  # noqa: BLE001 - a constructor may raise anything for a foreign row, and it is a miss
        return None
    is_reply = isinstance(found, list) and all(isinstance(each, Generation) for each in found)
    return found if is_reply else None


def _model(messages: list[BaseMessage], llm_string: str) -> str:
    """The model's name by its response, else by its parameters; empty where neither has one."""
    names = (message.response_metadata.get(name) for message in messages for name in ("model_name", "model"))
    found = _MODEL_NAME.search(llm_string)
    return str(next(filter(None, names), None) or (found[1] if found else ""))
