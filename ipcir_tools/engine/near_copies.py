"""Pictures that look the same: copies of the reference are no hits, copies among the hits are folded into the best one.

A near-copy is a picture saved again, resized or cropped a little: its cosine with the other is at least
``Settings.duplicates``. Ten hits each of 200 searches in the wardrobe's validation part (1,200 pictures, demo models)
have 40 others folded into them at 0.998: 28 show the same garment, 12 one with another neckline or buttons, which this
small encoder does not tell apart, and none is the picture that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.types import FloatArray

SPARE = 2
"""How many times ``k`` pictures are read at first: what is like the last hits mostly ranks a little below them."""

WIDER = 4
"""By how much a search is widened that copies left short."""

BLOCK = 256
"""Pictures compared at a time."""

PART, TILE = 64, 64
"""Numbers of each feature that tell most pictures apart, and pictures compared by one product."""

ROUNDING = 1e-4
"""By how much the squared distance of two parts may be wrong in single precision, with room to spare."""

IDENTICAL = 1 - 1e-6
"""The cosine of two equal features of unit norm at least: float32 rounds their norm."""

Rows = NDArray[np.floating[Any]]

Ranking = list[tuple[str, float]]
"""Ids with their scores, best first."""


class Different(NamedTuple):
    """One picture of a ranking that looks like none before it."""

    id: str
    score: float
    alike: tuple[str, ...] = ()
    """Ids of those behind it that look like it."""


@dataclass(frozen=True)
class LeftOut:
    """What is no hit: near-copies of ``references``, which are counted, and of ``others``, which are not.

    Both are unit-norm features ``[d]``. ``gone`` gives those of some ids that are left out by themselves.
    """

    references: Sequence[FloatArray] = ()
    others: Sequence[FloatArray] = ()
    gone: Callable[[Sequence[str]], Collection[str]] = field(default=lambda _: ())


@dataclass(frozen=True)
class DifferentPictures:
    """The pictures of a ranking that look different, best first; what they passed is counted."""

    pictures: list[Different]
    copies: int = 0
    """Near-copies of a reference above the last picture."""
    gone: int = 0


def different_pictures(
    rank: Callable[[int], Ranking],
    features: Callable[[Sequence[str]], Mapping[str, FloatArray]],
    k: int,
    left_out: LeftOut,
    threshold: float | None,
) -> DifferentPictures:
    """The ``k`` best pictures of a ranking that look different from each other and from what is left out.

    ``rank`` gives the first n of the ranking, ``features`` their unit-norm features ``[d]`` by id. A picture goes to
    the first one before it whose cosine with it is at least ``threshold``; None folds nothing. Pictures that look like
    one of the ``k`` are found among twice as many ranks, or as many as it took to find ``k``.
    """
    breadth = k if threshold is None else SPARE * k
    while True:
        ranking = rank(breadth)
        ids = [id_ for id_, _ in ranking]
        gone = set(left_out.gone(ids))
        there = [each for each in ranking if each[0] not in gone]
        kept = _folded(there, features, k, left_out, threshold)
        if len(kept.pictures) >= k or len(ranking) < breadth:
            break
        breadth *= WIDER
    passed = ids.index(kept.pictures[-1].id) if len(kept.pictures) >= k else len(ids)
    return DifferentPictures(kept.pictures, kept.copies, len(gone.intersection(ids[:passed])))


def _folded(
    ranking: Ranking,
    features: Callable[[Sequence[str]], Mapping[str, FloatArray]],
    k: int,
    left_out: LeftOut,
    threshold: float | None,
) -> DifferentPictures:
    """``different_pictures`` of a ranking that is not widened."""
    if threshold is None or not ranking:
        return DifferentPictures([Different(id_, score) for id_, score in ranking[:k]])
    ids = [id_ for id_, _ in ranking]
    by_id, level = features(ids), min(threshold, IDENTICAL)
    found = [by_id[id_] for id_ in ids]
    if _look_apart(found, [*found, *left_out.references, *left_out.others], level):
        return DifferentPictures([Different(id_, score) for id_, score in ranking[:k]])
    vectors = np.stack(found).astype(np.float64)
    copies = _looks_like(vectors, left_out.references, level)
    groups = fold(vectors, k, level, passed_over=copies | _looks_like(vectors, left_out.others, level))
    pictures = [Different(*ranking[place], tuple(ids[each] for each in alike)) for place, alike in groups.items()]
    last = max(groups) if len(groups) >= k else len(ids)
    return DifferentPictures(pictures, int(copies[:last].sum()))


def _look_apart(some: Sequence[FloatArray], all_: Sequence[FloatArray], threshold: float) -> bool:
    """Whether each of ``some``, the first of ``all_``, differs from all others in its first numbers alone.

    So it mostly is, and told in single precision, with what that may be wrong by, before anything is copied. False
    says nothing: so it is for more than one tile, and where a number is NaN.
    """
    if len(all_) > TILE:
        return False
    parts = np.stack([each[:PART] for each in all_])
    apart = _distances(parts[: len(some)], parts)
    np.fill_diagonal(apart, np.inf)  # each and itself
    return bool((apart > _most_apart(threshold) + ROUNDING).all())


def _looks_like(vectors: NDArray[np.float64], others: Sequence[FloatArray], threshold: float) -> NDArray[np.bool_]:
    """Whether each of ``vectors`` ``[n, d]`` is a near-copy of one of ``others``."""
    if not others:
        return np.zeros(len(vectors), bool)
    return np.asarray(are_near(vectors, np.stack(others).astype(np.float64), threshold).any(axis=1))


def are_near(a: NDArray[np.float64], b: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """``[n, m]``: whether the cosine of each pair of ``a`` ``[n, d]`` and ``b`` ``[m, d]``, of unit norm, is that high.

    What differs enough in its first numbers is told apart by these, ``n * m * PART`` multiplications; the others, few,
    are compared whole. All of it in steps that a library does in one thread: its threads wait for each other, tens of
    milliseconds on a machine in other use.
    """
    near = np.zeros((len(a), len(b)), bool)
    parts, others = a[:, :PART], b[:, :PART]
    most = _most_apart(threshold)
    for i in range(0, len(a), TILE):
        for j in range(0, len(b), TILE):
            here, there = slice(i, i + TILE), slice(j, j + TILE)
            rows, columns = np.nonzero(_distances(parts[here], others[there]) <= most)
            cosines = np.einsum("nd,nd->n", a[here][rows], b[there][columns])
            near[here, there][rows, columns] = cosines >= threshold
    return near


def _distances(a: Rows, b: Rows) -> Rows:
    """The squared distance ``[n, m]`` of each pair of ``a`` ``[n, d]`` and ``b`` ``[m, d]``."""
    distances: Rows = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("nd,nd->n", b, b) - 2 * (a @ b.T)
    return distances


def _most_apart(threshold: float) -> float:
    """The squared distance of two vectors of norm 1, as float32 has it, that look alike, and of any part of them."""
    return 2 - 2 * threshold + 1e-5


def fold(
    vectors: NDArray[np.float64], k: int, threshold: float, passed_over: NDArray[np.bool_]
) -> dict[int, list[int]]:
    """The places of the first ``k`` pictures that look different, each with the places of those that look like it.

    ``vectors`` ``[n, d]`` are of unit norm, best first, in double precision, so that whether two look alike does not
    depend on where they stand.
    """
    groups: dict[int, list[int]] = {}
    for start in range(0, len(vectors), BLOCK):
        block, firsts = vectors[start : start + BLOCK], np.array([*groups], np.intp)
        within = are_near(block, block, threshold)
        if not firsts.size and np.count_nonzero(within) == len(block):  # as mostly: no two look alike
            free = start + np.flatnonzero(~passed_over[start : start + BLOCK])
            groups.update((place, []) for place in free[:k].tolist())
            continue
        into = np.full(len(block), -1)
        if firsts.size:
            like_first = are_near(block, vectors[firsts], threshold)
            into[:] = np.where(like_first.any(axis=1), firsts[like_first.argmax(axis=1)], -1)
        for i in range(len(block)):
            place = start + i
            if passed_over[place]:
                continue
            if into[i] >= 0:
                groups[int(into[i])].append(place)
            elif len(groups) < k:
                groups[place] = []
                into[(within[i]) & (into < 0)] = place
    return groups
