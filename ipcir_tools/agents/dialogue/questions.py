"""Writes the one question of a clarification, with a language model where there is one that does it well.

The question of the rules is used wherever the model's reply is anything but one short question: a person reads it and
trusts the program that shows it, and captions and file names have gone into the prompt.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ipcir_tools.agents.dialogue.clarify import Clarification
from ipcir_tools.chains.imagination.chain import LLM_FIELD
from ipcir_tools.chains.imagination.resources import RULES
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import model_name
from ipcir_tools.llm.client import ChatClient
from ipcir_tools.llm.errors import NoReplyError
from ipcir_tools.llm.prompt_text import PromptText
from ipcir_tools.llm.reply_store import new_reply, reply_key
from ipcir_tools.llm.reply_text import is_refusal, unwrap
from ipcir_tools.llm.tracing import model_call_config
from ipcir_tools.models.loading import load_llm
from ipcir_tools.prompts import Prompt, load_prompt
from ipcir_tools.text import one_line, remove_unprintable, sanitize, unquote
from ipcir_tools.types import Turn

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.llm.reply_store import ReplyStore


log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds that a question may take: the one of the rules takes no time."""
MAX_CHARS = 200
FOUND = 5
FOUND_CHARS = 200
"""How many of the pictures found are in the prompt, and how many characters of each text."""

_VARIABLES = {"request", "why", "found", "question"}
_MARKS = "?\uff1f\u061f"
"""Question marks: Latin, fullwidth, Arabic."""
_SENTENCE = re.compile(r"[.!;\u2026](?:\s|$)|[\u3002\uff01]")
_MARKUP = re.compile(r"[{}<>\[\]|\\`]|://|\bwww\.|\w@\w", re.IGNORECASE)
_OFF_TOPIC = re.compile(
    r"\b(?:pass(?:word|code|phrase)s?|log ?in|sign ?in|credit card|bank|account|api key|tokens?|e-?mail|phone number"
    r"|click|download|install|prompt|instructions?|ignore)\b",
    re.IGNORECASE,
)
"""Words that no question about a picture needs; a caption with instructions in it might lead to them."""


@dataclass(frozen=True)
class UnclearRequest:
    """A request, what is unclear about it, and descriptions of what was found nevertheless, best first."""

    request: str
    clarification: Clarification
    found: Sequence[str] = ()


@dataclass(frozen=True)
class Question:
    """One question, its author, and its cost."""

    text: str
    by: Literal["llm", "rules"] = "rules"
    problem: str | None = None
    """Why the language model's reply was not used."""
    calls: int = 0
    """Calls made now: one at most, none where the reply was stored."""

    @property
    def origin(self) -> dict[str, str]:
        """The author, for a trace; empty where no model was called."""
        if self.problem is not None:
            return {"by": self.by, "problem": self.problem}
        return {"by": self.by} if self.by == "llm" else {}


class NoQuestionError(ValueError):
    """A reply that is not one short question; the text says why."""


def build_question_chain(
    llm: BaseChatModel | None,
    *,
    prompts: Path | None = None,
    replies: ReplyStore | None = None,
    timeout: float = TIMEOUT,
) -> Runnable[UnclearRequest, Question]:
    """Writes questions with the prompt ``ask``; without ``llm``, and on any failure, the rules' question is used.

    The model is called once, within ``timeout`` seconds, and never again for the same request. Raises
    InvalidRequestError for a user's prompt in ``prompts`` with other variables, or with a JSON reply.
    """
    if llm is None:
        return RunnableLambda(lambda request: Question(request.clarification.question), name="ask")
    prompt = load_prompt("ask", prompts)
    if unknown := sorted(set(prompt.variables) - _VARIABLES) + list(prompt.pictures):
        raise InvalidRequestError(
            f"prompt ask has unknown variables {', '.join(unknown)}; there are {', '.join(sorted(_VARIABLES))}"
        )
    if prompt.reply != "text":
        raise InvalidRequestError("prompt ask must have 'reply: text': the question is shown as it comes")
    return RunnableLambda(_QuestionWriter(llm, prompt, replies, timeout).write, name="ask")


