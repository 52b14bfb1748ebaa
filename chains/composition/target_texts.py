"""Captions and imaginations of many requests, and the texts that their composers need of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_core.runnables import Runnable, RunnableConfig

from ipcir_tools.chains.composition.caption_change import completed_caption
from ipcir_tools.chains.composition.requests import ComposeRequest, imagine_request
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.composers import Composer, Part
from ipcir_tools.llm.slots import CONCURRENCY
from ipcir_tools.types import ImaginedTarget

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.batches import Progress
    from ipcir_tools.store.features import Features


ROWS: frozenset[Part] = frozenset({"captions", "edits"})
"""Parts that are several features."""
TEXTS: frozenset[Part] = ROWS.union({"modification", "imagined", "caption", "before", "add", "keep", "remove"})
"""Parts that are features of texts."""

Requests = Mapping[int, tuple[ComposeRequest, Composer]]
"""Requests by their position among all, each with its composer."""


@dataclass(frozen=True)
class Captions:
    """Captions of one request's references."""

    first: tuple[str, ...] = ()
    """Of the first reference, the best one first; none where there is no reference, or where none is needed."""
    others: tuple[str, ...] = ()
    """One of each further reference, in order."""


@dataclass(frozen=True)
class TargetTexts:
    """The imagined targets of one request: one from each caption of the reference, the best caption first."""

    captions: tuple[str, ...]
    imaginations: tuple[Imagination, ...]
    others: tuple[str, ...] = ()
    """Captions of the other references."""

    @property
    def first(self) -> Imagination:
        """The imagination that is shown."""
        return self.imaginations[0]

    @property
    def caption(self) -> str | None:
        """The caption that it was imagined from."""
        return self.captions[0] if self.captions else None

    @property
    def different(self) -> tuple[Imagination, ...]:
        """Each imagination once; equal captions share one."""
        return tuple({id(each): each for each in self.imaginations}.values())

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        """(caption, edit) for each description and each alternative of it."""
        return tuple(
            (caption, edit)
            for caption, imagination in zip(self.captions, self.imaginations, strict=False)
            for edit in (imagination.target.description, *imagination.target.alternatives)
        )


def caption_references(
    requests: Requests,
    features: Features,
    pixels: Mapping[str, Image.Image],
    progress: Progress | None,
    tally: Counter[str],
) -> dict[int, Captions]:
    """The captions of all references; where a target is there already, what is known or what a composer needs."""
    wanted: dict[int, list[str]] = defaultdict(list)
    given: list[str] = []
    for request, composer in requests.values():
        if request.imagination is None or composer.needs & {"caption", "before", "captions"}:
            wanted[_breadth(request, composer)] += request.references[:1]
            wanted[1] += request.references[1:]
        else:
            given += request.references
    made = {n: features.several_captions(ids, n, pixels, progress, tally) for n, ids in wanted.items() if ids}
    known = {id_: (caption,) for id_, caption in features.known_captions(given).items()} if given else {}

    def captions(request: ComposeRequest, composer: Composer) -> Captions:
        one = known | made.get(1, {})
        first = made.get(_breadth(request, composer), {}) if request.imagination is None else one
        return Captions(
            first.get(request.reference or "", ()), tuple(one[each.id][0] for each in request.others if each.id in one)
        )

    return {i: captions(*pair) for i, pair in requests.items()}


def _breadth(request: ComposeRequest, composer: Composer) -> int:
    """How many captions: a target that is there already came from one."""
    return int(composer.parameters.get("captions", 1)) if request.imagination is None else 1


def imagine_targets(
    requests: Requests,
    captions: Mapping[int, Captions],
    imagine: Runnable[ImagineRequest, Imagination],
    config: RunnableConfig | None,
) -> dict[int, TargetTexts]:
    """The target texts of each request; all new imaginations are made in one batch, as many at a time as
    ``max_concurrency`` of the config says."""
    found: dict[tuple[int, str], Imagination] = {}
    new: dict[tuple[int, str], ImagineRequest] = {}
    for i, (request, _) in requests.items():
        for caption in dict.fromkeys(captions[i].first or ("",)):
            wanted = request.imagination or imagine_request(request, caption, captions[i].others)
            if isinstance(wanted, ImagineRequest):
                new[i, caption] = wanted
            else:
                found[i, caption] = _as_imagination(wanted)
    given = config or {}
    settings: RunnableConfig = {**given, "max_concurrency": given.get("max_concurrency") or CONCURRENCY}
    if len(new) == 1:
        found |= {key: imagine.invoke(request, config) for key, request in new.items()}
    else:
        found |= dict(zip(new, imagine.batch(list(new.values()), settings), strict=True))
    return {
        i: TargetTexts(each.first, tuple(found[i, caption] for caption in each.first or ("",)), each.others)
        for i, each in captions.items()
    }


def _as_imagination(target: Imagination | ImaginedTarget) -> Imagination:
    if isinstance(target, Imagination):
        return target
    return Imagination(target, prompt=None, warnings=(), calls=0, cached=True)


def part_texts(part: Part, request: ComposeRequest, target_texts: TargetTexts | None) -> Sequence[str]:
    """The texts whose features a part is, several where it is their mean; none where the part is nothing."""
    if part == "modification" or target_texts is None:
        return [request.text] if part == "modification" else []
    target = target_texts.first.target
    lists = {"add": target.add, "keep": target.keep, "remove": target.remove}
    if part in lists:
        return [", ".join(lists[part])] if lists[part] else []
    if part in ROWS:
        return [pair[part == "edits"] for pair in target_texts.edits]
    if part == "imagined":
        return [target.description]
    first = target_texts.caption or ""
    if part == "before":
        return [completed_caption(first, target), *target_texts.others] if first else []
    return [first, *target_texts.others]
