"""What verification by a captioner costs on this machine, and how many hits ``verify=auto`` verifies therefore."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner


BUDGET = 1.0
"""Seconds that ``auto`` may add to a search whose hits were never verified before: the limit of what feels direct."""
AMOUNTS = (20, 10)
"""What ``auto`` chooses from; ``verified_order.WEIGHT`` has what each of them finds: more than 20 find hardly more."""
SAMPLE = 2
"""Pictures that a measurement reads."""
REPEATS = 6
"""Each part is measured so often and the fastest counts, so that a busy machine is not taken for a slow one."""
SLOW = 3 * BUDGET / min(AMOUNTS)
"""A picture that takes so long needs no closer look."""
TEXT = "a person in a long dark blue dress with white dots and short sleeves stands on a sunny street"

T = TypeVar("T")


@dataclass(frozen=True)
class VerifierCost:
    """Seconds of one machine's captioner."""

    captioner: str
    device: str
    dtype: str
    picture: float
    """Seconds to open one picture and make its vision features; made once, then kept in memory."""
    text: float
    """Seconds to score one text under one picture."""

    def seconds(self, n: int) -> float:
        """What the verification of ``n`` hits costs of which none was verified before."""
        return n * (self.picture + self.text)

    @property
    def amount(self) -> int:
        """How many hits ``auto`` verifies: the most of :data:`AMOUNTS` within :data:`BUDGET`, or 0."""
        return next((n for n in AMOUNTS if self.seconds(n) <= BUDGET), 0)

    def dump(self) -> str:
        """As a note of the catalog."""
        return json.dumps(asdict(self))


def read_cost(note: str | None) -> VerifierCost | None:
    """The cost in a note of the catalog; None where there is none, or one of another version."""
    try:
        values: dict[str, Any] = json.loads(note or "null") or {}
        return VerifierCost(**values)
    except (ValueError, TypeError):
        return None


def measure_cost(captioner: Captioner, open_pictures: Callable[[int], Sequence[Image.Image]]) -> VerifierCost:
    """Measure a captioner that is loaded; ``open_pictures(n)`` opens up to n pictures, at least one."""
    captioner.encode_images(open_pictures(1))  # the first run of a model prepares what later ones reuse
    picture, features = _fastest(lambda: captioner.encode_images(open_pictures(1)), 1)
    slow = picture > SLOW
    if not slow:
        picture, features = _fastest(lambda: captioner.encode_images(open_pictures(SAMPLE)), REPEATS)
        picture /= len(features)
    pairs = 1 if slow else min(AMOUNTS)
    repeats = 2 if slow else REPEATS
    text, _ = _fastest(lambda: captioner.pair_log_likelihood(features[:1] * pairs, [TEXT] * pairs), repeats)
    return VerifierCost(captioner.id, captioner.device, captioner.dtype, picture, text / pairs)


def _fastest(run: Callable[[], T], repeats: int) -> tuple[float, T]:
    """The shortest of several runs, in seconds, and what it gave."""
    best, result = float("inf"), None
    for _ in range(repeats):
        began = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - began)
    assert result is not None
    return best, result
