"""The last check of what a model made, before it is stored."""

from __future__ import annotations

import numpy as np

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.types import FloatArray


def sound(features: FloatArray, n: int, maker: str) -> FloatArray:
    """The features ``[n, d]`` that ``maker`` made. Raises ModelUnavailableError where they are no such array, or a row
    holds NaN, infinity or nothing but zeros: it would be like no picture and hide one.

    Our encoders are checked where they encode; encoders of other packages and trained networks give anything.
    """
    given = np.asarray(features)
    if given.ndim != 2 or len(given) != n or not given.shape[1] or not np.issubdtype(given.dtype, np.floating):
        raise ModelUnavailableError(f"{maker} gave {given.dtype} {given.shape} in place of {n} features.")
    if not np.isfinite(given).all():
        raise ModelUnavailableError(f"{maker} gave a feature with numbers that are none (NaN or infinity).")
    if not given.any(axis=1).all():
        raise ModelUnavailableError(f"{maker} gave a feature of zeros.")
    return features
