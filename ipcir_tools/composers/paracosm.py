"""The target drawn and described, and the modification; candidates beside pictures drawn of their captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from ipcir_tools.composers.caption_fusion import first_places, in_front
from ipcir_tools.composers.composer import Composer, Parts
from ipcir_tools.composers.fusion import combine, pool
from ipcir_tools.types import FloatArray, Probe


class Paracosm(Composer):
    """Paracosm (arXiv 2602.00813): one model imagines the target twice, as a picture and in words.

    ``q = target * unit(d / r + t) + (1 - target) * m``: d the mean of the drawn pictures, t the imagined description,
    m the modification, and ``target`` 0.3 as in the public code, which has no feature of the reference itself (its
    model edits the reference when it draws). ``r`` brings d to the spread of a text's cosines, which the public code
    leaves out.

    Pictures of the gallery get a counterpart, too, drawn of their own caption: ``S = q . unit(x + drawn(caption(x)))``.
    The public code draws one for every picture. Here ``counterparts`` is how many of the best candidates get one, which
    is kept; those without a caption keep ``q . x``. It needs a gallery with captions: ``ipcir index --captions``.

    Published: CIRR R@1 39.3, CIRCO mAP@10 40.9, FashionIQ shirt R@10 40.5. On the wardrobe's validation part (R@1 /
    R@5 / R@10, 516 queries, rules, the package's own drawings), whose CLIP has only ever read captions and understands
    no modification alone: 1.4 / 4.1 / 7.2; with a target of 0.7 10.1 / 42.0 / 66.3, of 0.9 14.2 / 52.9 / 75.4, and
    then with 20 counterparts 24.8 / 67.8 / 83.1.
    """

    name = "paracosm"
    needs = frozenset({"modification", "imagined", "drawn", "counterparts"})
    target: float = Field(default=0.3, ge=0.0, le=1.0)
    """The share of the drawn and described target; the modification has the rest."""
    drawings: int = Field(default=1, ge=1, le=16)
    """How many pictures are drawn of the description."""
    counterparts: int = Field(default=0, ge=0, le=1000)
    """How many candidates are scored with a picture drawn of their caption."""

    @property
    def scores_captions(self) -> bool:
        """Whether it draws the captions of the gallery's pictures."""
        return self.counterparts > 0

    def compose(self, parts: Parts) -> Probe:
        """``target * unit(d / r + t) + (1 - target) * m``."""
        t, m, drawn = parts.need("imagined"), parts.need("modification"), pool(parts.need("drawn"))
        target = combine(t, (parts.calibration.image_scale, drawn), (1.0, t))
        q = combine(t, (self.target, target), (1.0 - self.target, m))
        if not self.counterparts:
            return Probe(q)
        counterparts_of = parts.need_lookup("counterparts")

        def rescore(scores: FloatArray, ids: Sequence[str]) -> FloatArray:
            best = first_places(scores, self.counterparts)
            known = counterparts_of([ids[place] for place in best])
            better = [known[ids[place]] @ q if ids[place] in known else scores[place] for place in best]
            return in_front(scores, best, np.array(better, np.float32))

        return Probe(q, rescore_by_id=rescore)
