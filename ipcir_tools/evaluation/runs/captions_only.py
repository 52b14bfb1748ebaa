"""Composed retrieval where captions stand for pictures: prompts and composers on thousands of queries, no pixels.

A gallery entry is the normalised mean of its captions' unit vectors; the first caption of the reference stands for
the captioner's, and its entry for the reference's feature. All else is the code that works on pictures. Vectors are
kept under the content of the captions and the id of the space, so nothing is encoded twice, and captions that were
changed are other entries.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from ipcir_tools.batches import chunked, no_progress
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.composers.fusion import pool
from ipcir_tools.engine.components import Components
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import CaptionBenchmark
from ipcir_tools.evaluation.metrics.metrics import IntArray
from ipcir_tools.evaluation.metrics.statistics import SAMPLES
from ipcir_tools.evaluation.reports.report import Report
from ipcir_tools.evaluation.runs.evaluate import summarise
from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery
from ipcir_tools.evaluation.runs.langchain_encoder import TextEncoder
from ipcir_tools.evaluation.runs.run import TOP, Run
from ipcir_tools.prompts import load_prompt
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.features import Features
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.batches import Progress
    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.image_generator import ImageGenerator
    from ipcir_tools.models.trained_networks import TrainedNetwork


_BLOCK = 128
"""Entries encoded at a time: a run that is killed loses no more."""

Captions = tuple[str, ...]


def entry_id(captions: Captions) -> str:
    """The catalog's id of an entry: its captions' digest."""
    return "captions:" + json_digest(captions)[:16]


class CaptionFeatures(Features):
    """Features and captions of entries, by their ids; no picture is ever opened."""

    def __init__(
        self, catalog: Catalog, settings: Settings, encoder: TextEncoder, captions: Mapping[str, Captions]
    ) -> None:
        super().__init__(catalog, settings, lambda: encoder, _no_captioner, lambda: "")
        self._space = encoder.space
        self._captions_of = captions

    @property
    def space(self) -> str:
        """The embeddings' own, whatever pictures the catalog holds besides."""
        return self._space

    def sample(self, n: int) -> list[str]:
        """The first ``n`` entries by id."""
        return sorted(self._captions_of)[:n]

    def revision(self) -> str:
        """A digest over all entries."""
        return json_digest(sorted(self._captions_of))

    def several_captions(
        self,
        ids: Sequence[str],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[str, Captions]:
        """The first ``n`` captions of each entry, or as many as it has: a repetition would add nothing."""
        return {id_: self._captions_of[id_][:n] for id_ in ids}

    def known_captions(self, ids: Sequence[str]) -> dict[str, str]:
        """The first caption of each entry."""
        return {id_: self._captions_of[id_][0] for id_ in ids if id_ in self._captions_of}

    def require_gallery_captions(self, composer: str) -> None:
        """Every entry has captions."""

    @override
    def _encode_images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> FloatArray:
        texts = list(dict.fromkeys(text for id_ in ids for text in self._captions_of[id_]))
        known = dict(zip(texts, self.texts(texts, tally), strict=True))
        return np.stack([pool(np.stack([known[text] for text in self._captions_of[id_]])) for id_ in ids])


def _no_captioner() -> Captioner:
    raise ModelUnavailableError("A space of captions has no captioner: every caption is in its gallery.")


class CaptionComponents(Components):
    """What a composition is made with in a space of captions.

    What needs a picture raises ModelUnavailableError, so that a composer that needs it is reported as not run.
    Raises InvalidRequestError where the prompt takes an image, and NotFoundError where there is no such
    prompt.
    """

    def __init__(self, settings: Settings, catalog: Catalog, encoder: TextEncoder, benchmark: CaptionBenchmark) -> None:
        super().__init__(settings, catalog)
        entries = {entry_id(captions): captions for captions in benchmark.captions.values() if captions}
        self.features = CaptionFeatures(catalog, settings, encoder, entries)
        self.encoder = encoder
        self.captioner_id = "the first caption of each entry"
        if settings.llm is not None and load_prompt(settings.prompt, settings.prompts).pictures:
            raise InvalidRequestError(
                f"The prompt {settings.prompt} takes an image, and a gallery of captions has no pictures: "
                "choose another."
            )

    @property
    def image_generator(self) -> ImageGenerator:
        """Not available: the encoder takes no images."""
        raise ModelUnavailableError(f"It draws the imagined target, and {_NO_PICTURES}.")

    def trained_network(self, name: str) -> TrainedNetwork:
        """Not available: the networks are trained on pictures."""
        raise ModelUnavailableError(f"Its network is trained on pictures, and {_NO_PICTURES}.")


_NO_PICTURES = "a gallery of captions has no pictures: measure it with `ipcir eval BENCH`"


@dataclass(frozen=True)
class CaptionGallery(BenchmarkGallery):
    """The entries that can be found.

    ``matrix`` holds every vector once, so that entries with the same captions get the same score.
    """

    rows: IntArray
    """For each entry of the gallery its row of ``matrix``."""

    def scores(self, rows: FloatArray) -> FloatArray:
        """``rows`` ``[q, vectors]`` as scores ``[q, gallery]``."""
        return super().scores(rows[:, self.rows])


def load_caption_gallery(
    components: CaptionComponents, benchmark: CaptionBenchmark, progress: Progress
) -> CaptionGallery:
    """Encode every entry that is new. Raises ModelUnavailableError where the embeddings fail for good."""
    began = time.perf_counter()
    entries = {name: entry_id(captions) for name, captions in benchmark.captions.items() if captions}
    unusable, found = dict(benchmark.unusable), dict[str, FloatArray]()
    wanted = list(dict.fromkeys(entries.values()))
    failed: dict[str, str] = {}
    for block in chunked(wanted, _BLOCK):
        found |= _encoded(components, block, failed)
        progress("encoding", len(found) + len(failed), len(wanted))
    unusable |= {name: failed[id_] for name, id_ in entries.items() if id_ in failed}
    ids = {name: id_ for name, id_ in entries.items() if id_ in found}
    if not ids:
        raise InvalidRequestError(f"No entry of the gallery can be encoded: {next(iter(failed.values()))}.")
    # Sorted, so that the order of the gallery's lines does not decide how a score is rounded.
    matrix, places = np.unique(np.stack([found[id_] for id_ in ids.values()]), axis=0, return_inverse=True)
    row = dict(zip(ids, places.ravel().tolist(), strict=True))
    return CaptionGallery(
        ids=ids,
        files={},
        unreadable=unusable,
        matrix=matrix,
        broken=tuple(i for i, name in enumerate(benchmark.gallery) if name not in ids),
        added=0,
        rows=np.array([row.get(name, 0) for name in benchmark.gallery], np.int64),
        seconds={"encoding": time.perf_counter() - began},
    )


def _encoded(components: CaptionComponents, ids: Sequence[str], failed: dict[str, str]) -> dict[str, FloatArray]:
    """The features of entries; one whose caption cannot be encoded is put into ``failed``, without loss for others."""
    try:
        return components.features.images(ids)
    except InvalidRequestError as error:
        if len(ids) == 1:
            failed[ids[0]] = f"cannot be encoded ({error})"
            return {}
    half = len(ids) // 2
    return _encoded(components, ids[:half], failed) | _encoded(components, ids[half:], failed)


def evaluate_captions(
    components: CaptionComponents,
    benchmark: CaptionBenchmark,
    composers: Sequence[str] | None = None,
    *,
    top: int = TOP,
    samples: int = SAMPLES,
    progress: Progress | None = None,
) -> Report:
    """Measure ``composers`` (None: all) in a space of captions; the report is that of a benchmark of pictures.

    Raises InvalidRequestError for an unknown composer, ModelUnavailableError where the embeddings fail, and
    CatalogError.
    """
    gallery = load_caption_gallery(components, benchmark, progress or no_progress)
    names = tuple(COMPOSERS) if composers is None else composers
    run = Run(components, benchmark, names, gallery, top=top, progress=progress)
    return summarise(run, run.measure(), samples)
