"""Composed retrieval where captions stand for pictures: prompts and composers tried on thousands of queries, no pixels.

A gallery entry is the normalised mean of its captions' unit vectors; the first caption of the reference plays the
captioner's part, and its entry the reference's feature. All else is the very code that works on pictures. Vectors are
kept under the content of the captions and the identity of the space, so nothing is encoded twice, and captions that
were changed are other entries.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.batches import chunked
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.composers.fusion import pooled
from ipcir_tools.engine.components import Components
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import CaptionBenchmark
from ipcir_tools.evaluation.metrics.metrics import IntArray
from ipcir_tools.evaluation.metrics.statistics import SAMPLES
from ipcir_tools.evaluation.reports.report import Report
from ipcir_tools.evaluation.runs.evaluate import summarised
from ipcir_tools.evaluation.runs.gallery import Stock
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
        super().__init__(catalog, settings, lambda: encoder, _nobody, lambda: "")
        self._space = encoder.space
        self._told = captions

    @property
    def space(self) -> str:
        """The embeddings' own, whatever pictures the catalog holds besides."""
        return self._space

    def several_captions(
        self,
        ids: Sequence[str],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[str, Captions]:
        """The first ``n`` captions of each entry, or as many as it has: a repetition would say nothing more."""
        return {id_: self._told[id_][:n] for id_ in ids}

    def known_captions(self, ids: Sequence[str]) -> dict[str, str]:
        """The first caption of each entry."""
        return {id_: self._told[id_][0] for id_ in ids if id_ in self._told}

    def _make_images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        texts = list(dict.fromkeys(text for id_ in ids for text in self._told[id_]))
        known = dict(zip(texts, self.texts(texts, tally), strict=True))
        made = {id_: pooled(np.stack([known[text] for text in self._told[id_]])) for id_ in ids}
        self._catalog.put_features(made, self.space)
        self._count("images", len(made), tally)
        return made


def _nobody() -> Captioner:
    raise ModelUnavailableError("A space of captions has no captioner: its gallery says what is known.")


class CaptionEngine(Components):
    """What a composition is made with in a space of captions.

    What needs a picture raises ModelUnavailableError, so that a composer that asks for it is reported as not run.
    Raises InvalidRequestError where the prompt looks at the reference, and NotFoundError where there is no such
    prompt.
    """

    def __init__(self, settings: Settings, catalog: Catalog, encoder: TextEncoder, benchmark: CaptionBenchmark) -> None:
        super().__init__(settings, catalog)
        told = {entry_id(captions): captions for captions in benchmark.captions.values() if captions}
        self.features = CaptionFeatures(catalog, settings, encoder, told)
        self.encoder = encoder
        self.captioner_id = "the first caption of each entry"
        if settings.llm is not None and load_prompt(settings.prompt, settings.prompts).pictures:
            raise InvalidRequestError(
                f"The prompt {settings.prompt} looks at the reference, and a gallery of captions has no pictures: "
                "choose another."
            )

    @property
    def image_generator(self) -> ImageGenerator:
        """Nothing is drawn: the encoder could not look at it."""
        raise ModelUnavailableError(f"It draws the imagined target, and {_BLIND}.")

    def trained_network(self, name: str) -> TrainedNetwork:
        """There is none for such a space: the networks are trained on pictures."""
        raise ModelUnavailableError(f"Its network is trained on pictures, and {_BLIND}.")


_BLIND = "a gallery of captions has no pictures: measure it with `ipcir eval BENCH`"


@dataclass(frozen=True)
class CaptionStock(Stock):
    """What is at hand. ``matrix`` holds every vector once, so that entries that say the same score the same."""

    rows: IntArray
    """For each entry of the gallery its row of ``matrix``."""

    def scores(self, rows: FloatArray) -> FloatArray:
        """``rows`` ``[q, vectors]`` as scores ``[q, gallery]``."""
        return super().scores(rows[:, self.rows])


def captions_stocked(engine: CaptionEngine, benchmark: CaptionBenchmark, progress: Progress) -> CaptionStock:
    """Encode every entry that was not encoded before. Raises ModelUnavailableError where the embeddings fail for good.
    Encode every entry that was not encoded before. Raises ModelUnavailableError where the embeddings fail for good."""
    asked = {name: entry_id(captions) for name, captions in benchmark.captions.items() if captions}
    unusable, found = dict(benchmark.unusable), dict[str, FloatArray]()
    wanted = list(dict.fromkeys(asked.values()))
    refused: dict[str, str] = {}
    for block in chunked(wanted, _BLOCK):
        found |= _encoded(engine, block, refused)
        progress("encoding", len(found) + len(refused), len(wanted))
    unusable |= {name: refused[id_] for name, id_ in asked.items() if id_ in refused}
    ids = {name: id_ for name, id_ in asked.items() if id_ in found}
    if not ids:
        raise InvalidRequestError(f"No entry of the gallery can be encoded: {next(iter(refused.values()))}.")
    # Sorted, so that the order of the gallery's lines does not decide how a score is rounded.
    matrix, places = np.unique(np.stack([found[id_] for id_ in ids.values()]), axis=0, return_inverse=True)
    row = dict(zip(ids, places.ravel().tolist(), strict=True))
    return CaptionStock(
        ids=ids,
        files={},
        unreadable=unusable,
        matrix=matrix,
        broken=tuple(i for i, name in enumerate(benchmark.gallery) if name not in ids),
        added=0,
        rows=np.array([row.get(name, 0) for name in benchmark.gallery], np.int64),
    )


def _encoded(engine: CaptionEngine, ids: Sequence[str], refused: dict[str, str]) -> dict[str, FloatArray]:
    """The features of entries; those with a caption that has none are ``refused``, and the others lose nothing."""
    try:
        return engine.features.images(ids)
    except InvalidRequestError as error:
        if len(ids) == 1:
            refused[ids[0]] = f"cannot be encoded ({error})"
            return {}
    half = len(ids) // 2
    return _encoded(engine, ids[:half], refused) | _encoded(engine, ids[half:], refused)


def evaluate_captions(
    engine: CaptionEngine,
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
    began = time.perf_counter()
    told: Any = progress or (lambda what, done, total: None)
    stock = captions_stocked(engine, benchmark, told)
    seconds = time.perf_counter() - began
    names = tuple(COMPOSERS) if composers is None else composers
    run = Run(engine, benchmark, names, top=top, progress=progress, stock=stock)
    run.seconds["encoding"] = seconds  # type: ignore[assignment]
    return summarised(engine, run, run.measure(), samples)
