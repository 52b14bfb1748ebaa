"""The first hits of a search + reference and request -> their order by a model that sees them.

One call judges all of them: the model gets the reference, the request and one numbered sheet. Trouble with the model or
with the pictures never raises: then the order stays exactly as it was, and ``Reranked.warnings`` say so.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs

from ipcir_tools.chains.reranking.judgements import Judgements, judged_order, read_judgements
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.contact_sheet import draw_choices
from ipcir_tools.images.thumbnails import image_uri
from ipcir_tools.llm.budget import Budget, CircuitBreaker
from ipcir_tools.llm.chat_model import model_name
from ipcir_tools.llm.client import Answer, ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.reply_store import new_reply, reply_key
from ipcir_tools.llm.reply_text import is_refusal, unwrap
from ipcir_tools.llm.tracing import model_call_config
from ipcir_tools.prompts import Prompt, load_prompt
from ipcir_tools.text import error_line, sanitize, unquote
from ipcir_tools.types import Hit, Reply

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from PIL import Image

    from ipcir_tools.llm.reply_store import ReplyStore


KEPT = "the order of the hits stayed as it was"
NO_MODEL = "no language model is named that could look at the hits"
REFERENCE_SIDE = 512
"""Pixels of the reference's longer side."""
HISTORY_TURNS = 6
HISTORY_CHARS = 300
SHOWN_REPLY_CHARS, DECLINED_CHARS = 2_000, 120
LAYOUT = 1
"""Raised when sheets are drawn otherwise: replies on older ones are asked for again."""

_VARIABLES = {"history", "modification", "description", "count"}
_PICTURES = {"rerank": {"reference", "sheet"}, "rerank.words": {"sheet"}}
_REPAIR = "That reply cannot be used: it holds no judgement of the numbered pictures. Answer again with only the JSON."


@dataclass(frozen=True)
class RerankRequest:
    """What is to be judged: the first hits of a search, best first, and what was asked for."""

    hits: tuple[Hit, ...]
    see: Callable[[str], Image.Image | str]
    """A picture by its id, or why it cannot be had: in a few words, or by raising. Not called where the judgement is
    known."""
    modification: str = ""
    """The request; empty where nothing but a reference was given."""
    reference: str | None = None
    """The reference's id. None: the words alone are judged by, and preservation is always 10."""
    description: str = ""
    """The imagined target, if one was imagined."""
    history: tuple[str, ...] = ()
    """The requests before, oldest first."""


@dataclass(frozen=True)
class Reranked:
    """The hits, ranked anew and with their judgements, or exactly as they were, and how that came about."""

    hits: tuple[Hit, ...]
    prompt: str | None = None
    """``rerank@1#HASH8`` where a model judged the hits; None where they stayed as they were."""
    warnings: tuple[str, ...] = ()
    """What went wrong, for the user, in plain words."""
    calls: int = 0
    """Model calls made, failed ones included; 0 where the judgement was known."""
    reply: Reply | None = None
    """The reply that the judgements are from, with what it cost when it was made."""


def build_rerank_chain(
    llm: BaseChatModel | None,
    *,
    prompts: Path | None = None,
    replies: ReplyStore | None = None,
    timeout: float = 60.0,
) -> Runnable[RerankRequest, Reranked]:
    """The judge as a Runnable, by the prompt ``rerank``, or ``rerank.words`` where there is no reference.

    ``prompts`` is a folder with the user's own; ``timeout`` bounds one whole judgement in seconds, retries and repairs
    included. Replies are kept in ``replies`` under a hash of what was asked, the pictures by their ids, which are
    hashes of their content: a known judgement opens no picture. The order is that of ``judged_order``; where fewer than
    two hits are given there is none to find, and no model is asked. Raises ``InvalidRequestError`` for a prompt that
    wants what a judgement does not have.
    """
    if llm is None:
        return RunnableLambda(lambda request: _kept(request, NO_MODEL), name="rerank")
    line = CircuitBreaker()
    judges = {id_: _Judge(llm, line, _checked(load_prompt(id_, prompts)), timeout, replies) for id_ in _PICTURES}

    def rerank(request: RerankRequest, config: RunnableConfig) -> Reranked:
        return judges["rerank" if request.reference is not None else "rerank.words"].rerank(request, config)

    return RunnableLambda(rerank, name="rerank")


def _checked(prompt: Prompt) -> Prompt:
    if unknown := sorted(set(prompt.variables) - _VARIABLES):
        raise InvalidRequestError(
            f"prompt {prompt.id} wants {', '.join(unknown)}; a judgement has {', '.join(sorted(_VARIABLES))}"
        )
    known = _PICTURES[prompt.id]
    if set(prompt.pictures) - known or "sheet" not in prompt.pictures:
        raise InvalidRequestError(
            f"prompt {prompt.id} must show sheet, and may show {', '.join(sorted(known))}, no others"
        )
    return prompt


def _kept(request: RerankRequest, why: str, calls: int = 0) -> Reranked:
    return Reranked(request.hits, warnings=(f"{why}; {KEPT}",) if len(request.hits) > 1 else (), calls=calls)


def _seen(request: RerankRequest, id: str) -> Image.Image | str:
    """The picture, its pixels read, or why it cannot be had."""
    try:
        picture = request.see(id)
        if not isinstance(picture, str):
            picture.load()  # a file that breaks off does so only when it is read
    except Exception as error:  # noqa: BLE001 - a function of the user's raises what it likes
        return error_line(error)
    return picture


