"""What verification by a captioner costs on this machine, and how many hits ``verify=auto`` verifies therefore."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ipcir_tools.models.devices import one_core
from ipcir_tools.models.transformers_captioner import TransformersCaptioner

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner


BUDGET = 1.0
"""Seconds that ``auto`` may add to a search whose hits were never verified before: the limit of what feels direct."""
AMOUNTS = (50, 20, 10)
"""What ``auto`` chooses from; ``verified_order.WEIGHT`` has what each of them finds."""
SAMPLE = 2
"""Pictures that a measurement reads."""
REPEATS = 6
"""Each part is measured so often and the fastest counts."""
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
    own = isinstance(captioner, TransformersCaptioner) and captioner.device == "cpu"
    picture, features = _fastest(lambda: captioner.encode_images(open_pictures(1)), 1, own)
    slow = picture > SLOW
    if not slow:
        picture, features = _fastest(lambda: captioner.encode_images(open_pictures(SAMPLE)), REPEATS, own)
        picture /= len(features)
    pairs, repeats = (1, 1) if slow else (min(AMOUNTS), REPEATS)
    text, _ = _fastest(lambda: captioner.pair_log_likelihood(features[:1] * pairs, [TEXT] * pairs), repeats, own)
    return VerifierCost(captioner.id, captioner.device, captioner.dtype, picture, text / pairs)


def _fastest(run: Callable[[], T], repeats: int, own: bool) -> tuple[float, T]:
    """The shortest of several runs, in seconds, and what it gave.

    With ``own``, for a model whose work is done in this thread: also by one core, and by the time that the core worked
    on it. On a busy machine that is less than the time on the clock, most of which goes to other programs.
    """
    best, result = float("inf"), run()  # the first run prepares what later ones reuse
    by_core, by_clock = (repeats, min(2, repeats)) if own else (0, repeats)
    for clock, times in ((time.thread_time, by_core), (time.perf_counter, by_clock)):
        with one_core() if own and clock is time.thread_time else nullcontext():
            for _ in range(times):
                began = clock()
                result = run()
                best = min(best, clock() - began)
    return best, result
