"""The first hits of a search + reference and modification -> their new order, by a vision model.

One call judges all of them: the model gets the reference, the modification and one numbered sheet. A failing model or
an image that is not available never raises: the order stays as it was, and ``RerankResult.warnings`` holds the reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ipcir_tools.chains.reranking.checks import Checker, CheckRequest
from ipcir_tools.chains.reranking.judge import Judge
from ipcir_tools.chains.reranking.results import RerankRequest, RerankResult
from ipcir_tools.chains.reranking.sheet_reader import unchanged
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.llm.budget import CircuitBreaker
from ipcir_tools.prompts import Prompt, load_prompt

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ipcir_tools.llm.reply_store import ReplyStore


NO_MODEL = "no vision model is named that could judge the hits"

_VARIABLES = {"history", "modification", "description", "count"}
_PICTURES = {"rerank": {"reference", "sheet"}, "rerank.words": {"sheet"}, "checks": {"sheet"}}
_RERANK = ("rerank", "rerank.words")


def build_rerank_chain(
    llm: BaseChatModel | None,
    *,
    prompts: Path | None = None,
    replies: ReplyStore | None = None,
    timeout: float = 60.0,
) -> Runnable[RerankRequest, RerankResult]:
    """The reranking as a Runnable, by the prompt ``rerank``, or ``rerank.words`` where there is no reference.

    The order is that of ``judged_order``; for fewer than two hits no model is called. ``prompts`` is a folder with the
    user's own prompts; ``timeout`` the seconds for one request, including retries and repairs. Replies are stored in
    ``replies`` under a hash of the messages, with the ids of the images in place of their pixels (an id is a hash of
    the content): where the reply is stored, no image is opened. Raises ``InvalidRequestError`` for a prompt with
    variables or pictures that a reranking does not have.
    """
    if llm is None:
        return RunnableLambda(lambda request: unchanged(request, NO_MODEL), name="rerank")
    breaker = CircuitBreaker()
    judges = {
        id_: Judge(llm, breaker, _checked(load_prompt(id_, prompts), _VARIABLES), timeout, replies) for id_ in _RERANK
    }

    def rerank(request: RerankRequest, config: RunnableConfig) -> RerankResult:
        return judges["rerank" if request.reference is not None else "rerank.words"].rerank(request, config)

    return RunnableLambda(rerank, name="rerank")


def _checked(prompt: Prompt, variables: set[str]) -> Prompt:
    if unknown := sorted(set(prompt.variables) - variables):
        raise InvalidRequestError(
            f"prompt {prompt.id} uses {', '.join(unknown)}; a reranking has {', '.join(sorted(variables))}"
        )
    known = _PICTURES[prompt.id]
    if set(prompt.pictures) - known or "sheet" not in prompt.pictures:
        raise InvalidRequestError(
            f"prompt {prompt.id} must take the picture sheet, and may take {', '.join(sorted(known))}, no others"
        )
    return prompt


def build_check_chain(
    llm: BaseChatModel | None,
    *,
    prompts: Path | None = None,
    replies: ReplyStore | None = None,
    timeout: float = 60.0,
) -> Runnable[CheckRequest, RerankResult]:
    """True/false checks of the first hits as a Runnable, by the prompt ``checks``: one call for all of them.

    ``verified`` of a hit is the share of statements that are true, and the hits are put into its order. All else is as
    for ``build_rerank_chain``.
    """
    if llm is None:
        return RunnableLambda(lambda request: unchanged(request, NO_MODEL), name="checks")
    prompt = _checked(load_prompt("checks", prompts), {"checks", "count"})
    checker = Checker(llm, CircuitBreaker(), prompt, timeout, replies)

    def check(request: CheckRequest, config: RunnableConfig) -> RerankResult:
        return checker.rerank(request, config)

    return RunnableLambda(check, name="checks")
