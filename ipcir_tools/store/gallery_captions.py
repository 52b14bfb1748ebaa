"""The captions of a gallery's pictures: made while they are indexed, and looked up by picture as features of texts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.store.captions import CaptionRun
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.features import Features
from ipcir_tools.types import CaptionReport, Skip

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.store.ray_encoding import RayEncoding


_BLOCK = 1_024
"""Files looked up, and captions encoded, at a time."""


class GalleryCaptioning:
    """Captions for the pictures of one index run: of new ones while their pixels are open, then of all others.

    Each caption is stored when it is made, so that a run that is killed goes on where it was. A chat model captions one
    batch of pictures while the next one is read and encoded. Where the captioner is not available, or a local one fails
    on every picture, the pictures are indexed all the same, and :meth:`finish` raises ModelUnavailableError.

    ``captioner`` gives the captioner's id; ``begin`` is called before the first caption is made. ``workers`` that make
    captions have made those of new pictures with their features, and make the others.
    """

    def __init__(
        self,
        catalog: Catalog,
        features: Features,
        captioner: Callable[[], str],
        begin: Callable[[], None],
        progress: Progress,
        workers: RayEncoding | None = None,
    ) -> None:
        self._catalog, self._features = catalog, features
        self._captioner, self._begin, self._progress = captioner, begin, progress
        self._workers = workers if workers and workers.makes_captions else None
        self._tally = Counter[str]()
        self._stack = ExitStack()
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None
        self._error: ModelUnavailableError | None = None
        self._done = self._total = 0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._run: CaptionRun = self._stack.enter_context(self._features.captioning.run(self._tally))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.stopped = True
        if self._pool:
            self._pool.shutdown(wait=error is None, cancel_futures=True)
        self._stack.close()

    def add(self, pictures: Mapping[str, Image.Image], more: int) -> None:
        """Caption new pictures of the gallery, by id; ``more``: how many files are still to be read."""
        self._wait()
        if not pictures or self._error:
            return
        try:
            if not pictures.keys() - self._features.known_captions(list(pictures)).keys():
                return
            self._begin()
            remote = self._features.captioning.is_remote()
        except ModelUnavailableError as error:
            self._error = error
            return
        self._total = self._done + len(pictures) + more
        if not remote:
            self._caption(pictures)
            return
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="ipcir-caption")
        self._running = self._pool.submit(self._caption, pictures)

    def finish(self, listed: Iterable[str]) -> CaptionReport:
        """Caption the pictures of these files that have none yet; what was done. Raises ModelUnavailableError."""
        self._wait()
        self._begin()
        if self._workers:
            self._run.failed |= self._workers.without_caption
        pictures = self._caption_others(listed)
        if self._error:
            raise self._error
        failed = self._run.failed
        records = self._catalog.records(failed)
        spent = {what: self._tally[f"captioner_{what}"] for what in ("calls", "input_tokens", "output_tokens")}
        return CaptionReport(
            captioner=self._captioner(),
            made=self._tally["captions"],
            known=pictures - self._tally["captions"] - len(failed),
            skipped=tuple(
                Skip(source=records[id_].source if id_ in records else id_, reason=why) for id_, why in failed.items()
            ),
            spent={what: n for what, n in spent.items() if n},
            seconds=time.perf_counter() - self._started,
        )

    def _caption(self, pictures: Mapping[str, Image.Image]) -> None:
        try:
            self._done += self._run.caption(pictures)
        except ModelUnavailableError as error:
            self._error = error
            return
        self._progress("captioning", self._done, max(self._done, self._total))

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running:
            running.result()

    def _caption_others(self, listed: Iterable[str]) -> int:
        """How many pictures the files hold, once those without a caption have one, or have been tried."""
        ids: set[str] = set()
        missing: list[str] = []
        for files in chunked(listed, _BLOCK):
            new = self._catalog.ids_of(files) - ids
            ids |= new
            known = self._features.known_captions(sorted(new))
            missing += sorted(id_ for id_ in new if id_ not in known and id_ not in self._run.failed)
        if self._workers:
            self._caption_by_workers(self._workers, missing)
        else:
            self._open_and_caption(missing)
        for block in chunked(sorted(ids), _BLOCK):
            self._features.gallery_captions(block)  # a search should not have to encode them
        return len(ids)

    def _caption_by_workers(self, workers: RayEncoding, missing: list[str]) -> None:
        try:
            workers.caption({id_: record.source for id_, record in self._catalog.records(missing).items()})
        except ModelUnavailableError as error:
            self._error = error
        self._run.failed |= workers.without_caption
        self._tally["captions"] += workers.captions_made

    def _open_and_caption(self, missing: list[str]) -> None:
        if not missing or self._error:
            return
        total = self._done + len(missing)
        try:
            for block in chunked(missing, self._features.captioning.block_size()):
                self._run.open_and_caption(block, self._features.open_image)
                self._done += len(block)
                self._progress("captioning", self._done, total)
        except ModelUnavailableError as error:
            self._error = error
