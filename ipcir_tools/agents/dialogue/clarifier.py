"""Clarifications of a round as the dialogue's state holds them: what is unclear, the question, whether it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config, get_stream_writer

from ipcir_tools.agents.dialogue.clarify import Clarification, check_filter, check_hits, check_words
from ipcir_tools.agents.dialogue.context import run_context, with_models
from ipcir_tools.agents.dialogue.questions import Question, UnclearRequest, describe_turn, question_chain_of
from ipcir_tools.agents.dialogue.state import DialogueState, Update
from ipcir_tools.engine.engine import Engine
from ipcir_tools.types import Turn


class Clarifier:
    """Checks requests and hits of a dialogue over ``engine``; with ``ask`` a round may stop and ask one question."""

    def __init__(self, engine: Engine, ask: bool) -> None:
        self._engine = engine
        self._questions = question_chain_of(engine)
        self._ask = ask

    def check_request(self, state: Update, config: RunnableConfig, tally: Counter[str]) -> dict[str, Any] | None:
        """What is unclear before anything is searched; None where nothing is. ``tally`` counts ``ask_calls``."""
        has_turn, has_reference, words = bool(state["turn"]), bool(state["reference"]), state["modification"]
        if (has_turn and has_reference) or state["liked"] or state["disliked"]:
            return None
        unclear = check_words(words, has_reference=has_reference, has_turn=has_turn)
        return self._with_question(unclear, state, state["turn"], config, tally)

    def check_turn(
        self, turn: Turn, state: DialogueState, config: RunnableConfig, tally: Counter[str]
    ) -> dict[str, Any] | None:
        """Whether a turn found nothing, or nothing that shows the words of this round.

        ``tally`` counts ``texts`` encoded and ``ask_calls``.
        """
        return self._with_question(
            self._check_hits(turn, state, tally), state, turn.id, config, tally, describe_turn(turn)
        )

    def _check_hits(self, turn: Turn, state: DialogueState, tally: Counter[str]) -> Clarification | None:
        if not turn.hits:
            return check_filter(turn.query.where)
        start, features = state.get("start"), self._engine.components.features
        wanted = turn.imagined.description if turn.imagined else turn.query.modification
        if start is None or start == wanted:
            return None
        wanted_vector, start_vector = features.texts([wanted, start], tally)
        hits = features.stored([hit.id for hit in turn.hits])
        return check_hits(np.stack([*hits.values()]), wanted_vector, start_vector, state["modification"])

    def _with_question(
        self,
        unclear: Clarification | None,
        state: DialogueState | Update,
        turn: str | None,
        config: RunnableConfig,
        tally: Counter[str],
        found: Sequence[str] = (),
    ) -> dict[str, Any] | None:
        """A clarification as the state holds it; its question is asked where the round may stop and has not yet."""
        if unclear is None:
            return None
        may_ask = run_context().get("ask", self._ask)
        ask = may_ask and not state.get("question_asked") and _has_checkpointer()
        question = Question(unclear.question)
        if ask:
            question = self._questions.invoke(
                UnclearRequest(state["modification"], unclear, found), with_models(config)
            )
            get_stream_writer()({"node": "ask", "why": unclear.why, **question.origin})
        if question.calls:
            tally["ask_calls"] += question.calls
        return {**asdict(unclear), "question": question.text, "turn": turn, "ask": ask, "by": question.by}


def _has_checkpointer() -> bool:
    """Whether this run has a checkpointer, without which an interrupt cannot be answered.

    LangGraph 1.2 has no public name for it: a server brings its own, and a thread's id may be there without one. The
    tests of the dialogue fail where the key changes: no question would be asked with a checkpointer.
    """
    return get_config()["configurable"].get("__pregel_checkpointer") is not None
