"""``chat:PROVIDER:MODEL``: captions by a chat model that takes images. The images are sent to that provider."""

from __future__ import annotations

import base64
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.images.thumbnails import encode_jpeg
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.reply_text import unwrap
from ipcir_tools.models.caption_text import caption_fault
from ipcir_tools.models.captioner import CaptionBatch, Captioner, NoCaptionError, clean
from ipcir_tools.models.loading import load_chat_model
from ipcir_tools.text import error_sentence, json_digest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from PIL import Image

    from ipcir_tools.settings import Settings


CHAT_PROMPT = (
    "Describe this picture in one plain English sentence of at most 25 words: what it shows, with colours, materials "
    "and details that tell it from similar pictures. Reply with the sentence alone."
)
CHAT_PIXELS = 512
"""Longest side of the JPEG that a chat model is sent."""

Result = tuple[list[str] | ModelUnavailableError, Budget]


class ChatCaptioner(Captioner):
    """A LangChain chat model with one request for each caption, ``llm_concurrency`` of them at a time.

    Base URL, temperature and timeout are those of every chat model (``llm_base_url``, ``llm_timeout``); a caption may
    take the timeout in all, retries included, and after unanswered requests in a row the circuit breaker opens.
    """

    def __init__(self, name: str, settings: Settings, llm: BaseChatModel | None = None) -> None:
        id = self.identify(name, settings)
        super().__init__(id=id, device="remote", dtype="remote", batch_size=settings.batch_size)
        self._client = ChatClient(llm or load_chat_model(name, settings), None)
        self._timeout = settings.llm_timeout
        self._concurrency = settings.llm_concurrency

    @staticmethod
    def identify(name: str, settings: Settings) -> str:
        """``chat:NAME/DIGEST``, the digest over the prompt, the size of the image and the base URL."""
        parts = [CHAT_PROMPT, CHAT_PIXELS, *filter(None, [settings.llm_base_url])]
        return f"chat:{name}/{json_digest(parts)[:8]}"

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[CaptionBatch]:
        """Each caption as soon as its reply is received."""
        messages = [_message(crop_extreme(image)) for image in images]
        indices = [index for index in range(len(images)) for _ in range(n)]
        config: RunnableConfig = {"max_concurrency": self._concurrency, "run_name": "caption"}
        calls = RunnableLambda(self._caption).batch_as_completed([messages[index] for index in indices], config)
        for i, (captions, budget) in calls:
            self._count(budget)
            yield [(indices[i], captions)]

    def _caption(self, message: BaseMessage, config: RunnableConfig) -> Result:
        budget = Budget(self._timeout)
        try:
            answer = self._client.ask([message], config, budget)
        except NoReplyError as error:
            failure = ModelUnavailableError(f"The captioner {self.id} failed: {error_sentence(error)}")
            failure.__cause__ = error
            return failure, budget
        text = unwrap(answer.text)
        if fault := caption_fault(text, CHAT_PROMPT):
            return NoCaptionError(f"The captioner {self.id} gave no caption: it answered with {fault}."), budget
        return [clean(text)], budget

    def _count(self, budget: Budget) -> None:
        self.spend("calls", budget.calls)
        self.spend("input_tokens", budget.input_tokens)
        self.spend("output_tokens", budget.output_tokens)


def _message(image: Image.Image) -> BaseMessage:
    data = base64.b64encode(encode_jpeg(image, CHAT_PIXELS, quality=90)).decode("ascii")
    picture = {"type": "image", "base64": data, "mime_type": "image/jpeg"}
    return HumanMessage(content=[{"type": "text", "text": CHAT_PROMPT}, picture])
