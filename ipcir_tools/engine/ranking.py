"""Near-copies of the reference: the same picture saved again, resized or cut a little, is no answer to anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ipcir_tools.types import FloatArray

WIDER = 4
"""By how much a search is widened that copies left short."""

Ranking = list[tuple[str, float]]


def without_copies(
    rank: Callable[[int], Ranking],
    features: Callable[[Sequence[str]], Mapping[str, FloatArray]],
    k: int,
    reference: FloatArray | None,
    threshold: float | None,
) -> tuple[Ranking, int]:
    """The ``k`` best of a ranking that are no near-copies of ``reference`` ``[d]``, and how many copies they passed.

    ``rank`` gives the first n of the ranking, ``features`` their unit-norm features ``[d]`` by id. A copy is a picture
    whose cosine with the reference is at least ``threshold``; where either is None, none is.
    """
    if reference is None or threshold is None:
        return rank(k), 0
    breadth = k
    while True:
        ranking = rank(breadth)
        vectors = features([id_ for id_, _ in ranking])
        places = [i for i, (id_, _) in enumerate(ranking) if vectors[id_] @ reference < threshold]
        if len(places) >= k or len(ranking) < breadth:
            break
        breadth *= WIDER
    kept = places[:k]
    passed = kept[-1] + 1 if len(places) >= k else len(ranking)
    return [ranking[i] for i in kept], passed - len(kept)


def _cosine(a: FloatArray, b: FloatArray | None) -> float | None:
    return None if b is None else float(a @ b)
