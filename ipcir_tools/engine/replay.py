"""Replay: the turns of a path answered once more, and what differs from what is stored.

Turns are immutable and hold the whole query, so the same catalog and models must give the same answers. What may
rightly differ: images were added or removed, another language model or captioner is configured, a prompt was edited.
A reference whose file is gone makes no difference: its feature and caption are stored. Hits that were reranked are
reranked again by the same model, mostly from its stored reply; images are never sent to another one: without it the
scores alone are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ipcir_tools.engine.verification import verified_amount
from ipcir_tools.types import ComposedQuery, Hit, SearchResult, Turn, is_by_chat_model

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.engine import Engine


TOLERANCE = 1e-5
"""Scores that differ by less are equal: float32 sums over one feature, added in another order or batch, differ in the
seventh digit."""
_LISTED = 3
"""Ids that a difference lists."""

What = Literal["caption", "imagined", "prompt", "models", "gallery", "hits", "scores", "judged"]


@dataclass(frozen=True)
class TurnDifference:
    """One thing that differs: of which turn, what, and both versions as text."""

    turn: str
    what: What
    stored: str
    now: str


@dataclass(frozen=True)
class Replay:
    """A path answered again, root first."""

    path: tuple[Turn, ...]
    """The stored turns."""
    results: tuple[SearchResult, ...]
    """The new answers, each with its stored turn's id and parent; none is stored."""
    differences: tuple[TurnDifference, ...]

    @property
    def same(self) -> bool:
        """Whether every turn is as it is stored."""
        return not self.differences

    @property
    def llm_calls(self) -> int:
        """Calls of a language model; stored replies cost none."""
        kinds = ("llm_calls", "rerank_calls")
        return sum(result.counts.get(kind, 0) for result in self.results for kind in kinds)


def replay(engine: Engine, turn: str, progress: Progress | None = None) -> Replay:
    """Answer a turn again, and all before it from the root; each builds on the new answers, not on the stored ones.

    Raises NotFoundError for an unknown turn, EmptyGalleryError, and SpaceMismatchError where the engine has another
    encoder than the gallery.
    """
    engine.components.check_space()
    path = engine.catalog.path(turn)
    members = set(engine.catalog.gallery_ids())
    results: list[SearchResult] = []
    differences: list[TurnDifference] = []
    for done, stored in enumerate(path):
        if progress:
            progress("replaying", done, len(path))
        given = stored.imagined if stored.imagined and stored.imagined.origin == "person" else None
        before = [result.turn for result in results]
        answer = engine.answer(_query_again(engine.components, stored), before, imagined=given)
        again = answer.turn.model_copy(update={"id": stored.id, "parent": stored.parent, "query": stored.query})
        results.append(answer.model_copy(update={"turn": again}))
        differences += differing(stored, again, members)
    return Replay(tuple(path), tuple(results), tuple(differences))


def _query_again(components: Components, stored: Turn) -> ComposedQuery:
    """The stored query: no other model is shown its hits than then, and as many are verified as there."""
    same = stored.models.get("reranker", "").startswith(f"{components.reranker} (")
    changed: dict[str, Any] = {} if same else {"rerank": 0}
    if stored.query.verify == "auto":
        changed["verify"] = verified_amount(stored.models.get("verifier"))
    elif is_by_chat_model(stored.query.verify):
        same = stored.models.get("verifier", "").startswith(f"{components.reranker} (")
        changed |= {} if same else {"verify": 0}
    return stored.query.model_copy(update=changed)


def differing(stored: Turn, again: Turn, members: Collection[str]) -> list[TurnDifference]:
    """What differs between a turn and its replay over a gallery that now holds ``members``."""
    found = [*_origin_differences(stored, again), *_hit_differences(stored.hits, again.hits, members)]
    return [TurnDifference(stored.id, what, before, now) for what, before, now in found]


