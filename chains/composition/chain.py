"""Reference + modification (+ the turns before) -> the probe: caption, imagine, encode, compose.

Many requests are composed as cheaply as one: captions, imaginations and features are each made in one batch.

Of several references every composer is given the mean of their features, and of their captions' features, normalised.
One that is meant in part ("its collar") has a smaller weight in both: what is meant of it is in the imagined text.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableLambda

from ipcir_tools.chains.composition.caption_change import kept_share
from ipcir_tools.chains.composition.context_limit import cut_warnings, fitted
from ipcir_tools.chains.composition.derived_parts import (
    CompositionModels,
    DerivationContext,
    Job,
    counterparts,
    drawn,
    from_network,
    require,
)
from ipcir_tools.chains.composition.requests import ComposeRequest, effective_composer, reference_weights
from ipcir_tools.chains.composition.target_texts import (
    ROWS,
    TEXTS,
    TargetTexts,
    caption_references,
    imagine_targets,
    part_texts,
)
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.composers import Composer, Part, Parts, TrainedComposer
from ipcir_tools.composers.calibration import UNCALIBRATED, Calibration
from ipcir_tools.composers.composer import DEFAULT_WEIGHT
from ipcir_tools.composers.feedback import with_feedback
from ipcir_tools.composers.fusion import pool
from ipcir_tools.llm.tracing import has_listeners, trace_step
from ipcir_tools.types import FloatArray, Probe

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.store.features import Features


MakePart = Callable[[Sequence[Job], DerivationContext], list[FloatArray]]
"""How a part is made for several jobs."""


@dataclass(frozen=True)
class Composed:
    """A probe and what it was made from. Features are ``[d]`` float32 of unit norm, None where not needed."""

    probe: Probe
    make_verification_probe: Callable[[], Probe] = field(compare=False, repr=False)
    """Makes ``verification_probe``: most searches verify nothing."""
    left_out: frozenset[str]
    """Pictures that are no hits: :attr:`ComposeRequest.left_out`, and where the words change nothing in the description
    the first hit of the turn before, because the user saw it and asked for another: "without the belt", of which
    neither caption nor description knows."""
    weight: float
    image: FloatArray | None
    text: FloatArray | None
    caption: str | None
    imagination: Imagination | None
    parts: Parts
    """What the composer was given; with other parameters it can be given the same again."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds by part, shared by all requests that were composed together."""
    counts: dict[str, int] = field(default_factory=dict)
    """What the models did for all of them: ``image_encodes``, ``captions_made``, ``text_encodes``, ``llm_calls``, and
    where a composer draws ``drawings_made``."""
    warnings: tuple[str, ...] = ()
    """What the encoder does not read of the texts."""

    @cached_property
    def verification_probe(self) -> Probe:
        """Its scores stand beside the likelihood of the description, where hits are verified."""
        return self.make_verification_probe()


def build_compose_chain(models: CompositionModels) -> Runnable[ComposeRequest, Composed]:
    """The composition of one request as a Runnable. Raises whatever the models and the catalog raise."""

    def compose(request: ComposeRequest, config: RunnableConfig, is_followed: bool | None = None) -> Composed:
        return compose_all([request], models, config, is_followed=is_followed)[0]

    bound = RunnableLambda(compose, name="compose")
    return _Compose(bound=bound, config={"tags": ["compose"]})


class _Compose(RunnableBinding[ComposeRequest, Composed]):  # type: ignore[no-redef]  # of a field of its base
    """The chain; where nothing follows its run, its function is called without the cost of one."""

    def invoke(self, input: ComposeRequest, config: RunnableConfig | None = None, **more: Any) -> Composed:
        """The composition of one request."""
        is_plain = not (config or more or self.kwargs or self.config.keys() - {"tags"})
        if is_plain and isinstance(self.bound, RunnableLambda) and not has_listeners(None):
            return self.bound.func(input, {}, is_followed=False)  # type: ignore[call-arg, no-any-return]
        return super().invoke(input, config, **more)


