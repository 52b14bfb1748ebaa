"""What the workers of a run have begun and not ended: a file that ends its worker again and again is found by it.

A worker that is killed, by the system or by a library that crashes, says nothing. Ray starts it again and gives it the
same block of files again, for ever. So each block is noted before it is begun, in a process that lives as long as the
run. What was begun before is done again file by file, with nothing beside it in the same process, and each file is
noted, too: one that has ended its worker ``ALONE`` times by itself is given up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

ALONE = 2
"""Times that a file may end its worker while it is the only one there."""

CALLS = 2
"""Blocks that a worker has in hand at a time: one is read while another is encoded."""

_PATIENCE = 60.0
"""Seconds to wait for an answer."""


class Attempts(Protocol):
    """Counts how often something was begun without being ended."""

    def begin(self, what: str) -> int:
        """The number, this time included."""

    def end(self, what: str) -> None:
        """It is over, and did no harm."""


class CountedAttempts:
    """The counting itself, in one process."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, what: str) -> int:
        """The number, this time included."""
        self._begun[what] += 1
        return self._begun[what]

    def end(self, what: str) -> None:
        """It is over, and did no harm."""
        del self._begun[what]


class RemoteAttempts:
    """The same from other processes of the cluster."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    @classmethod
    def start(cls) -> RemoteAttempts:
        """An actor on this machine, which ends with the run."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        return cls(ray.remote(CountedAttempts).options(num_cpus=0, scheduling_strategy=here).remote())

    def begin(self, what: str) -> int:
        """The number, this time included."""
        import ray

        return int(ray.get(self._actor.begin.remote(what), timeout=_PATIENCE))

    def end(self, what: str) -> None:
        """It is over, and did no harm; not waited for."""
        self._actor.end.remote(what)


class Places:
    """The places of one process for blocks: a block takes one of them, and one that is to be alone takes all."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(CALLS)
        self._taking_all = threading.Lock()

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """Within the block, nothing else is done here if it is ``alone``."""
        wanted = CALLS if alone else 1
        with self._taking_all:  # two that each have a part would wait for each other
            for _ in range(wanted):
                self._free.acquire()
        try:
            yield
        finally:
            self._free.release(wanted)