def replay_json(replayed: Replay) -> dict[str, Any]:
    """A replay as plain JSON values."""
    return {
        "turn": replayed.path[-1].id,
        "path": [turn.id for turn in replayed.path],
        "same": replayed.same,
        "differences": [vars(difference) for difference in replayed.differences],
        "tolerance": TOLERANCE,
        "llm_calls": replayed.llm_calls,
    }


_Found = Iterator[tuple[What, str, str]]


def _origin_differences(stored: Turn, again: Turn) -> _Found:
    """How caption, imagined target, prompt and models differ."""
    if stored.caption != again.caption:
        yield "caption", stored.caption or "(none)", again.caption or "(none)"
    if stored.imagined != again.imagined:
        yield "imagined", *_imagined_texts(stored, again)
    if stored.prompt != again.prompt:
        yield "prompt", stored.prompt or "(none)", again.prompt or "(none)"
    for part in sorted({*stored.models, *again.models}):
        before, now = stored.models.get(part, "(none)"), again.models.get(part, "(none)")
        if before != now:
            yield "models", f"{part}: {before}", f"{part}: {now}"


def _imagined_texts(stored: Turn, again: Turn) -> tuple[str, str]:
    """The imagined targets: their descriptions, or all of them where the descriptions agree."""
    targets = stored.imagined, again.imagined
    texts = [target.description if target else "(nothing)" for target in targets]
    if texts[0] == texts[1]:
        texts = [target.model_dump_json(exclude={"description"}) if target else "(nothing)" for target in targets]
    return texts[0], texts[1]


def _hit_differences(stored: Sequence[Hit], again: Sequence[Hit], members: Collection[str]) -> _Found:
    """How the rankings differ. Where the images in both have the same scores and others differ, the gallery changed."""
    if _judged(stored) and not _judged(again):
        stored = sorted(stored, key=lambda hit: -hit.score)  # stable, so the order of ties stays
    before, now = {hit.id: hit for hit in stored}, {hit.id: hit for hit in again}
    off = [_distance(hit, now[hit.id]) for hit in stored if hit.id in now]
    new, left = [id_ for id_ in now if id_ not in before], [id_ for id_ in before if id_ not in members]
    if max(off, default=0.0) > TOLERANCE:
        yield "scores", f"{len(stored)} hits", f"{len(again)} hits, up to {max(off):.2g} away"
    elif (new or left) and (off or len(left) == len(before)):
        yield "gallery", f"{len(stored)} hits", _changed(new, left, len(again))
        return
    if _differs_in_order(stored, again):
        yield "hits", _listed(before), _listed(now)
    if _judged(again) and (other := [id_ for id_ in before if id_ in now and before[id_].judged != now[id_].judged]):
        yield "judged", f"{len(stored)} hits", f"{_listed(other)} judged otherwise"


def _judged(hits: Sequence[Hit]) -> bool:
    return any(hit.judged for hit in hits)


def _distance(before: Hit, now: Hit) -> float:
    """The largest difference of one image's scores; infinite where only one side has a score."""
    pairs = [(getattr(before, name), getattr(now, name)) for name in ("score", "image_score", "text_score")]
    return max(0.0 if a is b is None else float("inf") if a is None or b is None else abs(a - b) for a, b in pairs)


def _differs_in_order(stored: Sequence[Hit], again: Sequence[Hit]) -> bool:
    """Whether the rankings differ by more than the order of ties."""
    scores = {hit.id: hit.score for hit in stored}
    if scores.keys() != {hit.id for hit in again}:
        return True
    return any(abs(before.score - scores[now.id]) > TOLERANCE for before, now in zip(stored, again, strict=True))


def _changed(new: Sequence[str], left: Sequence[str], hits: int) -> str:
    """How the gallery changed, as far as the hits show it."""
    changes = [(new, "new among them"), (left, "not in the gallery any more")]
    what = ", ".join(f"{_listed(ids)} {how}" for ids, how in changes if ids)
    return f"{hits} hits, for the gallery changed: {what}"


def _listed(ids: Collection[str]) -> str:
    first = " ".join(list(ids)[:_LISTED]) or "(none)"
    return first + (f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else "")
