"""A job on many files by the encoders of a Ray cluster, whatever becomes of single ones."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from ipcir_tools.batches import chunked
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.store.changed_files import UnusableFile
from ipcir_tools.store.ray_attempts import CALLS, RemoteAttempts
from ipcir_tools.store.ray_cluster import STORE_BYTES, Encoders
from ipcir_tools.store.ray_worker import Done, EncodingWorker, FileRow, Job, columns_of
from ipcir_tools.text import error_line
from ipcir_tools.types import Skip

SEGMENT = 500_000
"""Files that are handed to Ray at a time: some 60 MB of names in its shared memory."""

ROUNDS = 3
"""Times that files are handed to Ray which it lost, machines and all, or did not come to."""

LOST = f"not read: Ray lost what was made of this file {ROUNDS} times"

MOST_USELESS = 16
"""Blocks on which the encoder may fail whole before it has made anything, and the run ends."""


@dataclass
class _Encoder:
    """What is known of the encoder so far."""

    made: int = 0
    useless: int = 0
    why: str = ""

    def check(self, done: Done) -> None:
        """Count; raises what ends the run."""
        if done.error is not None:
            raise done.error
        self.made += sum(each.vector is not None for each in done.files)
        if done.useless:
            self.useless, self.why = self.useless + 1, done.useless
            if self.useless >= MOST_USELESS:
                self.require_success()

    def require_success(self) -> None:
        """Raises ModelUnavailableError where it has failed, and has made nothing."""
        if self.why and not self.made:
            raise ModelUnavailableError(self.why)


def run_job(job: Job, files: Sequence[FileRow], encoders: Encoders) -> Generator[Done, None, None]:
    """What is made of the files, block by block, in any order; each of them comes once.

    A worker that dies, or a machine, costs time and nothing else; a file that ends its worker again and again comes as
    one whose bytes could not be had. Raises what a model raises that cannot be loaded, and ModelUnavailableError where
    the encoder fails on every picture, or Ray itself does not work.
    """
    encoder, job = _Encoder(), replace(job, threads=max(1, encoders.cpus))
    for segment in chunked(files, SEGMENT):
        left = dict(segment)
        for rounds_left in reversed(range(ROUNDS)):
            try:
                with closing(_executed(job, list(left.items()), encoders)) as blocks:
                    for done in blocks:
                        encoder.check(done)
                        done = _first_time(done, left)
                        yield done
            except _ray_errors() as error:
                if not rounds_left:
                    raise ModelUnavailableError(
                        f"Ray cannot run the encoders ({error_line(error, 200)}): look at it, or leave --ray out."
                    ) from error
            if not left:
                break
        if left:
            yield Done(unusable=[UnusableFile(Skip(source=text, reason=LOST), unread=True) for text in left])
    encoder.require_success()


def _first_time(done: Done, left: dict[str, Any]) -> Done:
    """``done`` without the files that came before; the others are taken out of ``left``."""
    files = [each for each in done.files if left.pop(each.stamp.path, _NONE) is not _NONE]
    unusable = [each for each in done.unusable if left.pop(each.skip.source, _NONE) is not _NONE]
    done.files, done.unusable = files, unusable
    return done


_NONE = object()


def _executed(job: Job, files: Sequence[FileRow], encoders: Encoders) -> Generator[Done, None, None]:
    """One execution by Ray Data. Its defaults start workers again that died, and their blocks with them."""
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy, DataContext, from_arrow

    size = job.settings.batch_size
    tables = [pa.table(columns_of(block)) for block in chunked(files, size)]
    with warnings.catch_warnings(action="ignore"), DataContext.current(_context()):
        done = from_arrow(tables).map_batches(
            EncodingWorker,
            fn_constructor_args=(job, RemoteAttempts.start()),
            batch_size=size,
            compute=ActorPoolStrategy(
                size=min(encoders.number, len(tables)),
                max_concurrent_calls_per_actor=CALLS,
                max_tasks_in_flight_per_actor=CALLS + 1,
                enable_true_multi_threading=True,
            ),
            num_cpus=encoders.cpus,
            num_gpus=encoders.gpus,
        )
        bundles = done.iter_internal_ref_bundles()
    for ref in _refs(bundles):
        try:
            block = ray.get(ref)
        except ray.exceptions.RayError:
            continue  # lost with the machine that held it: the next round brings it
        for each in block.column("done"):
            yield pickle.loads(each.as_py())


def _refs(bundles: Iterator[Any]) -> Iterator[Any]:
    for bundle in bundles:
        yield from bundle.block_refs


def _context() -> Any:
    """How Ray Data is to work: silent, within little memory, and going on without blocks that are lost."""
    from ray.data import DataContext, ExecutionResources

    context = DataContext.get_current().copy()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_errored_blocks = -1
    context.execution_options.resource_limits = ExecutionResources(object_store_memory=STORE_BYTES / 2)
    return context


def _ray_errors() -> tuple[type[Exception], ...]:
    import ray

    return (ray.exceptions.RayError, RuntimeError, OSError)
