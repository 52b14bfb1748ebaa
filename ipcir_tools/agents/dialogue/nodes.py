"""The nodes of the dialogue graph: one round, from the user's message to the answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.types import interrupt

from ipcir_tools.agents.dialogue.clarifier import Clarifier
from ipcir_tools.agents.dialogue.clarify import ANYTHING, classify_reply
from ipcir_tools.agents.dialogue.combinations import combined_references
from ipcir_tools.agents.dialogue.context import context_options, with_models
from ipcir_tools.agents.dialogue.remarks import answer_remark
from ipcir_tools.agents.dialogue.state import (
    NEW_ROUND,
    NO_INPUT,
    DialogueState,
    Update,
    add_work,
    imagination_json,
    imagination_of,
    last_turn,
    open_question,
    question_text,
)
from ipcir_tools.agents.dialogue.user_input import (
    DialogueRequest,
    check_input,
    last_input,
    named_reference,
    read_remark,
    read_reply,
    read_request,
)
from ipcir_tools.chains.composition.requests import effective_composer, imagine_request, request_of
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.chains.imagination.rules.additions import adds_to_dialogue
from ipcir_tools.display.results import references_json, result_json
from ipcir_tools.display.sentences import answer_text
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.queries import PreparedQuery, TurnRequest
from ipcir_tools.engine.reference_list import References, named_references
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.text import quote
from ipcir_tools.types import ComposedQuery, SearchResult, Turn

MAX_PATHS = 32
"""Paths that are kept in memory. Turns never change, so the path of a turn is read once."""
HOW_TO_ANSWER = 'That is no answer: answer in words, or resume with {"text": ..., "reference": ...}, either or both.'


class DialogueNodes:
    """The nodes over one engine. Features pass from node to node through the catalog, all else as JSON in the state.

    ``options`` hold for every search; ``trusted``: whether a reference may be any file of this machine.
    """

    def __init__(self, engine: Engine, *, ask: bool, options: SearchOptions, trusted: bool) -> None:
        self._engine = engine if trusted else engine.for_agents()
        self._clarifier = Clarifier(self._engine, ask)
        self._options = options
        self._trusted = trusted
        self._path = lru_cache(MAX_PATHS)(engine.path) if trusted else self._engine.path

    # --- the request

    def read(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The last message: words, picks, a picture, or a way back."""
        check_input(state)
        user_input = last_input(state.get("messages", []))
        self._engine.require_gallery()
        if open_question(state):  # it was sent in the place of the answer to the question, so it is the answer
            return {"messages": [user_input.message], **self._reply(state, user_input.text, user_input.reference)}
        request = read_request(user_input.text, state.get("turn"), last_turn(state))
        update = {**NEW_ROUND, "messages": [user_input.message]}
        update |= self._apply(request, state, user_input.reference)
        return update if update["result"] or update["text"] else update | self._check_request(update, config)

    def _apply(
        self, request: DialogueRequest, given: Mapping[str, Any], reference: str | list[str] | None = None
    ) -> Update:
        """A request, with what else was given for it, as changes of the state."""
        turn = self._engine.visibility.turn(request.turn).id if request.turn else None
        if request.remark:
            at = None if request.remark.kind == "restart" else turn
            return {
                "turn": at,
                "text": answer_remark(request.remark, self._engine, self._path(turn)[-1] if turn else None),
            }
        if request.show and turn:
            path = self._path(turn)
            if len(path) <= request.back:
                there = "is only 1 turn" if len(path) == 1 else f"are only {len(path)} turns"
                raise InvalidRequestError(f"There {there} here: nothing is left to go back to.")
            return _result_update(SearchResult(turn=path[-1 - request.back]))
        given = {} if request.new_dialogue else given
        modification, named = request.modification, request.reference or reference or given.get("reference")
        if request.combination:
            combined = combined_references(request.combination, self._path(turn)[-1] if turn else None, named)
            modification, named = (modification, combined) if combined else (request.combination.line, named)
        return {
            "turn": turn,
            "modification": modification,
            "reference": named,
            "liked": [*(given.get("liked") or ()), *request.liked],
            "disliked": [*(given.get("disliked") or ()), *request.disliked],
        }

    def _check_request(self, update: Update, config: RunnableConfig) -> Update:
        """What is to be asked before anything is searched."""
        tally = Counter[str]()
        clarification = self._clarifier.check_request(update, config, tally)
        if clarification is None:
            return {}
        if not update["modification"].strip() and not clarification["ask"]:
            return {"problem": clarification["question"]}
        return {"clarification": clarification, "work": add_work(update, tally)}

    # --- the search

    def caption(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The query, its pictures by id, and the captions of the references where the imagination will need them."""
        query, pixels = self._prepare(state)
        features, tally = self._engine.components.features, Counter[str]()
        began = time.perf_counter()
        if pixels:  # pictures of a message cannot be opened again, and pixels do not go into the state
            features.images(list(pixels), pixels, tally)
        update: Update = {"query": query.model_dump(mode="json"), "modification": query.modification}
        update |= {"liked": [*query.liked], "disliked": [*query.disliked]}
        update |= {"reference": (references_json(query) or query.reference) if state.get("reference") else None}
        needed = "imagined" in effective_composer(request_of(query, self._turns(state))).needs
        references = [each.id for each in query.references]
        if references and (needed or pixels.keys() & references):
            _report("caption", reference=query.reference)
            captions = features.captions(references, pixels, tally=tally)
            update["caption"], *update["other_captions"] = [captions[id_] for id_ in references]
        counts = {"image_encodes": tally["images"], "captions_made": tally["captions"]}
        return update | {"work": add_work(state, counts, caption=time.perf_counter() - began)}

    def _prepare(self, state: DialogueState) -> PreparedQuery:
        options = SearchOptions(k=state.get("k"), where=state.get("where"))
        options = options.or_else(context_options().or_else(self._options))
        reference, liked, disliked = state.get("reference"), state.get("liked") or (), state.get("disliked") or ()
        request = TurnRequest(
            state["modification"],
            options,
            reference=self._named(reference) if reference else None,
            liked=[*map(self._local_reference, liked)],
            disliked=[*map(self._local_reference, disliked)],
        )
        return self._engine.prepare(self._turns(state), request)

    def _named(self, reference: Any) -> References:
        """The references of the state as the engine takes them."""
        return [(self._local_reference(each.picture), each.note) for each in named_references(reference)]

    def _local_reference(self, reference: Any) -> str | Path:
        is_text = self._trusted and isinstance(reference, str)
        return self._engine.local_reference(reference) if is_text else reference

    def imagine(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The target in words; nothing where the round adds no words, or searches with them as they are."""
        query = _query(state)
        request = request_of(query, self._turns(state))
        if "imagined" not in effective_composer(request).needs:
            return {"start": ANYTHING} if query.modification and query.reference is None else {}
        to_do = imagine_request(request, state.get("caption") or "", state.get("other_captions") or ())
        if not isinstance(to_do, ImagineRequest):
            return {}
        _report("imagine", caption=to_do.caption, modification=to_do.modification)
        began = time.perf_counter()
        imagination = self._engine.components.imagine.invoke(to_do, with_models(config))
        return {
            "imagined": imagination_json(imagination),
            "start": to_do.history[-1][1].description if to_do.history else to_do.caption,
            "work": add_work(state, {}, imagine=time.perf_counter() - began),
        }

    def search(self, state: DialogueState, config: RunnableConfig) -> Update:
        """Compose the probe, search with it, store the turn; and check whether its hits show the request."""
        query, path, imagination = _query(state), self._turns(state), imagination_of(state)
        _report("compose", imagined=imagination.target.description if imagination else None)
        began = time.perf_counter()
        composed = self._engine.components.compose.invoke(request_of(query, path, None, imagination), config)
        composing = time.perf_counter() - began
        _report("search", composer=query.composer, k=query.k)
        answer = self._engine.answer(query, path, composed=composed, config=config)
        result = self._engine.stored(answer, config)
        tally, clarification = Counter[str](), state.get("clarification")
        if clarification is None:
            clarification = self._clarifier.check_turn(result.turn, state, config, tally)
        counts = {**result.counts, "text_encodes": result.counts["text_encodes"] + tally.pop("texts", 0), **tally}
        verifying = result.timings.get("verify", 0.0)
        seconds = {"compose": composing, "search": result.timings["total"] - verifying}
        work = add_work(state, counts, **seconds, **({"verify": verifying} if verifying else {}))
        timed: dict[str, Any] = {
            "timings": {**work["seconds"], "total": sum(work["seconds"].values())},
            "counts": {name: int(n) for name, n in work["counts"].items()},
        }
        if dropped := state.get("dropped"):
            timed["warnings"] = (*result.warnings, f"the edit before, {quote(dropped)}, was replaced")
        return {"clarification": clarification, "work": work, **_result_update(result.model_copy(update=timed))}

    # --- the end of a round

    def question(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The open question as a message, so that whoever reads the messages sees it."""
        return {"messages": [AIMessage(question_text(state))]}

    def ask(self, state: DialogueState, config: RunnableConfig) -> Update:
        """Ask one question; the reply replaces the request, unless it keeps what was found or adds to it."""
        clarification = state["clarification"] or {}
        asked = {name: clarification[name] for name in ("why", "turn")}
        reply = read_reply(interrupt({"question": question_text(state), **asked}))
        if reply is None:
            return _still_asking(state, HOW_TO_ANSWER)
        text, reference = reply
        said = HumanMessage(text or (reference if isinstance(reference, str) else ""))
        return {"messages": [said], **self._reply(state, text, reference)}

    def _reply(self, state: DialogueState, text: str, reference: str | list[str] | None) -> Update:
        """The changes of the state by a reply to its open question: words, and a picture where one came with them."""
        clarification = state["clarification"] or {}
        why, found = clarification["why"], clarification["turn"]
        reference = reference or (named_reference(text) if why == "no reference" else None)
        meaning = classify_reply(text, why)
        if meaning == "words" and not reference:
            if not text.strip():
                return _still_asking(state, HOW_TO_ANSWER)
            if remark := read_remark(text):
                return _still_asking(state, answer_remark(remark, self._engine, self._last(state)))
        update: Update = {"question_asked": True, "clarification": None}
        if meaning == "keep" and not reference:
            return update
        update |= {"result": None, "text": None, "imagined": None, "start": None} | (
            {"where": {}} if why == "filter" else {}
        )
        if meaning == "drop edit" and not reference:
            return update | {"dropped": state["modification"], "text": _dropped(state)}
        if meaning == "drop filter" or (reference and text in ("", reference)):
            return update | ({"reference": reference} if reference else {})
        if found != state.get("turn") and adds_to_dialogue(text):  # to the edit that raised the question
            return update | self._apply(read_request(text, found, found), {}, reference)
        request = read_request(text, state.get("turn"), last_turn(state))
        replaced = found != state.get("turn") and not (request.show or request.new_dialogue or request.remark)
        update |= {"dropped": state["modification"]} if replaced else {}
        return update | self._apply(request, state, reference)

    def _last(self, state: DialogueState) -> Turn | None:
        turns = self._turns(state)
        return turns[-1] if turns else None

    def answer(self, state: DialogueState) -> Update:
        """The answer in words; its turn becomes the one to go on from, and the input of the round is cleared."""
        result, problem, clarification = state.get("result"), state.get("problem"), state.get("clarification")
        if problem or not result:
            _report("answer", turn=None)
            failed = {
                "messages": [AIMessage(problem or state.get("text") or "")],
                "result": None,
                "clarification": None,
            }
            kept = {"reference": state.get("reference")} if state.get("dropped") and not problem else {}
            return {**NO_INPUT, **failed, **kept, "turn": self._existing_turn(state)}
        turn = result["turn"]
        _report("answer", turn=turn)
        lines = [state.get("text") or "", *([f"Unclear: {clarification['message']}"] if clarification else [])]
        return {**NO_INPUT, "messages": [AIMessage("\n".join(lines))], "turn": turn, "last_answer": turn}

    def _existing_turn(self, state: DialogueState) -> str | None:
        """The turn that the next round builds on after a failed one: a turn that does not exist is not kept."""
        turn = state.get("turn")
        try:
            return self._engine.visibility.turn(turn).id if turn else None
        except IPCIRError:
            return state.get("last_answer")

    def _turns(self, state: DialogueState) -> Sequence[Turn]:
        """The path of the turn that the round builds on."""
        turn = state.get("turn")
        return self._path(turn) if turn else ()


def _still_asking(state: DialogueState, remark: str) -> Update:
    """The question stays open; what is said first is no answer to it."""
    return {"clarification": {**(state["clarification"] or {}), "remark": remark}}


def _dropped(state: DialogueState) -> str:
    follows = "say what should be different" if state.get("turn") else "say what the picture should show"
    return f"The edit {quote(state['modification'])} is dropped: {follows}."


def _query(state: DialogueState) -> ComposedQuery:
    return ComposedQuery(**state["query"] or {})


def _result_update(result: SearchResult) -> Update:
    return {"result": result_json(result), "text": answer_text(result)}


def _report(node: str, **data: Any) -> None:
    """Stream that a node begins."""
    get_stream_writer()({"node": node, **data})
