"""The machine that is measured: processor, cores, what else it does, the versions that matter."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ipcir_tools.bench.timing import Say

BUSY = 0.25
"""Load for each core at the start, or the share of the processor that others use meanwhile, that is worth a warning."""
TELLING = (
    *("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"),
    *("asimd", "bf16", "i8mm", "sve"),
)
"""The processor's features that decide how fast a network runs."""
DISTRIBUTIONS = ("torch", "open_clip_torch", "chromadb", "langchain-chroma", "langchain-experimental", "Pillow")


def load() -> list[float] | None:
    """The load averages of 1, 5 and 15 minutes; None where the system has none."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_busy(load_averages: list[float] | None) -> bool:
    """Whether so much else ran in the last minute that figures may suffer."""
    return bool(load_averages) and (load_averages or [0.0])[0] > BUSY * cores()


def describe(say: Say) -> dict[str, Any]:
    """The machine, by what it says itself, with torch imported."""
    say("reading what the machine is")
    import torch

    from ipcir_tools.models.devices import pick_device

    device = pick_device(os.environ.get("IPCIR_DEVICE", "auto"))
    facts = _cpu_facts()
    return {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": cores(),
        "flags": [flag for flag in TELLING if flag in facts.get("flags", facts.get("Features", "")).split()],
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version for name in DISTRIBUTIONS if (version := _version(name))},
        "torch_threads": torch.get_num_threads(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
    }


def _cpu_facts() -> dict[str, str]:
    """What Linux says of the first core, by name; elsewhere nothing."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): text.strip() for name, _, text in (line.partition(":") for line in first.splitlines())}


def _memory_gb() -> float | None:
    if sys.platform == "win32":
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


class OtherWork:
    """How much of the processor other programs use, between its making and :meth:`share`; on Linux alone."""

    def __init__(self) -> None:
        self._before = self._read()

    def share(self) -> float | None:
        """The share of all cores' time that neither this process nor those that it has ended took; None: not known."""
        now, before = self._read(), self._before
        if now is None or before is None or now[1] <= before[1]:
            return None
        busy, whole, own = (later - earlier for later, earlier in zip(now, before, strict=True))
        return round(max(0.0, (busy - own) / whole), 3)

    @staticmethod
    def _read() -> tuple[float, float, float] | None:
        """Seconds: all cores' work, all cores' time, own work."""
        try:
            line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
        except OSError:
            return None
        ticks = os.sysconf("SC_CLK_TCK")
        user, nice, system, idle, wait, irq, soft, steal = (int(value) / ticks for value in line.split()[1:9])
        used = os.times()
        own = used.user + used.system + used.children_user + used.children_system
        busy = user + nice + system + irq + soft + steal
        return busy, busy + idle + wait, own
