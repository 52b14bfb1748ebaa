"""Parts that are made of other parts: drawn pictures, and the features of trained networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.chains.composition.target_texts import TargetTexts
from ipcir_tools.composers import Composer, Part, Parts, TrainedComposer
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable
    from PIL import Image

    from ipcir_tools.batches import Progress
    from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
    from ipcir_tools.models.image_generator import ImageGenerator
    from ipcir_tools.models.trained_networks import TrainedNetwork
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

    def trained_network(self, name: str) -> TrainedNetwork:
        """The trained network of the composer of that name."""
        ...


@dataclass(frozen=True)
class Tools:
    """What the parts are made with, and who is told of it."""

    bricks: Bricks
    pixels: Mapping[str, Image.Image]
    progress: Progress | None
    tally: Counter[str]


def require(bricks: Bricks, composers: Iterable[Composer]) -> None:
    """Load the models that some composer needs beyond encoder and captioner, before anything is paid for.

    Raises ModelUnavailableError.
    """
    for composer in composers:
        if "drawn" in composer.needs:
            _ = bricks.image_generator
        if isinstance(composer, TrainedComposer):
            bricks.trained_network(composer.name)


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


def from_network(jobs: Sequence[Job], tools: Tools) -> list[FloatArray]:
    """The features ``[d]`` that the trained network of one composer, the same for all jobs, makes of each."""
    composer = jobs[0].composer
    assert isinstance(composer, TrainedComposer)
    network = tools.bricks.trained_network(composer.name)
    requests = [(job.request.reference or "", job.request.asked) for job in jobs]

    def make(positions: Sequence[int]) -> FloatArray:
        return composer.apply(network, [jobs[i].parts for i in positions], [requests[i][1] for i in positions])

    if not composer.stored:
        return list(make(range(len(jobs))))
    return list(tools.bricks.features.from_network([network.id, composer.spec], requests, make, tools.tally))
