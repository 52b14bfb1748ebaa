"""The order of hits after verification: the search's score and the captioner's log-likelihood, added.

Likelihoods of one text under several images are compared as they are: how likely the text is on its own is the same
for all of them (VisualGPTScore, Lin et al., arXiv 2306.01879).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipcir_tools.chains.reranking.judgements import sorted_places
from ipcir_tools.types import FloatArray

WEIGHT = 0.02
"""What one nat weighs beside the score, in units of the spread that a probe's scores have in the gallery.

Chosen on the wardrobe's validation part (516 queries, demo models, rules, exact truth), R@1 / R@5 / R@10, where the
first N hits of ``v + (t - c) + 0.5 t`` and of ``0.8 t + 0.2 v`` are verified:

====================  ====  ==================  ==================
weight                N     v + (t - c) + .5 t  0.8 t + 0.2 v
====================  ====  ==================  ==================
0 (not verified)            59.7 / 99.0 / 100   38.2 / 83.9 / 95.3
0.01                  50    78.1 / 100 / 100    54.8 / 92.1 / 97.3
0.02                  5     81.2 / 99.0 / 100   55.0 / 83.9 / 95.3
0.02                  10    80.6 / 99.2 / 100   55.4 / 90.9 / 95.3
0.02                  20    80.6 / 99.2 / 100   54.8 / 92.2 / 97.5
0.02                  50    80.6 / 99.2 / 100   54.8 / 92.1 / 98.6
0.03                  50    80.6 / 98.6 / 99.8  54.8 / 92.2 / 99.0
0.1                   50    74.2 / 95.7 / 99.4  51.9 / 90.3 / 98.4
0.2 a token, mean     50    80.2 / 99.6 / 100   55.6 / 92.2 / 97.7
0.4 a token, mean     50    79.7 / 98.6 / 99.8  55.4 / 92.1 / 99.2
====================  ====  ==================  ==================

So the sum over the tokens does as well as their mean, the weight may be half or twice as large, and where the first
stage is good, ten candidates are enough.
"""


def combined_scores(
    scores: FloatArray, log_likelihoods: FloatArray, spread: float, weight: float = WEIGHT
) -> FloatArray:
    """``scores / spread + weight * log_likelihoods``, ``[n]``.

    ``spread`` is the standard deviation of the probe's scores over the gallery (``Calibration.spread``), so that the
    weight means the same for every encoder.
    """
    return np.asarray(scores, np.float32) / np.float32(spread) + np.float32(weight) * np.asarray(log_likelihoods)


def verified_order(
    scores: Sequence[float], log_likelihoods: Sequence[float | None], spread: float, weight: float = WEIGHT
) -> list[int]:
    """The places of the candidates in their new order; equals keep theirs.

    A candidate without a likelihood keeps its place, and the others are sorted over the remaining places.
    """
    places = [place for place, value in enumerate(log_likelihoods) if value is not None]
    given, values = ([each[place] for place in places] for each in (scores, log_likelihoods))
    combined = combined_scores(np.array(given, np.float32), np.array(values, np.float32), spread, weight).tolist()
    by_place = {place + 1: score for place, score in zip(places, combined, strict=True)}
    return [place - 1 for place in sorted_places(len(scores), by_place)]
