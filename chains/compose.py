"""Reference + modification (+ the turns before) -> the probe: caption, imagine, encode, compose.

Many requests are composed as cheaply as one: captions, imaginations and features are each made in one batch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ipcir_tools.chains.imagine import Imagination, ImagineRequest
from ipcir_tools.chains.requests import ComposeRequest, Step, request_of, speaking, to_imagine
from ipcir_tools.composers import Composer, Parts
from ipcir_tools.composers.feedback import with_feedback
from ipcir_tools.types import FloatArray, ImaginedTarget, Probe

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.catalog import Progress
    from ipcir_tools.features import Features

__all__ = ["ComposeRequest", "Composed", "Step", "build_compose_chain", "compose_all", "request_of"]

CONCURRENCY = 8
"""Imaginations that run at a time."""


@dataclass(frozen=True)
class Composed:
    """A probe and all that went into it. Features are ``[d]`` float32 of unit norm, None where not needed."""

    probe: Probe
    weight: float
    image: FloatArray | None
    text: FloatArray | None
    caption: str | None
    imagination: Imagination | None
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds by part, shared by all requests that were composed together."""
    counts: dict[str, int] = field(default_factory=dict)
    """What the models did for all of them: ``image_encodes``, ``captions_made``, ``text_encodes``, ``llm_calls``."""


def build_compose_chain(
    features: Features, imagine: Runnable[ImagineRequest, Imagination]
) -> Runnable[ComposeRequest, Composed]:
    """The composition of one request as a Runnable. Raises whatever the models and the catalog raise."""

    def compose(request: ComposeRequest, config: RunnableConfig) -> Composed:
        return compose_all([request], features, imagine, config)[0]

    return RunnableLambda(compose, name="compose")


def compose_all(
    requests: Sequence[ComposeRequest],
    features: Features,
    imagine: Runnable[ImagineRequest, Imagination],
    config: RunnableConfig | None = None,
    progress: Progress | None = None,
) -> list[Composed]:
    """Compose all requests, in order; every part is computed only if a composer needs it."""
    work = _Work()
    composers = [speaking(request) for request in requests]
    pixels = {id_: picture for request in requests for id_, picture in request.pixels.items()}
    seen = _seen(requests, composers)
    told = {i: r for i, (r, c) in enumerate(zip(requests, composers, strict=True)) if "imagined" in c.needs}
    with work.part("encode_image", bool(seen)):
        images = features.images(seen, pixels, work.tally) if seen else {}
    with work.part("caption", bool(told)):
        captions = _captioned(told.values(), features, pixels, progress, work.tally)
    with work.part("imagine", bool(told)):
        imagined = _imagined(told, captions, imagine, config)
    with work.part("encode_text", any(c.text for c in composers)):
        texts = _encoded(requests, composers, imagined, features, work.tally)
    counts = work.counts(imagined.values())
    return [
        _composed(request, composer, images, texts, captions, imagined.get(i), work.seconds, counts)
        for i, (request, composer) in enumerate(zip(requests, composers, strict=True))
    ]


def _seen(requests: Sequence[ComposeRequest], composers: Sequence[Composer]) -> list[str]:
    """The pictures whose features are needed: references, and what was liked or disliked."""
    wanted = [r.reference for r, c in zip(requests, composers, strict=True) if "reference" in c.needs]
    judged = [id_ for request in requests for id_ in (*request.liked, *request.disliked)]
    return [id_ for id_ in dict.fromkeys([*wanted, *judged]) if id_ is not None]


def _captioned(
    requests: Iterable[ComposeRequest],
    features: Features,
    pixels: Mapping[str, Image.Image],
    progress: Progress | None,
    tally: Counter[str],
) -> dict[str, str]:
    """Captions of the references; only the imaginer needs one, so none is made where a target is there already."""
    wanted = [r.reference for r in requests if r.reference is not None and r.imagination is None]
    given = [r.reference for r in requests if r.reference is not None and r.imagination is not None]
    made = features.captions(wanted, pixels, progress, tally) if wanted else {}
    return made | (features.known_captions(given) if given else {})


def _imagined(
    requests: Mapping[int, ComposeRequest],
    captions: Mapping[str, str],
    imagine: Runnable[ImagineRequest, Imagination],
    config: RunnableConfig | None,
) -> dict[int, Imagination]:
    """The imaginations by the position of their request."""
    found = {i: request.imagination for i, request in requests.items() if request.imagination is not None}
    asked: dict[int, ImagineRequest] = {}
    for i, request in requests.items():
        if i in found:
            continue
        wanted = to_imagine(request, captions.get(request.reference or "", ""))
        if isinstance(wanted, ImaginedTarget):
            found[i] = Imagination(wanted, prompt=None, warnings=(), calls=0, cached=True)
        else:
            asked[i] = wanted
    settings: RunnableConfig = {**(config or {}), "max_concurrency": CONCURRENCY}
    return found | dict(zip(asked, imagine.batch(list(asked.values()), settings), strict=True))


def _encoded(
    requests: Sequence[ComposeRequest],
    composers: Sequence[Composer],
    imagined: Mapping[int, Imagination],
    features: Features,
    tally: Counter[str],
) -> dict[str, FloatArray]:
    """Features of all texts that some composer needs, by text."""
    texts = {r.asked for r, c in zip(requests, composers, strict=True) if "modification" in c.needs}
    texts |= {imagination.target.description for imagination in imagined.values()}
    ordered = sorted(texts)
    return dict(zip(ordered, features.texts(ordered, tally), strict=True)) if ordered else {}


def _composed(
    request: ComposeRequest,
    composer: Composer,
    images: Mapping[str, FloatArray],
    texts: Mapping[str, FloatArray],
    captions: Mapping[str, str],
    imagination: Imagination | None,
    timings: dict[str, float],
    counts: dict[str, int],
) -> Composed:
    reference = request.reference or ""
    parts = Parts(
        weight=composer.weight if request.weight is None else request.weight,
        reference=images.get(reference) if "reference" in composer.needs else None,
        modification=texts[request.asked] if "modification" in composer.needs else None,
        imagined=texts[imagination.target.description] if imagination and "imagined" in composer.needs else None,
    )
    liked, disliked = (
        [(images[id_], weight) for id_, weight in judged.items()] for judged in (request.liked, request.disliked)
    )
    return Composed(
        probe=with_feedback(composer.compose(parts), liked, disliked),
        weight=parts.weight,
        image=parts.reference,
        text=getattr(parts, composer.text) if composer.text else None,
        caption=captions.get(reference) if imagination else None,
        imagination=imagination,
        timings=timings,
        counts=counts,
    )


class _Work:
    """How long each part took and what was made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.tally: Counter[str] = Counter()

    @contextmanager
    def part(self, name: str, counts: bool = True) -> Iterator[None]:
        began = time.perf_counter()
        yield
        if counts:
            self.seconds[name] = time.perf_counter() - began

    def counts(self, imaginations: Iterable[Imagination]) -> dict[str, int]:
        return {
            "image_encodes": self.tally["images"],
            "captions_made": self.tally["captions"],
            "text_encodes": self.tally["texts"],
            "llm_calls": sum(imagination.calls for imagination in imaginations),
        }
