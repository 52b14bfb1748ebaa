"""The number type of an encoder on a processor: bfloat16 where a short test on this machine shows that it pays.

The test runs once for a model, a kind of processor and a version of torch: a few pictures and texts are encoded in
float32 and in bfloat16, by what would encode all of them. bfloat16 is chosen where it is at least ``FASTER`` times as
fast and its features agree with those of float32 within ``MEAN`` and ``WORST``. The result is kept in the user's cache
folder; deleting it there has the test run again. A number type in the settings (``dtype``, ``IPCIR_DTYPE``) overrides
it.

Small models stay in float32 without a test: they are fast, and theirs are the features that tests and figures hold.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ipcir_tools.files import write_bytes
from ipcir_tools.models.devices import DType
from ipcir_tools.models.user_cache import cache_folder
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

MEAN, WORST = 0.9999, 0.999
"""Cosines between a feature in bfloat16 and the same one in float32: all on average, and the worst one at least."""
FASTER = 1.2
SMALL = 20_000_000
"""Parameters of a model that is too small for a test."""
RUNS, ENOUGH = 3, 0.4
"""How often each type is timed at most, and the seconds after which it is not timed again."""

_SPEEDS_UP = ("avx512_bf16", "amx_bf16", "amx_tile", "bf16")
"""What torch calls the instructions for bfloat16: x86's and ARM's."""


@dataclass(frozen=True)
class NumberTypeTest:
    """What the test of one model on this machine gave."""

    model: str
    processor: str
    torch: str
    float32_per_s: float
    """Pictures a second."""
    bfloat16_per_s: float
    mean: float
    """Cosine between features in the two types, on average."""
    worst: float

    @property
    def dtype(self) -> DType:
        """The number type that is chosen."""
        agrees = self.mean >= MEAN and self.worst >= WORST
        return "bfloat16" if agrees and self.bfloat16_per_s >= FASTER * self.float32_per_s else "float32"


class Sample(Protocol):
    """What the test encodes, by what would encode all pictures and texts."""

    def pictures(self, dtype: DType) -> FloatArray:
        """Features ``[n, d]``, of any norm, of the same few pictures each time."""

    def texts(self, dtype: DType) -> FloatArray:
        """Features ``[m, d]``, of any norm, of the same few texts each time."""


def chosen_type(model: str, parameters: int, sample: Callable[[], Sample]) -> DType:
    """The number type for a model on a CPU; ``sample`` is called where a test is needed."""
    if parameters < SMALL or not processor_gains():
        return "float32"
    kept = kept_test(model)
    if kept is None:
        try:
            kept = run_test(model, sample())
        except RuntimeError:  # torch has not every operation in bfloat16
            return "float32"
        keep(kept)
    return kept.dtype


def processor_gains() -> bool:
    """Whether this processor has instructions for bfloat16, by what torch says of it."""
    import torch

    found: Mapping[str, Any] = torch.cpu.get_capabilities()
    return any(found.get(name) for name in _SPEEDS_UP)


def run_test(model: str, sample: Sample) -> NumberTypeTest:
    """Encode in both types, in turn; the fastest run of each counts."""
    import torch

    types: tuple[DType, ...] = ("float32", "bfloat16")
    pictures = [sample.pictures(each) for each in types]  # the first run prepares what later ones reuse
    seconds, began = dict.fromkeys(types, float("inf")), time.perf_counter()
    for _ in range(RUNS):
        for each in types:
            start = time.perf_counter()
            sample.pictures(each)
            seconds[each] = min(seconds[each], time.perf_counter() - start)
        if time.perf_counter() - began > ENOUGH:
            break
    texts = [sample.texts(each) for each in types]
    cosines = np.concatenate([_cosines(*pictures), _cosines(*texts)])
    return NumberTypeTest(
        model=model,
        processor=_processor(),
        torch=torch.__version__,
        float32_per_s=round(len(pictures[0]) / seconds["float32"], 1),
        bfloat16_per_s=round(len(pictures[0]) / seconds["bfloat16"], 1),
        mean=round(float(cosines.mean()), 6),
        worst=round(float(cosines.min()), 6),
    )


def _cosines(one: FloatArray, other: FloatArray) -> FloatArray:
    wide = [each.astype(np.float64) for each in (one, other)]
    norms = np.linalg.norm(wide[0], axis=1) * np.linalg.norm(wide[1], axis=1)
    cosines: FloatArray = np.einsum("nd,nd->n", *wide) / norms
    return np.nan_to_num(cosines)


# ---- what is kept ------------------------------------------------------------------------------------
def kept_test(model: str) -> NumberTypeTest | None:
    """The test of a model on this kind of processor with this torch; None where none was kept."""
    import torch

    found = _read(_place(model))
    same = found is not None and (found.processor, found.torch) == (_processor(), torch.__version__)
    return found if same else None


def kept_tests() -> list[NumberTypeTest]:
    """All tests that were kept, by model; torch is not imported."""
    found = [_read(path) for path in sorted(_folder().glob("*.json"))]
    return sorted((each for each in found if each is not None), key=lambda each: each.model)


def keep(test: NumberTypeTest) -> None:
    """Write it down; where the cache folder cannot be written, the next process tests again."""
    with suppress(OSError):
        write_bytes(_place(test.model), json.dumps(asdict(test), indent=1).encode())


def _read(path: Path) -> NumberTypeTest | None:
    try:
        return NumberTypeTest(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _folder() -> Path:
    return cache_folder() / "number-types"


def _place(model: str) -> Path:
    return _folder() / f"{json_digest([model, _processor()])[:16]}.json"


@lru_cache(maxsize=1)
def _processor() -> str:
    """The kind of processor, as the system names it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        if "model name" in facts:
            return f"{facts['model name']} {facts.get('cpu family', '')}-{facts.get('model', '')}"
    return platform.processor() or platform.machine()
