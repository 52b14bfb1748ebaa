"""Deadlines of calls and streams."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

from ipcir_tools.llm.timeouts import iterate_within


def test_an_abandoned_stream_is_read_no_further():
    permits, ended = threading.Semaphore(1), threading.Event()

    def stream() -> Iterator[int]:
        try:
            for n in range(1_000):
                permits.acquire(timeout=20)
                yield n
        finally:
            ended.set()

    items = iterate_within(60, stream)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    permits.release()
    assert ended.wait(20), "the first item after the consumer stopped is the last"
    permits.release(2_000)


def test_an_abandoned_call_does_not_hold_up_the_interpreters_exit():
    program = (
        "import threading\n"
        "from ipcir_tools.llm.errors import DeadlineExceededError\n"
        "from ipcir_tools.llm.timeouts import call_within\n"
        "try: call_within(0.05, threading.Event().wait)\n"
        "except DeadlineExceededError: raise SystemExit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 7
