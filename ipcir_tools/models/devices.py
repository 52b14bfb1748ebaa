"""Where a model runs and in which number type."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from typing import TYPE_CHECKING, Literal

from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    import torch


DType = Literal["float32", "bfloat16", "float16"]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_DEVICE_FILES = ("/dev/nvidia*", "/dev/nvhost*", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
"""Of Nvidia's cards and boards, of Windows' graphics in its Linux, and of AMD's cards."""
_DTYPES: tuple[DType, ...] = ("float32", "bfloat16", "float16")


def pick_device(device: str = "auto") -> str:
    """The device to use: ``auto`` takes the first of cuda, mps and cpu that is there. Imports torch.

    Raises ``InvalidRequestError`` for a name that is none and for a device that this machine lacks.
    """
    if not _DEVICE.fullmatch(device):
        raise InvalidRequestError(f"There is no device {device!r}: use auto, cpu, mps, cuda or cuda:N.")
    if device == "cpu":
        return device
    here = _accelerators()
    if device == "auto":
        return here[0] if here else "cpu"
    if device not in here:
        raise InvalidRequestError(f"Device {device} is not available here: use {' or '.join([*here, 'cpu', 'auto'])}.")
    return device


def _accelerators() -> list[str]:
    """Names of the accelerators here, the best first; ``cuda`` means the current one.

    On Linux they have device files; where there are none, torch is not asked, whose import takes a second or more.
    """
    if sys.platform == "linux" and "torch" not in sys.modules and not any(map(glob, _DEVICE_FILES)):
        return []
    import torch

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return (["cuda", *cuda] if cuda else []) + mps


def pick_dtype(dtype: str, device: str) -> DType:
    """The number type to use: ``auto`` is float32 on a CPU, bfloat16 where the accelerator has it, else float16.

    On a CPU an encoder may know better: see ``number_type``.
    """
    if dtype in _DTYPES:
        return dtype
    if dtype != "auto":
        raise InvalidRequestError(f"There is no dtype {dtype!r}: use auto, float32, bfloat16 or float16.")
    if device == "cpu":
        return "float32"
    return "bfloat16" if device.startswith("cuda") and _has_bfloat16() else "float16"


def _has_bfloat16() -> bool:
    import torch

    # Emulated bfloat16 (cards before Ampere) is slower than float16.
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def torch_dtype(dtype: DType) -> torch.dtype:
    """torch's own object for ``dtype``."""
    import torch

    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]


@contextmanager
def one_core() -> Iterator[None]:
    """Within the block, torch computes on a CPU with one thread, the calling one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
