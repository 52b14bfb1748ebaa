"""Stand-ins for the models, for tests: yours and ours. No weights, no network, the same on every run.

::

    encoder = FakeEncoder()
    squares = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    encoder.embed_texts(["a blue square"]) @ encoder.embed_images(squares).T       # blue is nearer
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from PIL.Image import Resampling
from pydantic import BaseModel, Field, PrivateAttr, SkipValidation

from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.models.captioner import EMPTY, BatchCaptioner
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image


COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "orange": (255, 150, 0),
    "yellow": (255, 255, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "purple": (128, 0, 128),
    "pink": (255, 170, 190),
    "brown": (130, 70, 30),
}
"""The colour words that ``FakeEncoder`` knows, as red, green, blue."""

_PALETTE = np.array(list(COLOURS.values()), dtype=np.float64)
_SOFTNESS = 60.0  # distance in RGB at which a colour still counts as much the named one
_LAYOUT = 0.15  # weight of the layout against the colour: enough to tell pictures apart, too little to outvote it
_OTHER_WORD = 0.3  # weight of a word that is no colour


class FakeEncoder(Encoder):
    """A space with real geometry: the word of a colour is near pictures in that colour.

    One axis per colour of ``COLOURS``, 16 for a picture's layout (a 4 x 4 grey thumbnail), the rest for all
    other words, each in a direction of its own. ``images_encoded`` and ``texts_encoded`` count the inputs.
    """

    def __init__(self, name: str = "fake:colours", *, dim: int = 64, batch_size: int = 64) -> None:
        if dim < len(COLOURS) + 16 + 8:
            raise ValueError(f"dim must be at least {len(COLOURS) + 16 + 8}")
        super().__init__(name=name, space=f"{name}/{dim}d-00000000", dim=dim, batch_size=batch_size)
        self.images_encoded = 0
        self.texts_encoded = 0

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        self.images_encoded += len(images)
        return np.stack([self._image(image) for image in images])

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        self.texts_encoded += len(texts)
        return np.stack([self._text(text) for text in texts])

    def _image(self, image: Image.Image) -> FloatArray:
        feature = np.zeros(self.dim, dtype=np.float32)
        feature[: len(COLOURS)] = _likeness(image)
        grey = np.asarray(image.convert("L").resize((4, 4)), dtype=np.float32).ravel() / 255
        feature[len(COLOURS) : len(COLOURS) + 16] = _LAYOUT * (grey - grey.mean())
        return feature

    def _text(self, text: str) -> FloatArray:
        feature = np.zeros(self.dim, dtype=np.float32)
        for word in re.findall(r"\w+", text.lower()) or [""]:
            word = "grey" if word == "gray" else word
            if word in COLOURS:
                feature[list(COLOURS).index(word)] += 1
            else:
                feature[len(COLOURS) + 16 :] += _OTHER_WORD * _direction(word, self.dim - len(COLOURS) - 16)
        return feature


def _likeness(image: Image.Image) -> FloatArray:
    """How much of each of ``COLOURS`` the picture shows: ``[11]``, unit norm."""
    pixels = np.asarray(image.convert("RGB").resize((16, 16), Resampling.BOX), dtype=np.float64).reshape(-1, 1, 3)
    distances = (np.linalg.norm(pixels - _PALETTE, axis=2) / _SOFTNESS) ** 2
    shares = np.exp(distances.min(axis=1, keepdims=True) - distances)
    colours = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return np.asarray(colours / np.linalg.norm(colours), dtype=np.float32)


def _direction(word: str, dim: int) -> FloatArray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    direction = np.random.default_rng(seed).standard_normal(dim)
    return np.asarray(direction / np.linalg.norm(direction), dtype=np.float32)


def colour_name(image: Image.Image) -> str:
    """The word of ``COLOURS`` that the picture shows most of."""
    return list(COLOURS)[int(np.argmax(_likeness(image)))]


class ScriptedCaptioner(BatchCaptioner):
    """Gives scripted captions: by a function of the picture, or captions by the name of its main colour.

    Without either it names the colour: ``a red picture``. A colour that the mapping lacks gets ``a picture``.
    ``images_captioned`` counts.
    """

    def __init__(
        self,
        captions: Mapping[str, str] | Callable[[Image.Image], str] | None = None,
        *,
        id: str = "scripted:captions/00000000",
        batch_size: int = 16,
    ) -> None:
        super().__init__(id=id, batch_size=batch_size)
        self._captions = captions
        self.images_captioned = 0

    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        self.images_captioned += len(images)
        return [[self._caption(image)] * n for image in images]

    def _caption(self, image: Image.Image) -> str:
        if callable(self._captions):
            return self._captions(image)
        colour = colour_name(image)
        return f"a {colour} picture" if self._captions is None else self._captions.get(colour, EMPTY)


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
    words" in it, streams word by word, and counts words as tokens. A ``forgetful`` one drops the caption.
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
        target = imagine_by_rules("" if self.forgetful else _block(prompt, "caption"), _block(prompt, "modification"))
        most = re.search(r"at most (\d+) words", prompt)
        words = target.description.split()[: int(most[1]) if most else None]
        if "JSON" not in prompt:
            return " ".join(words)
        lists = {"keep": target.keep, "add": target.add, "remove": target.remove, "alternatives": target.alternatives}
        return json.dumps({"description": " ".join(words), **lists}, ensure_ascii=False)


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