def compose_all(
    requests: Sequence[ComposeRequest],
    models: CompositionModels,
    config: RunnableConfig | None = None,
    progress: Progress | None = None,
    *,
    imagine: Runnable[ImagineRequest, Imagination] | None = None,
    is_followed: bool | None = None,
) -> list[Composed]:
    """Compose all requests, in order; every part is computed only if a composer needs it.

    ``imagine`` replaces the imagination of ``models``; ``is_followed`` says whether somebody listens to runs under
    ``config``, where that is known. A trace shows each part by its name, then each composer.
    Raises ModelUnavailableError, before anything is made, where a model that a composer needs is not available, and
    EmptyGalleryError where the captions of the gallery are.
    """
    work, features = _Work(config, is_followed), models.features
    composers = [effective_composer(request) for request in requests]
    require(models, composers)
    pixels = {id_: picture for request in requests for id_, picture in request.pixels.items()}
    needed = _needed_images(requests, composers)
    imagining = {i: pair for i, pair in enumerate(zip(requests, composers, strict=True)) if pair[1].imagines}
    with work.part("encode_image", pictures=len(needed)):
        images = features.images(needed, pixels, work.tally) if needed else {}
    with work.part("caption", requests=len(imagining)):
        captions = caption_references(imagining, features, pixels, progress, work.tally)
    with work.timed("imagine", bool(imagining)):
        texts_by_request = imagine_targets(imagining, captions, imagine or models.imagine, config) if imagining else {}
    mixing = any(composer.mixes for composer in composers) or any(r.liked or r.disliked for r in requests)
    with work.part("calibrate", requests=mixing):
        calibration = models.calibration if mixing else UNCALIBRATED
    with work.part("encode_text", requests=sum(bool(c.needs & TEXTS) for c in composers)):
        jobs = _with_texts(requests, composers, texts_by_request, images, calibration, features, work.tally)
    jobs = _with_derived(jobs, DerivationContext(models, pixels, progress, work.tally), work)
    counts = work.counts(each for one in texts_by_request.values() for each in one.different)
    return _all_composed(jobs, images, work, counts)


def _needed_images(requests: Sequence[ComposeRequest], composers: Sequence[Composer]) -> list[str]:
    """The pictures whose features are needed: references, and what was liked or disliked."""
    pairs = zip(requests, composers, strict=True)
    wanted = [id_ for request, composer in pairs if "reference" in composer.needs for id_ in request.references]
    judged = [id_ for request in requests for id_ in (*request.liked, *request.disliked)]
    return list(dict.fromkeys([*wanted, *judged]))


def _with_texts(
    requests: Sequence[ComposeRequest],
    composers: Sequence[Composer],
    texts_by_request: Mapping[int, TargetTexts],
    images: Mapping[str, FloatArray],
    calibration: Calibration,
    features: Features,
    tally: Counter[str],
) -> list[Job]:
    """The requests with their parts that are features of texts and pictures; all texts are encoded in one batch."""
    left_out = features.words_left_out

    def to_encode(part: Part, i: int) -> list[str]:
        imagined = texts_by_request.get(i)
        target = imagined.first.target if imagined else None
        return [fitted(text, target, left_out) for text in part_texts(part, requests[i], imagined)]

    texts: list[dict[Part, Sequence[str]]] = [
        {part: to_encode(part, i) for part in sorted(composer.needs & TEXTS)} for i, composer in enumerate(composers)
    ]
    ordered = sorted({text for parts in texts for several in parts.values() for text in several})
    known = dict(zip(ordered, features.texts(ordered, tally), strict=True)) if ordered else {}

    def job(i: int, request: ComposeRequest, composer: Composer) -> Job:
        imagined = texts_by_request.get(i)
        kept = kept_share(imagined.caption or "", imagined.first.target) if imagined else 1.0
        parts = _parts(request, composer, texts[i], known, images, calibration, kept)
        return Job(request, composer, imagined, parts, cut_warnings(texts[i], left_out))

    return [job(i, *pair) for i, pair in enumerate(zip(requests, composers, strict=True))]


def _parts(
    request: ComposeRequest,
    composer: Composer,
    texts: Mapping[Part, Sequence[str]],
    known: Mapping[str, FloatArray],
    images: Mapping[str, FloatArray],
    calibration: Calibration,
    kept: float,
) -> Parts:
    made = {part: [known[text] for text in several] for part, several in texts.items()}
    nothing = np.zeros_like(next(iter(known.values()))) if known else None
    features: dict[str, Any] = {
        part: np.stack(rows) if part in ROWS else _mean(rows, request, nothing) for part, rows in made.items()
    }
    own = composer.parameters.get("weight", DEFAULT_WEIGHT)
    return Parts(
        weight=own if request.weight is None else request.weight,
        calibration=calibration,
        kept=kept,
        reference=(
            _mean([images[id_] for id_ in request.references], request) if "reference" in composer.needs else None
        ),
        **features,
    )


def _mean(
    rows: Sequence[FloatArray], request: ComposeRequest, otherwise: FloatArray | None = None
) -> FloatArray | None:
    """One feature as it is; several, one of each reference, as their weighted mean, normalised."""
    if len(rows) < 2:
        return rows[0] if rows else otherwise
    weights = reference_weights(request)
    return pool(np.stack(rows), weights if len(weights) == len(rows) else None)


