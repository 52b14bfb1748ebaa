"""The stages of one round of the dialogue, and the state that they work on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config, get_stream_writer
from langgraph.types import interrupt

from ipcir_tools.agents.dialogue import clarify as doubts
from ipcir_tools.agents.dialogue.clarify import Clarification
from ipcir_tools.agents.dialogue.questions import Question, UnclearRequest, found_in, wording_for
from ipcir_tools.agents.dialogue.state import (
    _NOTHING_GIVEN,
    _ROUND,
    DialogueState,
    Update,
    _as_json,
    _imagination,
    _last,
    _worked,
)
from ipcir_tools.agents.dialogue.user_input import DialogueRequest, as_picture, last_said, understood
from ipcir_tools.chains.composition.requests import request_of, speaking, to_imagine
from ipcir_tools.chains.imagination.results import ImagineRequest
from ipcir_tools.display.results import result_json, result_text
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError, IPCIRError
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.types import ComposedQuery, SearchResult, Turn

if TYPE_CHECKING:
    from PIL import Image


class DialogueNodes:
    """The stages. Nothing expensive is handed on but through the catalog, or as JSON in the state."""

    def __init__(self, engine: Engine, ask: bool, k: int | None) -> None:
        self._engine = engine
        self._wording = wording_for(engine)
        self._ask = ask
        self._k = k

    # --- what is asked for

    def read(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The last message: words, picks, a picture, or a way back."""
        heard = last_said(state.get("messages", []))
        if not self._engine.catalog.size():
            raise EmptyGalleryError(
                "The gallery is empty: put pictures into it with `ipcir index FOLDER`, then say it again."
            )
        asked = understood(heard.text, state.get("turn"), _last(state))
        given: Update = {name: state.get(name) for name in ("reference", "liked", "disliked")}
        given = {} if asked.afresh else given
        update = {**_ROUND, "messages": [heard.kept], **self._meant(asked, given, heard.picture)}
        return update if update["result"] else update | self._unclear(update, config)

    def _meant(self, asked: DialogueRequest, given: Mapping[str, Any], picture: str | None = None) -> Update:
        """A request, with what else was given for it, as changes of the state."""
        if asked.show and asked.turn:
            path = self._engine.catalog.path(asked.turn)
            if len(path) <= asked.back:
                raise InvalidRequestError(f"There are only {len(path)} turns here: nothing is left to go back to.")
            return self._found(SearchResult(turn=path[-1 - asked.back]))
        if asked.turn:
            self._engine.catalog.turn(asked.turn)  # a turn that does not exist is told before anything is done
        return {
            "turn": asked.turn,
            "modification": asked.text,
            "reference": asked.reference or picture or given.get("reference"),
            "liked": [*(given.get("liked") or ()), *asked.liked],
            "disliked": [*(given.get("disliked") or ()), *asked.disliked],
        }

    def _unclear(self, update: Update, config: RunnableConfig) -> Update:
        """What is to be asked before anything is searched."""
        begun, pictured, words = bool(update["turn"]), bool(update["reference"]), update["modification"]
        if (begun and pictured) or update["liked"] or update["disliked"]:
            return {}
        doubt, tally = doubts.of_words(words, pictured=pictured, begun=begun), Counter[str]()
        found = self._doubted(doubt, update, update["turn"], config, tally)
        if found and not words.strip() and not found["ask"]:
            return {"problem": found["question"]}
        return {"doubt": found, "work": _worked(update, tally)} if found else {"doubt": None}

    # --- the stages

    def caption(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The pictures of the request, by id, and the reference in words where the imaginer will need them."""
        query, pixels = self._query(state)
        features, tally = self._engine.features, Counter[str]()
        began = time.perf_counter()
        if pixels:  # pictures of a message cannot be opened again, and pixels do not go into the state
            features.images(list(pixels), pixels, tally)
        update: Update = {"query": query.model_dump(mode="json"), "liked": [*query.liked]}
        update |= {"disliked": [*query.disliked], "reference": query.reference if state.get("reference") else None}
        needed = "imagined" in speaking(request_of(query, self._path(state))).needs
        if query.reference and (needed or query.reference in pixels):
            _tell("caption", reference=query.reference)
            update["caption"] = features.captions([query.reference], pixels, tally=tally)[query.reference]
        counts = {"image_encodes": tally["images"], "captions_made": tally["captions"]}
        return update | {"work": _worked(state, counts, caption=time.perf_counter() - began)}

    def _query(self, state: DialogueState) -> tuple[ComposedQuery, dict[str, Image.Image]]:
        engine, words, options = self._engine, state["modification"], SearchOptions(where=state.get("where"))
        reference, liked, disliked = state.get("reference"), state.get("liked") or (), state.get("disliked") or ()
        if turn := state.get("turn"):
            parent = engine.catalog.turn(turn)
            return engine.prepare_refinement(
                parent, words, options, reference=reference, liked=liked, disliked=disliked
            )
        if liked or disliked:
            raise InvalidRequestError("There is no turn to lean on: search first, then say which hits you like.")
        return engine.prepare_search(reference or None, words, options.updated(k=self._k or None))

    def imagine(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The target in words; nothing where the round adds no words, or searches with them as they are."""
        query, path = ComposedQuery(**state["query"] or {}), self._path(state)
        request = request_of(query, path)
        if "imagined" not in speaking(request).needs:
            return {"start": doubts.ANYTHING} if query.modification and query.reference is None else {}
        wanted = to_imagine(request, state.get("caption") or "")
        if not isinstance(wanted, ImagineRequest):
            return {}
        _tell("imagine", caption=wanted.caption, modification=wanted.modification)
        began = time.perf_counter()
        imagination = self._engine.imagine.invoke(wanted, config)
        return {
            "imagined": _as_json(imagination),
            "start": wanted.history[-1][1].description if wanted.history else wanted.caption,
            "work": _worked(state, {}, imagine=time.perf_counter() - began),
        }

    def compose(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The features that the probe is made of. They go into the catalog, where the search finds them."""
        query, imagination = ComposedQuery(**state["query"] or {}), _imagination(state)
        _tell("compose", imagined=imagination.target.description if imagination else None)
        began = time.perf_counter()
        request = request_of(query, self._path(state), None, imagination)
        composed = self._engine.compose.invoke(request, config)
        counts = {name: n for name, n in composed.counts.items() if name != "llm_calls"}  # the search tells of those
        return {"work": _worked(state, counts, compose=time.perf_counter() - began)}

    def search(self, state: DialogueState, config: RunnableConfig) -> Update:
        """The turn, stored; and whether its hits show what was asked for."""
        query, imagination = ComposedQuery(**state["query"] or {}), _imagination(state)
        _tell("search", composer=query.composer, k=query.k)
        result = self._engine.answer(query, self._path(state), imagination=imagination, config=config)
        self._engine.catalog.put_turn(result.turn)
        tally = Counter[str]()
        doubt = state.get("doubt")
        if doubt is None:
            unmatched = self._unmatched(state, result.turn, tally)
            doubt = self._doubted(unmatched, state, result.turn.id, config, tally, found_in(result.turn))
        texts = {"text_encodes": result.counts["text_encodes"] + tally.pop("texts", 0)}
        found = {**result.counts, **texts, **tally}
        work = _worked(state, found, search=result.timings["total"])
        timings = {**work["seconds"], "total": sum(work["seconds"].values())}
        counts = {name: int(n) for name, n in work["counts"].items()}
        return {
            "doubt": doubt,
            "work": work,
            **self._found(result.model_copy(update={"timings": timings, "counts": counts})),
        }

    def _unmatched(self, state: DialogueState, turn: Turn, tally: Counter[str]) -> Clarification | None:
        """Whether the hits are none, or none that shows what the words of this round ask for."""
        if not turn.hits:
            return doubts.of_filter(turn.query.where)
        start, features = state.get("start"), self._engine.features
        wanted = turn.imagined.description if turn.imagined else turn.query.modification
        if start is None or start == wanted:
            return None
        to, away = features.texts([wanted, start], tally)
        hits = self._engine.catalog.features([hit.id for hit in turn.hits], features.space)
        return doubts.of_hits(np.stack([*hits.values()]), to, away, state["modification"])

    # --- the end of a round

    def ask(self, state: DialogueState, config: RunnableConfig) -> Update:
        """One question; its answer stands in the place of what was said, unless it says otherwise."""
        doubt = state["doubt"] or {}
        reply = interrupt({name: doubt[name] for name in ("question", "why", "turn")})
        said = reply if isinstance(reply, dict) else {"text": str(reply or "")}
        text, why = str(said.get("text") or "").strip(), doubt["why"]
        picture = str(said.get("reference") or "") or (as_picture(text) if why == "no picture" else None)
        told = [AIMessage(doubt["question"]), HumanMessage(text or picture or "")]
        update: Update = {"messages": told, "asked": True, "doubt": None}
        verdict = doubts.settles(text, why)
        if verdict == "keep" and not picture:
            return update
        update |= {"result": None, "imagined": None, "start": None} | ({"where": {}} if why == "filter" else {})
        if verdict == "lift" or (picture and text in ("", picture)):
            return update | ({"reference": picture} if picture else {})
        return update | self._meant(understood(text, state.get("turn"), _last(state)), state, picture)

    def answer(self, state: DialogueState) -> Update:
        """The answer in words; the turn becomes the one to go on from, and what was given for the round is used up."""
        result, problem, doubt = state.get("result"), state.get("problem"), state.get("doubt")
        if problem or not result:
            _tell("answer", turn=None)
            told = {"messages": [AIMessage(problem or "")], "result": None, "doubt": None}
            return {**_NOTHING_GIVEN, **told, "turn": self._standing(state)}
        _tell("answer", turn=result["turn"])
        words = [state.get("text") or "", *([f"In doubt: {doubt['told']}"] if doubt else [])]
        turn = result["turn"]
        return {**_NOTHING_GIVEN, "messages": [AIMessage("\n".join(words))], "turn": turn, "stood": turn}

    def _standing(self, state: DialogueState) -> str | None:
        """The turn that the next round builds on after a failed one: a turn that does not exist is not kept."""
        turn = state.get("turn")
        try:
            return self._engine.catalog.turn(turn).id if turn else None
        except IPCIRError:
            return state.get("stood")

    def _found(self, result: SearchResult) -> Update:
        return {"result": result_json(result), "text": result_text(result)}

    def _doubted(
        self,
        doubt: Clarification | None,
        state: DialogueState | Update,
        turn: str | None,
        config: RunnableConfig,
        tally: Counter[str],
        found: Sequence[str] = (),
    ) -> Update | None:
        """A doubt as the state keeps it: asked, where a round may stop and has not asked yet; else only told."""
        if doubt is None:
            return None
        ask = self._ask and not state.get("asked") and _is_kept()
        question = Question(doubt.question)
        if ask:
            question = self._wording.invoke(UnclearRequest(state["modification"], doubt, found), config)
            _tell("ask", why=doubt.why, **question.told)
        if question.calls:
            tally["ask_calls"] += question.calls
        return {**asdict(doubt), "question": question.text, "turn": turn, "ask": ask, "by": question.by}

    def _path(self, state: DialogueState) -> Sequence[Turn]:
        turn = state.get("turn")
        return self._engine.catalog.path(turn) if turn else ()


def _is_kept() -> bool:
    """Whether this run has a checkpointer, without which an interrupt cannot be answered.

    LangGraph has no public name for it: a server puts its own in, and a thread's id is there without one, too.
    """
    return get_config()["configurable"].get("__pregel_checkpointer") is not None


def _tell(stage: str, **known: Any) -> None:
    """Stream that a stage begins."""
    get_stream_writer()({"stage": stage, **known})
