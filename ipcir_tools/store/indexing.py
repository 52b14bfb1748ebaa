"""Bringing folders into the gallery: look, read what changed, encode what is new, forget what is gone.

Pictures are committed to the catalog batch by batch, each in one transaction with its features, before the index
hears of them. A run that is killed or interrupted loses one batch at most, and the next run takes up where it ended.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.errors import BadImageError, IPCIRError, ModelUnavailableError, NotFoundError
from ipcir_tools.images.files import find_files, located, path_text, text_path
from ipcir_tools.images.reading import LoadedImage, decode, image_id, read_file
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.text import error_line, error_sentence
from ipcir_tools.types import FloatArray, IndexReport, Skip

if TYPE_CHECKING:
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.store.index import Gallery


MAX_WORKERS = 32

Status = tuple[int, int]
"""(size, mtime_ns) of a file."""

_GONE: Status = (-1, -1)


def index_folders(
    paths: Sequence[Path],
    *,
    catalog: Catalog,
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    settings: Settings,
    progress: Progress | None = None,
) -> IndexReport:
    """Make the gallery hold the pictures in ``paths``, folders or files; what it has from elsewhere stays.

    ``encoder`` is called only if a picture must be encoded. Files whose size and time are as before are not read;
    content that was ever encoded in the gallery's space is not encoded again.

    Raises NotFoundError if one of ``paths`` does not exist, before anything is changed; SpaceMismatchError if the
    encoder is not the gallery's; ModelUnavailableError if it cannot be had or fails on everything.
    """
    started = time.perf_counter()
    run = _Run(catalog, encoder, settings, progress or no_progress)
    run.look(paths)
    run.take_in()
    run.forget()
    gallery.sync(progress)
    return run.report(time.perf_counter() - started)


@dataclass(frozen=True)
class _Read:
    """A file that was read; decoded if the gallery did not hold its content."""

    stamp: FileStamp
    loaded: LoadedImage | None


class _Run:
    def __init__(
        self, catalog: Catalog, load_encoder: Callable[[], Encoder], settings: Settings, progress: Progress
    ) -> None:
        self._catalog = catalog
        self._load_encoder = load_encoder
        self._settings = settings
        self._progress = progress
        self._encoder: Encoder | None = None
        self._encoded = 0
        self._before = catalog.stamps()
        self._holders: dict[str, list[str]] = defaultdict(list)  # id -> its files before this run
        for stamp in self._before.values():
            self._holders[stamp.image_id].append(stamp.path)
        self._roots: list[Path] = []
        self._files: dict[str, Path] = {}  # by their text, the catalog's name for them
        self._status: dict[str, Status | None] = {}
        self._counts: Counter[str] = Counter()
        self._new: set[str] = set()
        self._left: set[str] = set()  # files that moved away
        self._skipped: list[Skip] = []

    # --- looking

    def look(self, paths: Sequence[Path]) -> None:
        """List the files and see which of them changed."""
        found = find_files(paths)
        self._roots = [located(path) for path in paths]
        self._files = {path_text(file): file for file in found}
        self._status = {text: _status(file) for text, file in self._files.items()}
        self._progress("scanning", len(self._files), len(self._files))

    def _changed(self) -> list[str]:
        known = {text: (stamp.size, stamp.mtime_ns) for text, stamp in self._before.items()}
        return [text for text in self._files if text not in known or known[text] != self._status[text]]

    # --- reading and encoding

    def take_in(self) -> None:
        """Read what changed, encode what is new, commit batch by batch."""
        changed = self._changed()
        self._counts["unchanged"] = len(self._files) - len(changed)
        done = 0
        with closing(self._opened(changed)) as opened:
            while batch := list(islice(opened, self._settings.batch_size)):
                self._skipped += [each for each in batch if isinstance(each, Skip)]
                self._commit([each for each in batch if isinstance(each, _Read)])
                done += len(batch)
                self._progress("indexing", done, len(changed))

    def _opened(self, texts: Sequence[str]) -> Generator[_Read | Skip, None, None]:
        """The files read and decoded by several threads, in order, at most one batch ahead."""
        waiting: deque[Future[_Read | Skip]] = deque()
        with ThreadPoolExecutor(_workers(), thread_name_prefix="ipcir-decode") as pool:
            try:
                for text in texts:
                    waiting.append(pool.submit(self._open, text))
                    if len(waiting) >= self._settings.batch_size:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _open(self, text: str) -> _Read | Skip:
        try:
            data = read_file(self._files[text], self._settings)
            id_ = image_id(data)
            loaded = None if id_ in self._holders else decode(data, text, self._settings)
        except (BadImageError, NotFoundError) as error:
            return Skip(source=text, reason=str(error))
        return _Read(FileStamp(text, id_, *(self._status[text] or _GONE)), loaded)

    def _commit(self, batch: Sequence[_Read]) -> None:
        fresh = {each.stamp.image_id: each.loaded for each in batch if each.loaded is not None}
        vectors, failed = self._encode_missing(fresh)
        kept = [each for each in batch if each.stamp.image_id not in failed]
        if kept:
            records = [loaded.record for id_, loaded in fresh.items() if id_ not in failed]
            self._catalog.add(records, [each.stamp for each in kept], vectors, self._catalog.space() or "")
        for each in batch:
            if reason := failed.get(each.stamp.image_id):
                self._skipped.append(Skip(source=each.stamp.path, reason=reason))
            else:
                self._counts[self._verdict(each)] += 1

    def _encode_missing(self, fresh: Mapping[str, LoadedImage]) -> tuple[dict[str, FloatArray], dict[str, str]]:
        """Features of those of ``fresh`` that have none yet, and the reasons where that failed."""
        space = self._catalog.space()
        have = self._catalog.features(fresh, space) if space and fresh else {}
        missing = {id_: loaded for id_, loaded in fresh.items() if id_ not in have}
        if not missing:
            return {}, {}
        encoder = self._bound_encoder()
        vectors, failed = _encode_each_that_can(encoder, missing, is_proven=self._encoded > 0)
        self._encoded += len(vectors)
        return vectors, failed

    def _bound_encoder(self) -> Encoder:
        if self._encoder is None:
            encoder = self._load_encoder()
            self._catalog.bind_space(encoder.space)
            self._encoder = encoder
        return self._encoder

    def _verdict(self, read: _Read) -> str:
        id_, text = read.stamp.image_id, read.stamp.path
        if read.loaded is not None:
            verdict = "unchanged" if id_ in self._new else "added"
            self._new.add(id_)
            return verdict
        if text in self._holders[id_]:
            return "unchanged"
        gone = next((path for path in self._holders[id_] if self._is_gone(path)), None)
        if gone is None:
            return "unchanged"
        self._left.add(gone)
        return "moved"

    def _is_gone(self, text: str) -> bool:
        """Whether a file of the gallery has gone and no other file was taken for it yet."""
        return text not in self._left and text not in self._files and _status(text_path(text)) == _GONE

    # --- forgetting

    def forget(self) -> None:
        """Drop the files that are gone from under the roots, those that moved, and those that went bad."""
        skipped = {skip.source for skip in self._skipped}
        unlisted = _prefixes(self._files[text] for text in skipped if self._files[text].is_dir())
        roots = _prefixes(self._roots)
        gone = {
            text
            for text in self._before
            if text not in self._files and text.startswith(roots) and not text.startswith(unlisted)
        }
        # Where even the status cannot be had, the place is out of reach and says nothing about the picture.
        bad = {text for text in skipped if text in self._before and self._status[text] is not None}
        if leaving := gone | bad | self._left:
            self._catalog.forget(leaving)

    def report(self, seconds: float) -> IndexReport:
        return IndexReport(
            seen=len(self._files),
            added=self._counts["added"],
            unchanged=self._counts["unchanged"],
            moved=self._counts["moved"],
            removed=len(self._holders.keys() - set(self._catalog.gallery_ids())),
            skipped=tuple(self._skipped),
            space=self._catalog.space() or "",
            seconds=seconds,
        )


def _encode_each_that_can(
    encoder: Encoder, pictures: Mapping[str, LoadedImage], *, is_proven: bool
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Features by id, and reasons by id for the pictures that the encoder fails on.

    Raises ModelUnavailableError where it fails on all of them, unless it is proven and there is but one.
    """
    try:
        return _encode(encoder, pictures), {}
    except Exception as whole:  # broad: a model raises anything on a picture that it cannot take
        vectors: dict[str, FloatArray] = {}
        failed: dict[str, str] = {}
        for id_, loaded in pictures.items():
            try:
                vectors |= _encode(encoder, {id_: loaded})
            except Exception as error:  # noqa: BLE001 - as above
                failed[id_] = f"cannot be encoded ({error_line(error, 80)})"
        if vectors or (is_proven and len(pictures) == 1):
            return vectors, failed
        if isinstance(whole, IPCIRError):
            raise
        raise ModelUnavailableError(
            f"The encoder {encoder.name} fails on every picture: {error_sentence(whole)}"
        ) from whole


def _encode(encoder: Encoder, pictures: Mapping[str, LoadedImage]) -> dict[str, FloatArray]:
    vectors = encoder.embed_images([loaded.pixels for loaded in pictures.values()])
    return dict(zip(pictures, vectors, strict=True))


def _status(file: Path) -> Status | None:
    """Size and time, ``_GONE`` if there is no such file, None if that cannot be told."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _GONE
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _prefixes(folders: Iterable[Path]) -> tuple[str, ...]:
    """What the text of every path below one of ``folders`` begins with."""
    return tuple(os.path.join(path_text(folder), "") for folder in folders)  # noqa: PTH118 - adds the separator


def _workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_WORKERS, cores)