def _with_derived(jobs: Sequence[Job], context: DerivationContext, work: _Work) -> list[Job]:
    """The jobs with the parts that are made of other parts; the drawings, and each trained network, in one batch."""
    made = list(jobs)
    drawing = [i for i, job in enumerate(jobs) if "drawn" in job.composer.needs]
    groups: dict[str, list[int]] = defaultdict(list)
    for i, job in enumerate(jobs):
        if isinstance(job.composer, TrainedComposer):
            groups[job.composer.spec].append(i)
    with work.part("drawn", requests=len(drawing)):
        _add_part(made, drawing, "drawn", drawn, context)
    for places in groups.values():
        with work.part(jobs[places[0]].composer.name, requests=len(places)):
            _add_part(made, places, "network", from_network, context)
    for part, lookup in (
        ("gallery_captions", context.models.features.gallery_captions),
        ("counterparts", counterparts(context)),
    ):
        for i, job in enumerate(made):
            if part in job.composer.needs:
                made[i] = job.with_part(part, lookup)
    return made


def _add_part(jobs: list[Job], places: Sequence[int], part: Part, make: MakePart, context: DerivationContext) -> None:
    """Give the jobs at ``places`` one part more; nothing where there are none."""
    features = make([jobs[i] for i in places], context) if places else []
    for i, feature in zip(places, features, strict=True):
        jobs[i] = jobs[i].with_part(part, feature)


def _all_composed(
    jobs: Sequence[Job], images: Mapping[str, FloatArray], work: _Work, counts: dict[str, int]
) -> list[Composed]:
    """All jobs in order, those of one composer in one step."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, job in enumerate(jobs):
        places[job.composer.spec].append(i)
    made: dict[int, Composed] = {}
    for spec, several in places.items():
        name = f"compose.{jobs[several[0]].composer.name}"
        with work.step(name, composer=spec, requests=len(several)):
            made |= {i: _composed(jobs[i], images, work.seconds, counts) for i in several}
    return [made[i] for i in range(len(jobs))]


def _composed(
    job: Job, images: Mapping[str, FloatArray], timings: dict[str, float], counts: dict[str, int]
) -> Composed:
    liked, disliked = (
        [(images[id_], weight) for id_, weight in weights.items()]
        for weights in (job.request.liked, job.request.disliked)
    )

    def judged(probe: Probe) -> Probe:
        return with_feedback(probe, liked, disliked, job.parts.calibration)

    return Composed(
        probe=judged(job.composer.compose(job.parts)),
        make_verification_probe=lambda: judged(job.composer.compose_for_verification(job.parts)),
        left_out=job.request.left_out | ({job.request.shown} if job.request.shown and _is_unchanged(job) else set()),
        weight=job.parts.weight,
        image=job.parts.reference,
        text=_text(job),
        caption=job.texts.caption if job.texts else None,
        imagination=job.texts.first if job.texts else None,
        parts=job.parts,
        timings=timings,
        counts=counts,
        warnings=job.warnings,
    )


def _is_unchanged(job: Job) -> bool:
    """Whether the description is that of the turn before."""
    last = job.request.history[-1].imagined if job.request.history else None
    return bool(job.texts and last and job.texts.first.target.description == last.description)


def _text(job: Job) -> FloatArray | None:
    """What text scores are taken against."""
    part = job.composer.text
    return None if part is None else pool(np.atleast_2d(job.parts.need(part)))


class _Work:
    """How long each part took and what was made."""

    def __init__(self, config: RunnableConfig | None, is_followed: bool | None) -> None:
        self._config, self._followed = config, has_listeners(config) if is_followed is None else is_followed
        self.seconds: dict[str, float] = {}
        self.tally: Counter[str] = Counter()

    @contextmanager
    def part(self, name: str, **items: int) -> Iterator[None]:
        """A step of the trace that is timed; nothing where there are no ``items`` to work on."""
        wanted = all(items.values())
        with self.step(name, **items) if wanted else nullcontext(), self.timed(name, wanted):
            yield

    def step(self, name: str, **metadata: Any) -> AbstractContextManager[object]:
        """A step of the trace, where somebody follows it."""
        return trace_step(name, self._config, **metadata) if self._followed else nullcontext()

    @contextmanager
    def timed(self, name: str, counts: bool) -> Iterator[None]:
        began = time.perf_counter()
        yield
        if counts:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def counts(self, imaginations: Iterable[Imagination]) -> dict[str, int]:
        counts = {
            "image_encodes": self.tally["images"],
            "captions_made": self.tally["captions"],
            "text_encodes": self.tally["texts"],
            "llm_calls": sum(imagination.calls for imagination in imaginations),
        }
        return counts | ({"drawings_made": self.tally["drawings"]} if "drawn" in self.seconds else {})
