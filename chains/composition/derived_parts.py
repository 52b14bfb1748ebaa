"""Parts that are made of other parts: drawn pictures, and the features of trained networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.chains.composition.target_texts import TargetTexts
from ipcir_tools.composers import Composer, Part, Parts, TrainedComposer
from ipcir_tools.composers.fusion import normalise
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import FloatArray, Lookup

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable
    from PIL import Image

    from ipcir_tools.batches import Progress
    from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
    from ipcir_tools.composers.calibration import Calibration
    from ipcir_tools.models.image_generator import ImageGenerator
    from ipcir_tools.models.trained_networks import TrainedNetwork
    from ipcir_tools.store.features import Features


@dataclass(frozen=True)
class Job:
    """One request with all that was made for it so far."""

    request: ComposeRequest
    composer: Composer
    texts: TargetTexts | None
    parts: Parts
    warnings: tuple[str, ...] = ()

    def with_part(self, part: Part, feature: FloatArray | Lookup) -> Job:
        """The same job with one more part."""
        more: dict[str, Any] = {part: feature}
        return replace(self, parts=replace(self.parts, **more))


class CompositionModels(Protocol):
    """What a composition is made with, each loaded at its first use. Raises ModelUnavailableError where one is not
    available."""

    @property
    def features(self) -> Features:
        """Features and captions, computed once and stored."""
        ...

    @property
    def imagine(self) -> Runnable[ImagineRequest, Imagination]:
        """The imagination."""
        ...

    @property
    def calibration(self) -> Calibration:
        """The units of the composers' weights on the gallery as it is."""
        ...

    @property
    def image_generator(self) -> ImageGenerator:
        """The image generator."""
        ...

    def trained_network(self, name: str) -> TrainedNetwork:
        """The trained network of the composer of that name."""
        ...


@dataclass(frozen=True)
class DerivationContext:
    """What derived parts are made with: models, open images by id, progress and the counts of what was made."""

    models: CompositionModels
    pixels: Mapping[str, Image.Image]
    progress: Progress | None
    tally: Counter[str]


def require(models: CompositionModels, composers: Iterable[Composer]) -> None:
    """Load the models that some composer needs beyond encoder and captioner, before any model is called.

    Raises ModelUnavailableError, and EmptyGalleryError where a composer scores by the captions of a gallery that has
    hardly any.
    """
    for composer in composers:
        if composer.scores_captions:
            models.features.require_gallery_captions(composer.name)
        if "drawn" in composer.needs:
            _ = models.image_generator
        if isinstance(composer, TrainedComposer):
            models.trained_network(composer.name)


def drawn(jobs: Sequence[Job], context: DerivationContext) -> list[FloatArray]:
    """Features ``[p, d]`` of pictures drawn of each description."""
    drawings = [
        (job.texts.first.target.description if job.texts else "", job.request.reference or "", _drawings(job))
        for job in jobs
    ]
    found = {
        n: context.models.features.drawn(
            context.models.image_generator,
            [(text, reference) for text, reference, wanted in drawings if wanted == n],
            n,
            context.pixels,
            context.progress,
            context.tally,
        )
        for n in dict.fromkeys(n for _, _, n in drawings)
    }
    return [found[n][text, reference] for text, reference, n in drawings]


def counterparts(context: DerivationContext) -> Lookup:
    """Pictures of the gallery by id, each normalised with one that is drawn of its caption.

    Those without a caption, or with one that cannot be drawn, are left out. Both are pictures, so that they are added
    as they are. Drawn when they are looked up, and kept.
    """
    models, features = context.models, context.models.features

    def draw(described: Sequence[tuple[str, str]]) -> dict[tuple[str, str], FloatArray]:
        try:
            return features.drawn(models.image_generator, described, 1, context.pixels, context.progress, context.tally)
        except InvalidRequestError:  # of one caption; those that could be drawn are kept
            return {} if len(described) == 1 else {key: row for one in described for key, row in draw([one]).items()}

    def look_up(ids: Sequence[str]) -> dict[str, FloatArray]:
        described = [(caption, id_) for id_, caption in features.known_captions(ids).items()]
        drawings = draw(described)
        pictures = features.images([id_ for _, id_ in drawings])
        return {id_: normalise(pictures[id_] + drawn[0]) for (_, id_), drawn in drawings.items()}

    return look_up


def _drawings(job: Job) -> int:
    return int(job.composer.parameters.get("drawings", 1))


def from_network(jobs: Sequence[Job], context: DerivationContext) -> list[FloatArray]:
    """The features ``[d]`` that the trained network of one composer, the same for all jobs, makes of each."""
    composer = jobs[0].composer
    assert isinstance(composer, TrainedComposer)
    network = context.models.trained_network(composer.name)
    requests = [(" ".join(job.request.references), job.request.text) for job in jobs]

    def make(positions: Sequence[int]) -> FloatArray:
        return composer.apply(network, [jobs[i].parts for i in positions], [requests[i][1] for i in positions])

    if not composer.stored:
        return list(make(range(len(jobs))))
    return list(context.models.features.from_network([network.id, composer.spec], requests, make, context.tally))
