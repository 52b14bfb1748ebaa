"""Reference + modification (+ the turns before) -> the probe: caption, imagine, encode, compose.

Many requests are composed as cheaply as one: captions, imaginations and features are each made in one batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from ipcir_tools.chains.imagine import Imagination, ImagineRequest
from ipcir_tools.composers import Composer, Parts, composer_named
from ipcir_tools.types import FloatArray, ImaginedTarget, Probe

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.catalog import Progress
    from ipcir_tools.features import Features

CONCURRENCY = 8
"""Imaginations that run at a time."""


@dataclass(frozen=True)
class Step:
    """An earlier turn: what was asked, and the target that was imagined, if one was."""

    modification: str
    imagined: ImaginedTarget | None


@dataclass(frozen=True)
class ComposeRequest:
    """What is to be composed. ``reference`` is the id of a picture that the catalog knows."""

    reference: str
    modification: str
    composer: str = "imagined+reference"
    weight: float | None = None
    """Weight of the text; None: the composer's own."""
    history: tuple[Step, ...] = ()
    """The turns before, root first."""
    pixels: Image.Image | None = None
    """The reference picture where it is open already."""


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
    clock = _Clock()
    composers = [composer_named(request.composer) for request in requests]
    pixels = {request.reference: request.pixels for request in requests if request.pixels is not None}
    seen = [r.reference for r, c in zip(requests, composers, strict=True) if "reference" in c.needs]
    told = {i: r for i, (r, c) in enumerate(zip(requests, composers, strict=True)) if "imagined" in c.needs}
    with clock.part("encode_image", bool(seen)):
        images = features.images(seen, pixels) if seen else {}
    with clock.part("caption", bool(told)):
        captions = features.captions([r.reference for r in told.values()], pixels, progress) if told else {}
    with clock.part("imagine", bool(told)):
        imagined = _imagined(told, captions, imagine, config)
    with clock.part("encode_text", any(c.text for c in composers)):
        texts = _encoded(requests, composers, imagined, features)
    return [
        _composed(request, composer, images, texts, captions, imagined.get(i), clock.seconds)
        for i, (request, composer) in enumerate(zip(requests, composers, strict=True))
    ]


def asked(request: ComposeRequest) -> str:
    """All modifications of the dialogue as one text, for composers that use the words as they were typed."""
    return ", ".join([*(step.modification for step in request.history), request.modification])


def _imagined(
    requests: dict[int, ComposeRequest],
    captions: dict[str, str],
    imagine: Runnable[ImagineRequest, Imagination],
    config: RunnableConfig | None,
) -> dict[int, Imagination]:
    """The imaginations by the position of their request."""
    wanted = [_imagine_request(request, captions[request.reference]) for request in requests.values()]
    settings: RunnableConfig = {**(config or {}), "max_concurrency": CONCURRENCY}
    return dict(zip(requests, imagine.batch(wanted, settings), strict=True))


def _imagine_request(request: ComposeRequest, caption: str) -> ImagineRequest:
    """Turns that imagined nothing (another composer answered them) hand their words on to the next that does."""
    history: list[tuple[str, ImaginedTarget]] = []
    waiting: list[str] = []
    for step in request.history:
        waiting.append(step.modification)
        if step.imagined is not None:
            history.append((", ".join(waiting), step.imagined))
            waiting = []
    return ImagineRequest(caption, ", ".join([*waiting, request.modification]), tuple(history))


def _encoded(
    requests: Sequence[ComposeRequest],
    composers: Sequence[Composer],
    imagined: dict[int, Imagination],
    features: Features,
) -> dict[str, FloatArray]:
    """Features of all texts that some composer needs, by text."""
    texts = {asked(r) for r, c in zip(requests, composers, strict=True) if "modification" in c.needs}
    texts |= {imagination.target.description for imagination in imagined.values()}
    ordered = sorted(texts)
    return dict(zip(ordered, features.texts(ordered), strict=True)) if ordered else {}


def _composed(
    request: ComposeRequest,
    composer: Composer,
    images: dict[str, FloatArray],
    texts: dict[str, FloatArray],
    captions: dict[str, str],
    imagination: Imagination | None,
    timings: dict[str, float],
) -> Composed:
    parts = Parts(
        weight=composer.weight if request.weight is None else request.weight,
        reference=images.get(request.reference) if "reference" in composer.needs else None,
        modification=texts[asked(request)] if "modification" in composer.needs else None,
        imagined=texts[imagination.target.description] if imagination and "imagined" in composer.needs else None,
    )
    return Composed(
        probe=composer.compose(parts),
        weight=parts.weight,
        image=parts.reference,
        text=getattr(parts, composer.text) if composer.text else None,
        caption=captions.get(request.reference) if imagination else None,
        imagination=imagination,
        timings=timings,
    )


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str, counts: bool = True) -> Iterator[None]:
        began = time.perf_counter()
        yield
        if counts:
            self.seconds[name] = time.perf_counter() - began
