"""Judging hits against a reference and a modification, each with two scores from 0 to 10."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ipcir_tools.chains.reranking.judgements import Numbered, judged_order, read_judgements
from ipcir_tools.chains.reranking.results import RerankRequest
from ipcir_tools.chains.reranking.sheet_reader import SheetReader
from ipcir_tools.prompts.limits import HISTORY_CHARS, HISTORY_TURNS
from ipcir_tools.text import sanitize
from ipcir_tools.types import Hit, Judgement


class Judge(SheetReader[RerankRequest, Judgement]):
    """Judges hits by one of the prompts ``rerank`` and ``rerank.words``."""

    kind = "rerank"
    answer = "judgement"

    def values(self, request: RerankRequest) -> dict[str, str]:
        """The request and the turns before, as the prompt's variables."""
        turns = request.history[-HISTORY_TURNS:]
        return {
            "history": "\n".join(f"- {sanitize(turn, HISTORY_CHARS)}" for turn in turns) or "(none)",
            "modification": request.modification or "(none: a picture like the reference)",
            "description": request.description or "(none)",
            "count": str(len(request.hits)),
        }

    def parse(self, text: str, numbers: Iterable[int], request: RerankRequest) -> Numbered[Judgement]:
        """The judgements in a reply; without a reference none of preservation."""
        return read_judgements(text, numbers, preservation=self._prompt.id == "rerank")

    def ordered(self, hits: Sequence[Hit], by_number: Mapping[int, Judgement]) -> tuple[Hit, ...]:
        """By :func:`judged_order`."""
        return judged_order(hits, by_number)
