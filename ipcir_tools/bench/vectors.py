"""Vectors like those that an encoder gives for photographs.

Features of a CLIP are far from uniform on the sphere: all share a direction (two photographs that have nothing in
common have a cosine of about a half), they cluster by what is shown, few kinds are frequent and many are rare, and
within a cluster they spread in a few dozen directions more than in all others. So a vector here is the unit sum of

- the common direction, a share of 0.45 of the squared length,
- the centre of its cluster, 0.25, the clusters' sizes by Zipf's law with an exponent of one half,
- noise of its own, 0.30,

centres and noise with a standard deviation that falls as the root of the number of the direction. Two vectors have a
cosine of about 0.45, and of 0.70 within a cluster. Queries are such vectors, too, mixed half and half with the one
direction of a text, as composed queries are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ipcir_tools.types import FloatArray

COMMON, CENTRE, OWN = 0.45, 0.25, 0.30
BLOCK = 20_000
"""Vectors made at a time."""


class ClusteredVectors:
    """Draws vectors ``[dim]`` of unit norm around the same centres; the same for the same arguments."""

    def __init__(self, n: int, dim: int, seed: int = 0) -> None:
        """For a gallery of ``n``: one cluster for each root of it, at least ten."""
        self.dim = dim
        self._rng = np.random.default_rng((seed, n, dim))
        clusters = max(10, int(np.sqrt(n)))
        self._spread = (1.0 + np.arange(dim, dtype=np.float32)) ** -0.5
        self._rotation = np.linalg.qr(self._rng.normal(size=(dim, dim)))[0].astype(np.float32)
        self._common = _unit(self._rng.normal(size=(1, dim)))
        self._centres = self._directions(clusters, self._rng)
        share = (1.0 + np.arange(clusters)) ** -0.5
        self._share = share / share.sum()

    def blocks(self, n: int) -> Iterator[FloatArray]:
        """``n`` vectors, in blocks ``[b, dim]``."""
        for start in range(0, n, BLOCK):
            yield self._draw(min(BLOCK, n - start), self._rng)

    def queries(self, n: int, seed: int) -> FloatArray:
        """``n`` composed queries ``[n, dim]``: half a picture that is not in the gallery, half a text."""
        rng = np.random.default_rng((seed, n))
        text = self._directions(1, rng)
        texts = _unit(text + 0.7 * self._directions(n, rng))
        return _unit(self._draw(n, rng) + texts)

    def _draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        centres = self._centres[rng.choice(len(self._centres), size=n, p=self._share)]
        own = self._directions(n, rng)
        return _unit(COMMON**0.5 * self._common + CENTRE**0.5 * centres + OWN**0.5 * own)

    def _directions(self, n: int, rng: np.random.Generator) -> FloatArray:
        drawn = rng.standard_normal((n, self.dim), dtype=np.float32) * self._spread
        return _unit(drawn @ self._rotation)


def _unit(rows: np.ndarray) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
