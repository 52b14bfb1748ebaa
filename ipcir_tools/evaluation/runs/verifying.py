"""Verification in evaluations: the first hits of many queries, scored again by the captioner in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.engine.verified_order import verified_order
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.evaluation.benchmarks import Query
from ipcir_tools.evaluation.runs.gallery import BenchmarkGallery
from ipcir_tools.evaluation.runs.ranking import Ranker
from ipcir_tools.types import FloatArray, Verify

if TYPE_CHECKING:
    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.engine.components import Components
    from ipcir_tools.engine.verifier import Verifier


def verified_amount(components: Components, verify: Verify) -> int:
    """How many first hits of each query an evaluation verifies; 0 for a chat model's checks, which it leaves out."""
    if isinstance(verify, int):
        return verify
    try:
        return components.verifier.auto_amount() if verify == "auto" else 0
    except ModelUnavailableError:
        return 0


def verified_scores(
    verifier: Verifier,
    ranker: Ranker,
    gallery: BenchmarkGallery,
    queries: Sequence[Query],
    composed: Sequence[Composed],
    scores: FloatArray,
    n: int,
) -> FloatArray:
    """``scores`` ``[queries, gallery]`` with the first ``n`` hits of each query in their verified order.

    A query whose target was not imagined keeps its order, and so does a picture that cannot be opened. (Seven
    parameters: what is verified, and over what.)
    """
    columns = {name: column for column, name in enumerate(ranker.benchmark.gallery)}
    hits = [
        [name for name in names if name in gallery.ids] if each.imagination else []
        for names, each in zip(ranker.top(queries, scores, n), composed, strict=True)
    ]
    texts = [each.imagination.target.description if each.imagination else "" for each in composed]
    pairs = [(gallery.ids[name], text) for names, text in zip(hits, texts, strict=True) for name in names]
    found = iter(verifier.log_likelihoods(pairs))
    verified = scores.copy()
    for row, (names, each) in enumerate(zip(hits, composed, strict=True)):
        places, probe = [columns[name] for name in names], each.verification_probe
        given = probe.score(gallery.matrix[places]).tolist()
        order = verified_order(given, [next(found) for _ in names], each.parts.calibration.spread(probe))
        top = float(np.max(scores[row])) + 1.0
        for rank, place in enumerate(order):
            verified[row, places[place]] = top + len(order) - rank
    return verified