class _Judge:
    """One prompt and the model that answers it."""

    def __init__(
        self, llm: BaseChatModel, line: CircuitBreaker, prompt: Prompt, timeout: float, replies: ReplyStore | None
    ) -> None:
        self._llm = llm
        self._prompt = prompt
        self._timeout = timeout
        self._replies = replies
        self._asker = ChatClient(llm, prompt.schema_of_reply, line)

    def rerank(self, request: RerankRequest, config: RunnableConfig) -> Reranked:
        if len(request.hits) < 2:
            return Reranked(request.hits)
        key = self._key(request)
        known = self._replies.reply(key) if self._replies is not None else None
        if known is not None:
            judgements = self._read(known.text, range(1, len(request.hits) + 1))
            if judgements.of:  # else it was kept by a version that read replies differently
                return self._told(request, judgements, known)
        budget = Budget(self._timeout)
        try:
            return self._judged(request, key, budget, config)
        except NoReplyError as failure:
            return _kept(request, str(failure), budget.calls)

    def _judged(self, request: RerankRequest, key: str, budget: Budget, config: RunnableConfig) -> Reranked:
        """The hits as the model judges them. Raises ``NoReplyError``."""
        if (getattr(self._llm, "profile", None) or {}).get("image_inputs") is False:
            raise NoReplyError("the language model takes no pictures, so it cannot judge the hits")
        pictures = [_seen(request, hit.id) for hit in request.hits]
        seen = [number for number, picture in enumerate(pictures, start=1) if not isinstance(picture, str)]
        if len(seen) < 2:
            raise NoReplyError(f"{len(pictures) - len(seen)} of {len(pictures)} hits cannot be opened to be judged")
        shown = {"reference": self._reference(request), "sheet": image_uri(draw_choices(pictures))}
        answer, judgements = self._answer(
            self._rendered(request, shown), seen, model_call_config("rerank", config, self._prompt), budget
        )
        reply = new_reply(answer.text, "rerank", model_name(self._llm), self._prompt, budget)
        if self._replies is not None and not answer.cut_off and len(seen) == len(pictures):
            self._replies.put_reply(key, reply)  # what was not all seen is asked again when it can be
        return self._told(request, judgements, reply, calls=budget.calls, unseen=len(pictures) - len(seen))

    def _reference(self, request: RerankRequest) -> str:
        """The reference as a data URI, empty where it is not shown. Raises ``NoReplyError``."""
        if request.reference is None or "reference" not in self._prompt.pictures:
            return ""
        picture = _seen(request, request.reference)
        if isinstance(picture, str):
            raise NoReplyError(f"the reference cannot be opened to judge the hits against it ({picture})")
        return image_uri(picture, REFERENCE_SIDE)

    def _answer(
        self, messages: list[BaseMessage], seen: Sequence[int], config: RunnableConfig, budget: Budget
    ) -> tuple[Answer, Judgements]:
        """The model's answer and what was read of it, at its second try if need be. Raises ``NoReplyError``."""
        first = self._asker.ask(messages, config, budget)
        if (judgements := self._read(first.text, seen)).of:
            return first, judgements
        if is_refusal(unwrap(first.text)):
            raise NoReplyError(f"the language model declined ({sanitize(unquote(unwrap(first.text)), DECLINED_CHARS)})")
        shown = AIMessage(sanitize(first.text, SHOWN_REPLY_CHARS) or "(nothing)")
        again = merge_configs(config, {"run_name": "rerank.repair"})
        second = self._asker.ask([*messages, shown, HumanMessage(_REPAIR)], again, budget)
        if (judgements := self._read(second.text, seen)).of:
            return second, judgements
        raise NoReplyError("the language model's reply holds no judgement of the hits, at the second try neither")

    def _read(self, text: str, numbers: Iterable[int]) -> Judgements:
        return read_judgements(text, numbers, preservation="reference" in _PICTURES[self._prompt.id])

    def _rendered(self, request: RerankRequest, pictures: Mapping[str, str]) -> list[BaseMessage]:
        turns = request.history[-HISTORY_TURNS:]
        values = {
            "history": "\n".join(f"- {sanitize(words, HISTORY_CHARS)}" for words in turns) or "(none)",
            "modification": request.modification or "(none: a picture like the reference)",
            "description": request.description or "(none)",
            "count": str(len(request.hits)),
        }
        return self._prompt.render(
            {name: pictures[name] for name in self._prompt.pictures},
            **{name: values[name] for name in self._prompt.variables},
        )

    def _key(self, request: RerankRequest) -> str:
        """A hash of all that the reply follows from. A picture's id is the hash of its content, so it stands for it."""
        ids = {"reference": request.reference or "", "sheet": f"{LAYOUT} {' '.join(hit.id for hit in request.hits)}"}
        stand_ins = {name: f"data:image/x-id;base64,{b64encode(id_.encode()).decode()}" for name, id_ in ids.items()}
        return reply_key(self._rendered(request, stand_ins), self._llm, self._prompt)

    def _told(
        self, request: RerankRequest, judgements: Judgements, reply: Reply, *, calls: int = 0, unseen: int = 0
    ) -> Reranked:
        hits = judged_order(request.hits, judgements.of)
        missed = len(hits) - len(judgements.of) - unseen
        warnings = [
            (unseen, f"{unseen} of {len(hits)} hits could not be opened to be judged, and kept their places"),
            (missed, f"the language model did not judge {missed} of {len(hits)} hits; they kept their places"),
            (judgements.odd, f"{judgements.odd} judgements of the language model fitted no hit and were passed over"),
        ]
        return Reranked(hits, self._prompt.tag, tuple(text for n, text in warnings if n), calls, reply)
