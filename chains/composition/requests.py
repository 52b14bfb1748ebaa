"""The request of a turn, from the turns before it: its words, its target so far, its feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest, NotedCaption
from ipcir_tools.chains.imagination.rules.references import meant_as_a_whole
from ipcir_tools.composers import COMPOSERS, Composer, composer_named
from ipcir_tools.types import DEFAULT_COMPOSER, ComposedQuery, FloatArray, ImaginedTarget, NotedReference, Turn

if TYPE_CHECKING:
    from PIL import Image


PICKED = "(took another picture as the reference)"
"""The step of the history that stands for a change of the reference, beside the new reference's caption."""

FADING = 0.5
"""What a judgement keeps of its weight for each later edit: the target has moved on from what was judged."""


@dataclass(frozen=True)
class Step:
    """An earlier turn with words: its modification, and the target that was imagined, if one was."""

    modification: str
    imagined: ImaginedTarget | None


@dataclass(frozen=True)
class ComposeRequest:
    """What is to be composed. ``reference`` is the id of a picture that the catalog knows; None: words alone."""

    reference: str | None
    modification: str
    composer: str = DEFAULT_COMPOSER
    """A composer's name, with its parameters where they are not its own: ``discount:b=0.5``."""
    weight: float | None = None
    """Weight of the text; None: the composer's own."""
    others: tuple[NotedReference, ...] = ()
    """Further references, and what is meant of each."""
    note: str = ""
    """What is meant of ``reference``."""
    history: tuple[Step, ...] = ()
    """The turns before, root first."""
    picked: int = 0
    """How many of ``history`` came before the reference was chosen: its own caption replaces them."""
    liked: Mapping[str, float] = field(default_factory=dict)
    """Pictures to be more like, by id, with the weight of each judgement: 1 until the next edit."""
    disliked: Mapping[str, float] = field(default_factory=dict)
    pixels: Mapping[str, Image.Image] = field(default_factory=dict)
    """Pictures that are open already, by id."""
    imagination: Imagination | None = None
    """The imagined target, where a caller has it already."""
    shown: str | None = None
    """The first hit of the turn before, where this request edits further and nobody liked it."""

    @property
    def words(self) -> tuple[str, ...]:
        """All modifications since the reference was chosen."""
        earlier = [step.modification for step in self.history[self.picked :]]
        return tuple(text for text in (*earlier, self.modification) if text)

    @property
    def left_out(self) -> frozenset[str]:
        """Pictures that are no hits: the references, and what was judged since the last edit."""
        judged = {id_ for weights in (self.liked, self.disliked) for id_, weight in weights.items() if weight == 1.0}
        return frozenset({*judged, *self.references})

    @property
    def references(self) -> tuple[str, ...]:
        """All references, the first one first; none where the words alone are searched for."""
        first = () if self.reference is None else (self.reference,)
        return (*first, *(each.id for each in self.others))

    @property
    def text(self) -> str:
        """The words as one text, for composers that use them as they were typed."""
        return ", ".join(self.words)


def request_of(
    query: ComposedQuery,
    path: Sequence[Turn],
    pixels: Mapping[str, Image.Image] | None = None,
    imagination: Imagination | None = None,
) -> ComposeRequest:
    """The request of a query that builds on the turns of ``path``, root first.

    Where one of the references changes, or its note, what was said before is history; further ones only add to it.
    """
    history: list[Step] = []
    picked = 0
    references = path[0].query.references if path else query.references
    liked: dict[str, float] = {}
    disliked: dict[str, float] = {}
    for each, imagined in [*((turn.query, turn.imagined) for turn in path), (query, None)]:
        if each.references != references and not _are_more(each.references, references):
            picked = len(history)
            liked, disliked = {}, {}
        references = each.references
        if each.modification:
            liked, disliked = _fade(liked), _fade(disliked)
            history.append(Step(each.modification, imagined))
        elif imagined is not None and imagined.origin == "person" and len(history) > picked:
            history[-1] = replace(history[-1], imagined=imagined)  # it takes the place of the one that was edited
        _judge(each, liked, disliked)
    if query.modification:
        history.pop()
    first = path[-1].hits[0].id if path and path[-1].hits else None
    return ComposeRequest(
        reference=query.reference,
        modification=query.modification,
        others=query.others,
        note=query.note,
        composer=query.composer,
        weight=query.weight,
        history=tuple(history),
        picked=picked,
        liked=liked,
        disliked=disliked,
        pixels=pixels or {},
        imagination=imagination,
        shown=first if query.modification and len(history) > picked and first not in liked else None,
    )


