"""Whether what came out of an odd picture is right."""

from __future__ import annotations

import numpy as np

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.reading import LoadedImage
from odd_pictures.base import Odd


def fault_of(odd: Odd, outcome: LoadedImage | BadImageError) -> str | None:
    """What is wrong with an outcome; None where it is right."""
    if isinstance(outcome, BadImageError):
        return _fault_of_reason(odd, str(outcome))
    if odd.words is not None:
        return "it was to be refused"
    record, pixels = outcome.record, outcome.pixels
    if odd.damaged is not None and record.damaged != odd.damaged and not odd.may_fail:
        return f"damaged is {record.damaged}"
    if pixels.mode != "RGB":
        return f"its mode is {pixels.mode}"
    if odd.size and (record.width, record.height) != odd.size:
        return f"its size is {record.width} x {record.height}"
    if odd.truth is None:
        return None
    found = np.asarray(pixels).astype(int)
    if found.shape != odd.truth.shape:
        return f"its shape is {found.shape} in place of {odd.truth.shape}"
    far = float(np.abs(found - odd.truth).mean())
    return None if far <= odd.far else f"it is {far:.1f} levels from what it shows"


def _fault_of_reason(odd: Odd, reason: str) -> str | None:
    if not (reason.isprintable() and 0 < len(reason) < 160):
        return f"its reason is no line: {reason!r}"
    if odd.words is not None:
        return None if odd.words.lower() in reason.lower() else f"it was refused for {reason!r}"
    return None if odd.may_fail else f"it was refused: {reason}"
