"""Parts that are made of other parts: drawn pictures, sentences with a picture for a word, aligned proxies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.chains.composition.target_texts import TargetTexts
from ipcir_tools.composers import Composer, Part, Parts, fusion
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable
    from PIL import Image

    from ipcir_tools.batches import Progress
    from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
    from ipcir_tools.models.image_generator import ImageGenerator
    from ipcir_tools.models.network import Network
    from ipcir_tools.models.trained_networks import Inverter
    from ipcir_tools.store.features import Features


@dataclass(frozen=True)
class Job:
    """One request with all that was made for it so far."""

    request: ComposeRequest
    composer: Composer
    told: TargetTexts | None
    parts: Parts

    def with_part(self, part: Part, feature: FloatArray) -> Job:
        """The same with one part more."""
        more: dict[str, Any] = {part: feature}
        return replace(self, parts=replace(self.parts, **more))


class Bricks(Protocol):
    """Each is made when it is first asked for. Raises ModelUnavailableError for one that cannot be had."""

    @property
    def features(self) -> Features:
        """Features and captions, made once ever."""
        ...

    @property
    def imagine(self) -> Runnable[ImagineRequest, Imagination]:
        """The imagination."""
        ...

    @property
    def image_generator(self) -> ImageGenerator:
        """What draws a description."""
        ...

    def inverter(self, method: Literal["pic2word", "searle"]) -> Inverter:
        """What turns a picture into a word."""
        ...

    @property
    def aligner(self) -> Network:
        """What moves a proxy towards targets."""
        ...


@dataclass(frozen=True)
class Tools:
    """What the parts are made with, and who is told of it."""

    bricks: Bricks
    pixels: Mapping[str, Image.Image]
    progress: Progress | None
    tally: Counter[str]


def require(bricks: Bricks, needs: frozenset[Part]) -> None:
    """Meet what some composer needs, before anything is paid for. Raises ModelUnavailableError."""
    if "drawn" in needs:
        _ = bricks.image_generator
    if "pic2word" in needs:
        bricks.inverter("pic2word")
    if "searle" in needs:
        bricks.inverter("searle")
    if "aligned" in needs:
        _ = bricks.aligner


def drawn(jobs: Sequence[Job], tools: Tools) -> list[FloatArray]:
    """Features ``[p, d]`` of pictures drawn of each description."""
    asked = [
        (job.told.first.target.description if job.told else "", job.request.reference or "", _drawings(job))
        for job in jobs
    ]
    found = {
        n: tools.bricks.features.drawn(
            tools.bricks.image_generator,
            [(text, reference) for text, reference, wanted in asked if wanted == n],
            n,
            tools.pixels,
            tools.progress,
            tools.tally,
        )
        for n in dict.fromkeys(n for _, _, n in asked)
    }
    return [found[n][text, reference] for text, reference, n in asked]


def _drawings(job: Job) -> int:
    return int(job.composer.parameters.get("drawings", 1))


def inverted(method: Literal["pic2word", "searle"]) -> Callable[[Sequence[Job], Tools], list[FloatArray]]:
    """The features ``[d]`` of the sentences with each reference as a word."""

    def made(jobs: Sequence[Job], tools: Tools) -> list[FloatArray]:
        references = {job.request.reference or "": job.parts.need("reference") for job in jobs}
        asked = [(job.request.reference or "", job.request.asked) for job in jobs]
        return list(tools.bricks.features.inverted(tools.bricks.inverter(method), asked, references, tools.tally))

    return made


def aligned(jobs: Sequence[Job], tools: Tools) -> list[FloatArray]:
    """The fusions of imagined text and reference, moved by the alignment network."""
    proxies = [
        fusion.weighted(job.parts.need("imagined"), job.parts.need("reference"), job.parts.weight) for job in jobs
    ]
    return list(tools.bricks.aligner.aligned(np.stack(proxies)))


DERIVED: dict[Part, Callable[[Sequence[Job], Tools], list[FloatArray]]] = {
    "drawn": drawn,
    "pic2word": inverted("pic2word"),
    "searle": inverted("searle"),
    "aligned": aligned,
}
"""How each of these parts is made, for all requests whose composer needs it."""