def _are_more(references: Sequence[NotedReference], before: Sequence[NotedReference]) -> bool:
    """Whether all references of before are still there, and others after them."""
    return bool(before) and tuple(references[: len(before)]) == tuple(before)


def _fade(weights: dict[str, float]) -> dict[str, float]:
    return {id_: weight * FADING for id_, weight in weights.items()}


def _judge(query: ComposedQuery, liked: dict[str, float], disliked: dict[str, float]) -> None:
    """Of several judgements of a picture the last one counts."""
    for id_ in query.liked:
        disliked.pop(id_, None)
        liked[id_] = 1.0
    for id_ in query.disliked:
        liked.pop(id_, None)
        disliked[id_] = 1.0


PART_OF_IT = 0.25
"""The weight of a reference that is meant in part ("its collar") beside one that is meant as a whole: what is meant of
it is in the imagined text. Measured on the wardrobe's validation part (``wardrobe-references``, ``edit``), R@1: 38.0
at 1, 62.5 at 0.5, 66.5 at 0.25, 68.5 at 0."""


def reference_weights(request: ComposeRequest) -> FloatArray:
    """The weight of each reference's feature ``[references]``, and of its caption's, in their mean."""
    notes = [request.note, *(each.note for each in request.others)]
    whole = meant_as_a_whole(request.text, notes)
    return np.array([1.0 if each else PART_OF_IT for each in whole], np.float32)


def effective_composer(request: ComposeRequest) -> Composer:
    """The composer of the request, or a simpler one in its place where there are no words or no reference."""
    composer = composer_named(request.composer)
    if request.reference is None:
        edited = composer.imagines and len(request.words) > 1
        return COMPOSERS["imagined" if edited else "modification"]
    return composer if request.words else COMPOSERS["reference"]


def imagine_request(
    request: ComposeRequest, caption: str, others: Sequence[str] = ()
) -> ImagineRequest | ImaginedTarget:
    """The request to the imagination, or the target so far where this request adds no words to it.

    Turns that imagined nothing (another composer answered them) hand their words on to the next that does. Where there
    is no reference, the first words stand for its caption. ``others`` are the captions of further references; the
    notes on all of them hold for the first target, which later turns go on from.
    """
    history, picked = request.history, request.picked
    if request.reference is None and history:
        caption, history = history[0].modification, history[1:]
    steps, waiting = _imagined_steps(history, picked, caption)
    text = ", ".join([*waiting, *([request.modification] if request.modification else [])])
    if not text:
        return steps[-1][1]
    applied = any(step.imagined is not None for step in request.history[request.picked :])
    noted = zip(others, request.others, strict=False)
    return ImagineRequest(
        caption,
        text,
        tuple(steps),
        request.reference,
        request.pixels.get(request.reference or ""),
        note="" if applied else request.note,
        others=tuple(NotedCaption(text, "" if applied else other.note) for text, other in noted),
    )


def _imagined_steps(
    history: Sequence[Step], picked: int, caption: str
) -> tuple[list[tuple[str, ImaginedTarget]], list[str]]:
    """The history for the imagination, and the modifications since that have no imagined target yet."""
    steps: list[tuple[str, ImaginedTarget]] = []
    waiting: list[str] = []
    for i, step in enumerate(history):
        if i == picked and i:
            steps.append((PICKED, _as_target(caption)))
            waiting = []
        waiting.append(step.modification)
        if step.imagined is not None:
            steps.append((", ".join(waiting), step.imagined))
            waiting = []
    if picked and picked == len(history):
        steps.append((PICKED, _as_target(caption)))
        waiting = []
    return steps, waiting


def _as_target(caption: str) -> ImaginedTarget:
    return ImaginedTarget(description=caption or "a picture", origin="rules")
