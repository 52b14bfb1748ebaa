"""One prompt and the vision model that looks at hits on a numbered sheet: images, messages, reply, repair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.reranking.judgements import Numbered
from ipcir_tools.chains.reranking.results import RerankResult, SheetRequest
from ipcir_tools.images.contact_sheet import draw_choices
from ipcir_tools.images.thumbnails import image_uri
from ipcir_tools.llm.budget import Budget, CircuitBreaker
from ipcir_tools.llm.chat_model import model_name
from ipcir_tools.llm.client import Answer, ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.prompt_text import PromptText
from ipcir_tools.llm.reply_store import new_reply, reply_key
from ipcir_tools.llm.reply_text import is_refusal, unwrap
from ipcir_tools.llm.tracing import model_call_config
from ipcir_tools.prompts import Prompt
from ipcir_tools.prompts.limits import QUOTED_REPLY_CHARS, REFERENCE_SIDE
from ipcir_tools.text import error_line, sanitize, unquote
from ipcir_tools.types import Hit, Reply

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from PIL import Image

    from ipcir_tools.llm.reply_store import ReplyStore


ORDER_UNCHANGED = "the order of the hits stayed as it was"
QUOTED_REFUSAL_CHARS = 120
"""Characters of a refusal in a warning."""
LAYOUT = 1
"""Version of the layout of the sheets, a part of the reply key: raise it when sheets are drawn differently."""

R = TypeVar("R", bound=SheetRequest)
T = TypeVar("T")


class SheetReader(ABC, Generic[R, T]):
    """One prompt, the model that answers it with something about each numbered hit, and its stored replies.

    A subclass renders its request and parses the reply. Thread-safe.
    """

    kind: ClassVar[str]
    """Under which replies are stored and calls are traced."""
    answer: ClassVar[str]
    """What a usable reply holds, for the repair request and for warnings: "judgement"."""

    def __init__(
        self, llm: BaseChatModel, breaker: CircuitBreaker, prompt: Prompt, timeout: float, replies: ReplyStore | None
    ) -> None:
        self._llm = llm
        self._prompt = prompt
        self._timeout = timeout
        self._replies = replies
        self._client = ChatClient(llm, prompt.reply_schema, breaker)
        self._own_text = PromptText(prompt)

    @abstractmethod
    def values(self, request: R) -> dict[str, str]:
        """The values of the prompt's variables."""

    @abstractmethod
    def parse(self, text: str, numbers: Iterable[int], request: R) -> Numbered[T]:
        """What a reply says of the pictures with these numbers."""

    @abstractmethod
    def ordered(self, hits: Sequence[Hit], by_number: Mapping[int, T]) -> tuple[Hit, ...]:
        """The hits in the order that follows, with new ranks."""

    def _read(self, text: str, numbers: Iterable[int], request: R) -> Numbered[T]:
        """``parse``; nothing of a reply that is the example of the prompt."""
        return Numbered({}) if self._own_text.lists(text) else self.parse(text, numbers, request)

    def rerank(self, request: R, config: RunnableConfig) -> RerankResult:
        """The hits in their new order, or unchanged with a warning."""
        if len(request.hits) < 2:
            return RerankResult(request.hits)
        key = self._key(request)
        stored = self._replies.reply(key) if self._replies is not None else None
        if self._replies is not None and stored is not None:
            found = self._read(stored.text, range(1, len(request.hits) + 1), request)
            if found.by_number:
                return self._result(request, found, stored)
            self._replies.forget_reply(key)  # stored by a version that parsed replies differently
        budget = Budget(self._timeout)
        try:
            return self._ask(request, key, budget, config)
        except NoReplyError as failure:
            return unchanged(request, str(failure), budget.calls)

    def _ask(self, request: R, key: str, budget: Budget, config: RunnableConfig) -> RerankResult:
        """The hits as the model sees them. Raises ``NoReplyError``."""
        if (getattr(self._llm, "profile", None) or {}).get("image_inputs") is False:
            raise NoReplyError("the language model takes no pictures, so it cannot judge the hits")
        images = [_load_image(request, hit.id) for hit in request.hits]
        available = [number for number, image in enumerate(images, start=1) if not isinstance(image, str)]
        missing = len(images) - len(available)
        if len(available) < 2:
            raise NoReplyError(f"{missing} of {len(images)} hits cannot be opened to be judged")
        pictures = {"reference": self._reference_uri(request), "sheet": image_uri(draw_choices(images))}
        config = model_call_config(self.kind, config, self._prompt)
        answer, found = self._answer(request, self._render(request, pictures), available, config, budget)
        reply = new_reply(answer.text, self.kind, model_name(self._llm), self._prompt, budget)
        if self._replies is not None and not answer.cut_off and not missing:
            self._replies.put_reply(key, reply)  # with an image missing, the next request calls the model again
        return self._result(request, found, reply, calls=budget.calls, missing=missing)

    def _reference_uri(self, request: R) -> str:
        """The reference as a data URI, several as one numbered sheet, empty where the prompt does not take it.

        Raises ``NoReplyError``.
        """
        if request.reference is None or "reference" not in self._prompt.pictures:
            return ""
        loaded = [_load_image(request, id_) for id_ in (request.reference, *request.others)]
        images = [image for image in loaded if not isinstance(image, str)]
        if len(images) < len(loaded):
            reason = next(image for image in loaded if isinstance(image, str))
            raise NoReplyError(f"the reference cannot be opened to judge the hits against it ({reason})")
        return image_uri(images[0], REFERENCE_SIDE) if len(images) == 1 else image_uri(draw_choices(images))

    def _answer(
        self,
        request: R,
        messages: list[BaseMessage],
        numbers: Sequence[int],
        config: RunnableConfig,
        budget: Budget,
    ) -> tuple[Answer, Numbered[T]]:
        """The model's answer and what it holds, after one repair request if needed. Raises ``NoReplyError``."""
        first = self._client.ask(messages, config, budget)
        if (found := self._read(first.text, numbers, request)).by_number:
            return first, found
        if is_refusal(text := unwrap(first.text)):
            raise NoReplyError(f"the language model declined ({sanitize(unquote(text), QUOTED_REFUSAL_CHARS)})")
        quoted = AIMessage(sanitize(first.text, QUOTED_REPLY_CHARS) or "(nothing)")
        config = merge_configs(config, {"run_name": f"{self.kind}.repair"})
        repair = (
            f"That reply cannot be used: it holds no {self.answer} of the numbered pictures. "
            "Answer again with only the JSON."
        )
        second = self._client.ask([*messages, quoted, HumanMessage(repair)], config, budget)
        if (found := self._read(second.text, numbers, request)).by_number:
            return second, found
        raise NoReplyError(f"the language model's reply holds no {self.answer} of the hits, at the second try neither")

    def _render(self, request: R, pictures: Mapping[str, str]) -> list[BaseMessage]:
        values = self.values(request)
        return self._prompt.render(
            {name: pictures[name] for name in self._prompt.pictures},
            **{name: values[name] for name in self._prompt.variables},
        )

    def _key(self, request: R) -> str:
        """A hash of all that the reply depends on; an image's id is the hash of its content, so it replaces it."""
        references = " ".join([request.reference or "", *request.others])
        ids = {"reference": references, "sheet": f"{LAYOUT} {' '.join(hit.id for hit in request.hits)}"}
        uris = {name: f"data:image/x-id;base64,{b64encode(id_.encode()).decode()}" for name, id_ in ids.items()}
        return reply_key(self._render(request, uris), self._llm, self._prompt)

    def _result(
        self, request: R, found: Numbered[T], reply: Reply, *, calls: int = 0, missing: int = 0
    ) -> RerankResult:
        hits = self.ordered(request.hits, found.by_number)
        skipped = len(hits) - len(found.by_number) - missing
        ignored = found.ignored
        warnings = [
            (missing, f"{missing} of {len(hits)} hits could not be opened to be judged, and kept their places"),
            (skipped, f"the language model did not judge {skipped} of {len(hits)} hits; they kept their places"),
            (ignored, f"{ignored} {self.answer}s of the language model matched no hit and were ignored"),
        ]
        return RerankResult(hits, self._prompt.tag, tuple(text for n, text in warnings if n), calls, reply)


def unchanged(request: SheetRequest, reason: str, calls: int = 0) -> RerankResult:
    """The hits in their order before, with the reason as a warning where there is an order."""
    warnings = (f"{reason}; {ORDER_UNCHANGED}",) if len(request.hits) > 1 else ()
    return RerankResult(request.hits, warnings=warnings, calls=calls)


def _load_image(request: SheetRequest, id: str) -> Image.Image | str:
    """The image with its pixels read, or the reason why it is not available."""
    try:
        image = request.load_image(id)
        if not isinstance(image, str):
            image.load()  # a truncated file fails only here
    except Exception as error:  # noqa: BLE001 - a caller's function may raise anything
        return error_line(error)
    return image
