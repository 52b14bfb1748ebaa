"""Captions by a chat model that takes pictures."""

from __future__ import annotations

import base64
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.images.thumbnails import encode_jpeg
from ipcir_tools.models.captioner import Captioner, Said, clean
from ipcir_tools.text import error_sentence

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from PIL import Image


CHAT_PROMPT = (
    "Describe this picture in one plain English sentence of at most 25 words: what it shows, with colours, materials "
    "and details that tell it from similar pictures. Reply with the sentence alone."
)
CHAT_PIXELS = 512
"""Longest side of the JPEG that a chat model is sent."""


# ---- chat models -------------------------------------------------------------------------------------
class ChatCaptioner(Captioner):
    """A LangChain chat model that takes images, asked ``batch_size`` questions at a time, one for each caption."""

    def __init__(self, model: BaseChatModel, *, id: str, batch_size: int = 16) -> None:
        super().__init__(id=id, device="remote", dtype="remote", batch_size=batch_size)
        self._model = model

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[Said]:
        """Each caption as its reply comes in."""
        questions = [_question(crop_extreme(image)) for image in images]
        places = [place for place in range(len(images)) for _ in range(n)]
        config: Any = {"max_concurrency": self.batch_size, "run_name": "caption"}
        asked = [[questions[place]] for place in places]
        replies = self._model.batch_as_completed(asked, config, return_exceptions=True)
        for i, reply in replies:
            yield [(places[i], self._heard(reply))]

    def _heard(self, reply: BaseMessage | Exception) -> list[str] | ModelUnavailableError:
        self.spent["calls"] += 1
        if isinstance(reply, Exception):  # every provider raises its own classes
            failure = ModelUnavailableError(f"The captioner {self.id} failed: {error_sentence(reply)}")
            failure.__cause__ = reply
            return failure
        usage = getattr(reply, "usage_metadata", None) or {}
        for kind in ("input_tokens", "output_tokens"):
            self.spent[kind] += usage.get(kind, 0)
        return [clean(str(reply.text))]


def _question(image: Image.Image) -> BaseMessage:
    from langchain_core.messages import HumanMessage

    jpeg = base64.b64encode(encode_jpeg(image, CHAT_PIXELS, quality=90)).decode("ascii")
    picture = {"type": "image", "base64": jpeg, "mime_type": "image/jpeg"}
    return HumanMessage(content=[{"type": "text", "text": CHAT_PROMPT}, picture])


def _chat_model(name: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    try:
        model: BaseChatModel = init_chat_model(name)
    except Exception as error:  # missing packages, unknown providers, missing keys: each its own class
        raise ModelUnavailableError(f"Cannot set up the chat model {name}: {error_sentence(error)}") from error
    return model
