"""The other side of :mod:`ipcir_tools.bench.process`: calls one function of this room and writes what it gives.

``python -m ipcir_tools.bench.worker MODULE:FUNCTION``, its arguments as JSON on standard input.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, get_type_hints

from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.process import SIGN
from ipcir_tools.errors import IPCIRError
from ipcir_tools.text import error_sentence


def main(work: str) -> int:
    """Run it; the status of the process."""
    signal.signal(signal.SIGTERM, _leave)  # so that what this process started is ended, too
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    module, _, name = work.partition(":")
    try:
        function = getattr(importlib.import_module(f"ipcir_tools.bench.{module}"), name)
        given = json.loads(sys.stdin.read())
        hints = get_type_hints(function)
        made = {key: Plan(**value) if hints.get(key) is Plan else value for key, value in given.items()}
        if "say" in inspect.signature(function).parameters:
            made["say"] = _say
        result: Any = function(**made)
    except IPCIRError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - a peer may raise anything: the part failed, and its last line says why
        if os.environ.get("IPCIR_DEBUG"):
            traceback.print_exc()
        sys.stderr.write(f"{type(error).__name__}: {error_sentence(error)}\n")
        return 1
    json.dump(result, answer)
    answer.close()
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{SIGN}{text}\n")
    sys.stderr.flush()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
