"""A measurement in a fresh process: nothing that was loaded before changes it, and its failure ends no run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.timing import Say

SIGN = "\x1e"
"""Begins a line on the standard error of a measurement that tells what is being done."""
LIMIT = 3_600.0
"""Seconds after which a measurement is ended."""
KEPT = ("IPCIR_DTYPE", "IPCIR_DEVICE", "IPCIR_BATCH_SIZE", "IPCIR_DEBUG")
"""Settings of the user that hold for the benchmark, too; all others are the package's defaults."""
DROPPED = ("IPCIR_", "LANGSMITH_", "LANGCHAIN_")


class FailedError(Exception):
    """A measurement failed; its text is one line. It ends that part of the run only."""


def environment() -> dict[str, str]:
    """The environment of a measurement: nothing is downloaded, and nothing is traced."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(DROPPED)}
    return kept | {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False", "TOKENIZERS_PARALLELISM": "false"}


def fresh(work: str, say: Say, variables: Mapping[str, str] | None = None, /, **arguments: Any) -> Any:
    """What the function ``module:name`` of this room gives for ``arguments``, in a process of its own.

    Arguments (a plan among them) and result travel as JSON; ``variables`` are set in its environment. Raises
    FailedError.
    """
    question = json.dumps(arguments, default=lambda plan: plan.model_dump(mode="json"))
    command = [sys.executable, "-m", "ipcir_tools.bench.worker", work]
    pipe = subprocess.PIPE
    chosen = environment() | dict(variables or {})
    if isinstance(plan := arguments.get("plan"), Plan):  # what is found out about random weights is not kept
        chosen["XDG_CACHE_HOME"] = str(plan.folder / "cache")
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=chosen, text=True) as process:
        noise: deque[str] = deque(maxlen=20)
        reader = threading.Thread(target=_listen, args=(process, say, noise))
        watch = threading.Timer(LIMIT, process.terminate)
        reader.start()
        watch.start()
        try:
            out = _answer(process, question)
        finally:
            watch.cancel()
            _end(process)
            reader.join()
    if process.returncode or not out:
        raise FailedError(noise[-1] if noise else f"its process ended with status {process.returncode}")
    return json.loads(out)


def _answer(process: subprocess.Popen[str], question: str) -> str:
    """Send the question and wait for the answer and the end; standard error is the reader's."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # it ended before it read: its standard error says why
        process.stdin.write(question)
        process.stdin.close()
    out = process.stdout.read()
    process.wait()
    return out


def _end(process: subprocess.Popen[str]) -> None:
    """End a process that is still there, and by it those that it started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _listen(process: subprocess.Popen[str], say: Say, noise: deque[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        text = line.rstrip()
        if text.startswith(SIGN):
            say(text.removeprefix(SIGN))
        elif text:
            noise.append(text)
