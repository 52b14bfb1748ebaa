"""All odd pictures, the dear ones among them, and what they cost: one after the other, many at a time, and in a folder.

Memory is that of a process of its own and all that it started, resident, sampled, over what it was before. Run by
``.ci/run``; ``python tests/images/odd_pictures_whole.py`` prints the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from odd_pictures import Odd, odd_pictures
from odd_pictures.judging import fault_of

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.reading import LoadedImage, decode
from ipcir_tools.settings import Settings

ABOVE = 500_000_000
"""Bytes that may be taken beyond the budget: pictures that are kept, and what the decoder processes are themselves."""
CALLERS = 16
SEED = int(os.environ.get("IPCIR_TEST_SEED", "0"))


def outcome_of(odd: Odd) -> LoadedImage | BadImageError:
    try:
        return decode(odd.content(), "a file", Settings())
    except BadImageError as error:
        return error


def all_faults() -> list[str]:
    """Of all odd pictures, one after the other."""
    found = ((each, fault_of(each, outcome_of(each))) for each in odd_pictures(SEED))
    return [f"{each.kind}: {fault}" for each, fault in found if fault]


def dear_ones() -> list[Odd]:
    return [each for each in odd_pictures(SEED) if each.heavy]


def resident() -> int:
    """Bytes of this process and its children."""
    me = os.getpid()
    total = 0
    for child in [str(me), *Path(f"/proc/{me}/task/{me}/children").read_text().split()]:
        with suppress(OSError, IndexError):
            total += int(Path(f"/proc/{child}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


class Peak:
    """The most that was resident within its block, over what was at its beginning."""

    def __enter__(self) -> Peak:
        self._before, self._end, self.bytes = resident(), threading.Event(), 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._end.wait(0.003):
            self.bytes = max(self.bytes, resident() - self._before)

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


# --- what runs in a process of its own


def measure_each() -> dict[str, Any]:
    figures = {}
    outcome_of(next(odd_pictures(SEED)))  # imports what is imported late
    for each in dear_ones():
        data = each.content()
        start = time.perf_counter()
        with Peak() as peak:
            outcome_of(Odd(each.kind, data))
        figures[f"{each.kind} {len(figures)}"] = [peak.bytes, time.perf_counter() - start]
    return figures


def measure_callers(kind: str) -> int:
    odd = next(each for each in dear_ones() if each.kind == kind)
    data = odd.content()
    with Peak() as peak, ThreadPoolExecutor(CALLERS) as pool:
        kept = list(pool.map(lambda _: outcome_of(Odd(kind, data)), range(CALLERS)))
        assert all(fault_of(odd, each) is None for each in kept)
    return peak.bytes


def measure_folder(folder: str) -> int:
    from ipcir_tools.engine.engine import Engine

    with Engine.open(Settings(home=Path(folder) / "home", models="demo")) as engine:
        engine.components.encoder.embed_images([])
        with Peak() as peak:
            engine.index([Path(folder) / "pictures"])
    return peak.bytes


def in_own_process(call: str, *arguments: str) -> Any:
    program = f"import sys, json; sys.path[:0] = {sys.path!r}\nimport odd_pictures_whole as w\n"
    program += f"print(json.dumps(w.{call}(*sys.argv[1:])))"
    path = str(Path(__file__).parent)
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        cwd=path,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return json.loads(ended.stdout.splitlines()[-1])


# --- tests


def test_every_picture_is_right_or_named():
    assert not all_faults()


def test_no_picture_takes_more_than_the_budget():
    figures = in_own_process("measure_each")
    most = max(figures, key=lambda name: figures[name][0])
    assert figures[most][0] < Settings().decode_memory, (most, figures[most])


@pytest.mark.parametrize("kind", ["webp bomb of 38 bytes", "png that is long and thin", "avif of 64 million pixels"])
def test_sixteen_hostile_callers_stay_within_the_budget(kind):
    assert in_own_process("measure_callers", kind) < Settings().decode_memory + ABOVE


def test_a_hostile_folder_stays_within_the_budget(tmp_path):
    (tmp_path / "pictures").mkdir()
    for i, each in enumerate(dear_ones()):
        (tmp_path / "pictures" / f"{i}.jpg").write_bytes(each.content())
    assert in_own_process("measure_folder", str(tmp_path)) < Settings().decode_memory + ABOVE


if __name__ == "__main__":
    for name, (size, seconds) in in_own_process("measure_each").items():
        print(f"{name:60} {size / 1e6:7.0f} MB {seconds:6.2f} s")  # noqa: T201
