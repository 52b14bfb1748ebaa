"""Indexing folders: list the files, read what changed, encode what is new, forget what is gone.

Pictures are committed to the catalog batch by batch, each in one transaction with its features, before they are added
to the index. A run that is killed or interrupted loses one batch at most, and the next run continues where it ended.
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
from ipcir_tools.errors import BadImageError, NotFoundError
from ipcir_tools.images.files import find_files, located, path_text, text_path
from ipcir_tools.images.reading import LoadedImage, decode, image_id, read_file
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.encoding import encode_each
from ipcir_tools.types import CaptionReport, FloatArray, IndexReport, Skip

if TYPE_CHECKING:
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.store.index import Gallery


MAX_WORKERS = 32

Status = tuple[int, int]
"""(size, mtime_ns) of a file."""

CaptionPictures = Callable[[Sequence[str], Progress], CaptionReport]
"""Captions the pictures with these ids."""

_GONE: Status = (-1, -1)


def index_folders(
    paths: Sequence[Path],
    *,
    catalog: Catalog,
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    settings: Settings,
    captioning: CaptionPictures | None = None,
    progress: Progress | None = None,
) -> IndexReport:
    """Update the gallery to the pictures in ``paths``, folders or files; its pictures from elsewhere stay.

    ``encoder`` is called only if a picture must be encoded. Files whose size and time are as before are not read;
    content that has a feature in the gallery's space is not encoded again. With ``captioning`` every picture in
    ``paths`` gets a caption, once all are in the gallery.

    Raises NotFoundError if one of ``paths`` does not exist, before anything is changed; SpaceMismatchError if the
    encoder is not the gallery's; ModelUnavailableError if it is not available or fails on every picture.
    """
    started = time.perf_counter()
    run = _Run(catalog, encoder, settings, progress or no_progress)
    run.scan(paths)
    run.add_changed()
    run.forget()
    gallery.sync(progress)
    captions = captioning(run.ids(), progress or no_progress) if captioning else None
    return run.report(captions, time.perf_counter() - started)


@dataclass(frozen=True)
class _ReadFile:
    """A file that was read; decoded if its content is new to the gallery."""

    stamp: FileStamp
    loaded: LoadedImage | None


class _Run:
    """One run over some folders: its steps in order, and what it counts."""

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
        self._factless = catalog.ids_without_facts()  # of an earlier version: read once more, not encoded
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

    # --- scanning

    def scan(self, paths: Sequence[Path]) -> None:
        """List the files with their sizes and times."""
        found = find_files(paths)
        self._roots = [located(path) for path in paths]
        self._files = {path_text(file): file for file in found}
        self._status = {text: _status(file) for text, file in self._files.items()}
        self._progress("scanning", len(self._files), len(self._files))

    def _changed(self) -> list[str]:
        known = {text: (stamp.size, stamp.mtime_ns) for text, stamp in self._before.items()}
        return [text for text in self._files if known.get(text) != self._status[text] or self._is_factless(text)]

    def _is_factless(self, text: str) -> bool:
        return text in self._before and self._before[text].image_id in self._factless

    # --- reading and encoding

    def add_changed(self) -> None:
        """Read what changed, encode what is new, commit batch by batch."""
        changed = self._changed()
        self._counts["unchanged"] = len(self._files) - len(changed)
        done = 0
        with closing(self._read(changed)) as files:
            while batch := list(islice(files, self._settings.batch_size)):
                self._skipped += [each for each in batch if isinstance(each, Skip)]
                self._commit([each for each in batch if isinstance(each, _ReadFile)])
                done += len(batch)
                self._progress("indexing", done, len(changed))

    def _read(self, texts: Sequence[str]) -> Generator[_ReadFile | Skip, None, None]:
        """The files read and decoded by several threads, in order, at most one batch ahead."""
        waiting: deque[Future[_ReadFile | Skip]] = deque()
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

    def _open(self, text: str) -> _ReadFile | Skip:
        try:
            data = read_file(self._files[text], self._settings)
            id_ = image_id(data)
            known = id_ in self._holders and id_ not in self._factless
            modified = (self._status[text] or _GONE)[1] / 1e9
            loaded = None if known else decode(data, text, self._settings, modified=modified)
        except (BadImageError, NotFoundError) as error:
            return Skip(source=text, reason=str(error))
        return _ReadFile(FileStamp(text, id_, *(self._status[text] or _GONE)), loaded)

    def _commit(self, batch: Sequence[_ReadFile]) -> None:
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
                self._counts["damaged"] += each.loaded is not None and each.loaded.record.damaged

    def _encode_missing(self, fresh: Mapping[str, LoadedImage]) -> tuple[dict[str, FloatArray], dict[str, str]]:
        """Features of those of ``fresh`` that have none yet, and the reasons where encoding failed."""
        space = self._catalog.space()
        have = self._catalog.features(fresh, space) if space and fresh else {}
        missing = {id_: loaded for id_, loaded in fresh.items() if id_ not in have}
        if not missing:
            return {}, {}
        encoder = self._bound_encoder()
        vectors, failed = encode_each(encoder, missing, proven=self._encoded > 0)
        self._encoded += len(vectors)
        return vectors, failed

    def _bound_encoder(self) -> Encoder:
        if self._encoder is None:
            encoder = self._load_encoder()
            self._catalog.bind_space(encoder.space)
            self._encoder = encoder
        return self._encoder

    def _verdict(self, read: _ReadFile) -> str:
        id_, text = read.stamp.image_id, read.stamp.path
        if id_ not in self._holders:
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
        """Whether a file of the gallery is gone and has not been matched with a moved one yet."""
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
        # Where even the status cannot be read, the place is out of reach and nothing is known about the picture.
        bad = {text for text in skipped if text in self._before and self._status[text] is not None}
        if leaving := gone | bad | self._left:
            self._catalog.forget(leaving)

    def ids(self) -> list[str]:
        """The pictures of the gallery that the listed files hold, sorted."""
        stamps = self._catalog.stamps()
        return sorted({stamps[text].image_id for text in self._files if text in stamps})

    def report(self, captions: CaptionReport | None, seconds: float) -> IndexReport:
        """What was counted."""
        return IndexReport(
            seen=len(self._files),
            added=self._counts["added"],
            unchanged=self._counts["unchanged"],
            moved=self._counts["moved"],
            removed=len(self._holders.keys() - set(self._catalog.gallery_ids())),
            skipped=tuple(self._skipped),
            space=self._catalog.space() or "",
            seconds=seconds,
            captions=captions,
            damaged=self._counts["damaged"],
        )


def _status(file: Path) -> Status | None:
    """Size and time; ``_GONE`` if there is no such file, None if that cannot be found out."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _GONE
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _prefixes(folders: Iterable[Path]) -> tuple[str, ...]:
    """The beginnings of the texts of all paths below ``folders``."""
    return tuple(os.path.join(path_text(folder), "") for folder in folders)  # noqa: PTH118 - adds the separator


def _workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_WORKERS, cores)