def question_chain_of(engine: Engine) -> Runnable[UnclearRequest, Question]:
    """The question chain of a dialogue over ``engine``, with its language model, or the one that a run chooses."""

    @cache
    def chain(name: str | None) -> Runnable[UnclearRequest, Question]:
        settings = engine.settings.model_copy(update={"llm": None if name == RULES else name})
        try:
            llm = load_llm(settings)
        except ModelUnavailableError as error:  # the imagination reports it; a question needs no model
            log.warning("the rules write the questions: %s", error)
            llm = None
        timeout = min(TIMEOUT, settings.llm_timeout)
        return build_question_chain(llm, prompts=settings.prompts, replies=engine.catalog, timeout=timeout)

    def invoke(request: UnclearRequest, config: RunnableConfig) -> Question:
        name = config.get("configurable", {}).get(LLM_FIELD) or engine.settings.llm
        return chain(name).invoke(request, config)

    return RunnableLambda(invoke, name="ask.question")


def describe_turn(turn: Turn) -> list[str]:
    """A turn in words: the imagined target, then the captions of the hits, best first."""
    target = [f"(imagined) {turn.imagined.description}"] if turn.imagined else []
    return target + [hit.caption for hit in turn.hits if hit.caption]


def read_question(text: str) -> str:
    """The one short question that a model's reply is. Raises ``NoQuestionError`` for anything else."""
    answer = unwrap(text)
    if not answer:
        raise NoQuestionError("the reply is empty")
    if is_refusal(answer):
        raise NoQuestionError("the language model declined")
    question = unquote(remove_unprintable(answer))
    if len(question) > MAX_CHARS or "\n" in answer:
        raise NoQuestionError(f"the reply is longer than one line of {MAX_CHARS} characters")
    if _MARKUP.search(question) or _OFF_TOPIC.search(question):
        raise NoQuestionError("the reply is about something else than the picture")
    if question[-1:] not in tuple(_MARKS) or len(re.findall(r"\w", question)) < 4:
        raise NoQuestionError("the reply is no question")
    if sum(question.count(mark) for mark in _MARKS) > 1 or _SENTENCE.search(question):
        raise NoQuestionError("the reply is more than one question")
    return question


class _QuestionWriter:
    def __init__(self, llm: BaseChatModel, prompt: Prompt, replies: ReplyStore | None, timeout: float) -> None:
        self._llm = llm
        self._prompt = prompt
        self._replies = replies
        self._timeout = timeout
        self._client = ChatClient(llm, None)
        self._own_text = PromptText(prompt)

    def write(self, request: UnclearRequest, config: RunnableConfig) -> Question:
        messages = self._render(request)
        key = reply_key(messages, self._llm, self._prompt)
        budget = Budget(self._timeout, attempts=1)
        try:
            if (known := self._known(key)) is not None:
                return known
            answer = self._client.ask(messages, model_call_config("ask", config, self._prompt), budget)
            question = self._read(answer.text)
        except (NoReplyError, NoQuestionError) as problem:
            return Question(request.clarification.question, problem=str(problem), calls=budget.calls)
        if self._replies is not None:
            self._replies.put_reply(key, new_reply(answer.text, "ask", model_name(self._llm), self._prompt, budget))
        return Question(question, "llm", calls=budget.calls)

    def _known(self, key: str) -> Question | None:
        """The question of the stored reply; one that is no question is deleted."""
        if self._replies is None or (stored := self._replies.reply(key)) is None:
            return None
        try:
            return Question(self._read(stored.text), "llm")
        except NoQuestionError:
            self._replies.forget_reply(key)
            return None

    def _read(self, text: str) -> str:
        question = read_question(text)
        if self._own_text.says(question):
            raise NoQuestionError("the reply is copied from the instructions")
        return question

    def _render(self, request: UnclearRequest) -> list[BaseMessage]:
        found = "\n".join(f"- {sanitize(one_line(text), FOUND_CHARS)}" for text in request.found[:FOUND])
        values = {
            "request": request.request or "(nothing)",
            "why": request.clarification.message,
            "found": found or "(nothing yet)",
            "question": request.clarification.question,
        }
        return self._prompt.render(**{name: values[name] for name in self._prompt.variables})
