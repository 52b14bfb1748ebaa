"""The gallery as a map: its features in two dimensions, in groups of pictures that are alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.types import FloatArray, Value

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


MOST_POINTS, MOST_GROUPS = 2_000, 10
SHOWN = 8
"""Pictures that stand for a group."""
_NEIGHBOURS, _STEPS, _REPELLED = 12, 250, 8
_APART = 0.3
"""How far neighbours come to lie from each other, where 1 is the spread of the whole map."""
_ROUNDS = 20
"""Of k-means."""


class MapPoint(Value):
    """One picture on the map: its place, 0 to 1 each, its group and its folder."""

    id: str
    x: float
    y: float
    group: int
    folder: str


class MapGroup(Value):
    """Pictures that are alike: what their captions say more often than others', and the most typical of them."""

    name: str
    pictures: int
    typical: tuple[str, ...]


class GalleryMap(Value):
    """A map of the gallery, or of a sample of it."""

    points: tuple[MapPoint, ...]
    groups: tuple[MapGroup, ...]
    gallery: int
    """Pictures of the whole gallery."""


def gallery_map(engine: Engine, most: int = MOST_POINTS) -> GalleryMap:
    """The map of up to ``most`` pictures, the same until the gallery changes; nothing is encoded for it."""
    return engine.catalog.while_unchanged(f"map:{most}", lambda: _mapped(engine, most))


def _mapped(engine: Engine, most: int) -> GalleryMap:
    catalog = engine.catalog
    vectors = engine.gallery.vectors(catalog.sample_ids(most))
    ids = list(vectors)
    if len(ids) < 3:
        return GalleryMap(points=(), groups=(), gallery=catalog.size())
    features = np.stack([vectors[id_] for id_ in ids])
    groups, centres = grouped(features, min(MOST_GROUPS, max(1, len(ids) // 12)))
    places = placed(features)
    sources = {id_: record.source for id_, record in catalog.records(ids).items()}
    points = tuple(
        MapPoint(
            id=id_, x=round(float(x), 4), y=round(float(y), 4), group=int(group), folder=_folder(sources.get(id_, ""))
        )
        for id_, (x, y), group in zip(ids, places, groups, strict=True)
    )
    captions = catalog.captions(ids, engine.components.captioner_id)
    names = group_names([[captions.get(ids[i], "") for i in np.flatnonzero(groups == g)] for g in range(len(centres))])
    return GalleryMap(
        points=points,
        groups=tuple(
            MapGroup(
                name=names[g], pictures=int((groups == g).sum()), typical=_typical(ids, features, groups == g, centre)
            )
            for g, centre in enumerate(centres)
        ),
        gallery=catalog.size(),
    )


def _folder(source: str) -> str:
    return source.rpartition("/")[0]


def _typical(ids: list[str], features: FloatArray, chosen: NDArray[np.bool_], centre: FloatArray) -> tuple[str, ...]:
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(-(features[rows] @ centre))]
    return tuple(ids[i] for i in order[:SHOWN])


def grouped(features: FloatArray, n: int) -> tuple[NDArray[np.intp], FloatArray]:
    """Groups ``[m]`` of unit-norm ``features`` ``[m, d]`` by k-means on the sphere, the largest first, and their
    centres ``[n, d]``. No group is empty; there may be fewer than ``n``."""
    rng = np.random.default_rng(0)
    centres = features[rng.integers(len(features))][None]
    for _ in range(n - 1):  # each further one is far from those before it
        far = np.maximum(1 - (features @ centres.T).max(axis=1), 0) ** 2
        if far.sum() < 1e-9:
            break
        centres = np.concatenate([centres, features[rng.choice(len(features), p=far / far.sum())][None]])
    groups = np.zeros(len(features), np.intp)
    for _ in range(_ROUNDS):
        groups = (features @ centres.T).argmax(axis=1)
        sums = np.stack([features[groups == g].sum(axis=0) for g in np.unique(groups)])
        centres = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    groups = (features @ centres.T).argmax(axis=1)
    order = [g for g in np.argsort(-np.bincount(groups, minlength=len(centres))) if (groups == g).any()]
    renumbered = np.zeros(len(centres), np.intp)
    renumbered[order] = np.arange(len(order))
    return renumbered[groups], centres[order]


def placed(features: FloatArray) -> NDArray[np.float64]:
    """Places ``[m, 2]`` from 0 to 1 of unit-norm ``features`` ``[m, d]``: neighbours attract, random others repel.

    It begins with the two main components; the rest is UMAP's idea with a simple force in the place of its gradient.
    """
    m, rng = len(features), np.random.default_rng(0)
    centred = (features - features.mean(axis=0)).astype(np.float64)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    places = left[:, :2] * size[:2]
    places = places / max(places.std(), 1e-9)
    k = min(_NEIGHBOURS, m - 1)
    cosines = features @ features.T
    np.fill_diagonal(cosines, -2)
    near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    places = places + rng.normal(0, _APART / 2, places.shape)  # equal pictures begin beside each other
    for step in range(_STEPS):
        to_near, to_any = places[near] - places[:, None], places[rng.integers(0, m, (m, _REPELLED))] - places[:, None]
        pull = (to_near - _APART**2 * to_near / (_APART**2 / 4 + _squares(to_near))).mean(axis=1)
        push = (to_any / (0.05 + _squares(to_any))).mean(axis=1)
        places = places + (1 - step / _STEPS) * (0.4 * pull - 0.04 * push)
    low, high = places.min(axis=0), places.max(axis=0)
    there = (places - low) / np.maximum(high - low, 1e-9)
    ranks = places.argsort(axis=0).argsort(axis=0) / max(m - 1, 1)
    return np.asarray((there + ranks) / 2)  # half by rank: no empty plains, and what is near stays near


def _squares(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared lengths ``[m, k, 1]`` of ``[m, k, 2]``."""
    return np.asarray((steps**2).sum(axis=2, keepdims=True))


def group_names(captions: list[list[str]]) -> list[str]:
    """A name for each group: two words that its captions have more often than the others'; empty without captions."""
    counts = [Counter(word for text in texts for word in set(_words(text))) for texts in captions]
    total, every = sum(counts, Counter[str]()), max(1, sum(map(len, captions)))

    def special(group: int) -> list[str]:
        n = max(1, len(captions[group]))
        shares = {word: count / n - total[word] / every for word, count in counts[group].items()}
        return sorted(shares, key=lambda word: (-shares[word], word))[:2]

    return [" ".join(special(group)) for group in range(len(captions))]


def _words(text: str) -> list[str]:
    from ipcir_tools.chains.imagination.rules.imagine import content_words

    return content_words(text.lower()).split()
