"""Indexing folders: list the files, read what changed, encode what is new, forget what is gone.

Pictures are committed to the catalog batch by batch, each in one transaction with its features, before they are added
to the index. A run that is killed or interrupted loses one batch at most, and the next run continues where it ended.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.images.excluding import folder_text
from ipcir_tools.images.files import text_path
from ipcir_tools.images.scanning import Scan
from ipcir_tools.images.storage import is_empty, is_gone
from ipcir_tools.settings import Settings
from ipcir_tools.sources import Source
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.changed_files import FETCHING, PictureReader, ReadFile, UnusableFile, read_files
from ipcir_tools.store.encoding import EncodedFile, GalleryFeatures
from ipcir_tools.store.folders import at_or_below, innermost
from ipcir_tools.store.gallery_before import FilesBefore, PicturesBefore
from ipcir_tools.store.roots import Roots, missing, roots_of
from ipcir_tools.types import CaptionReport, IndexReport, MissingFolder, Skip

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.store.gallery_captions import GalleryCaptioning
    from ipcir_tools.store.index import Gallery
    from ipcir_tools.store.ray_worker import Done, FileRow


MOST_SUFFIXES = 10
"""Unknown suffixes that a report tells."""

EncodeElsewhere = Callable[[Sequence["FileRow"], Collection[str]], Generator["Done", None, None]]
"""Reads and encodes files on other machines; the second argument are the pictures that need no decoding."""


@dataclass(frozen=True)
class IndexRequest:
    """What is to be indexed."""

    paths: Sequence[str | Source] | None = None
    """Folders and files, or URLs of object stores; None: all that are known."""
    exclude: Sequence[str] = ()
    """Patterns in gitignore's syntax of what to leave out, kept with each folder beside earlier ones; an empty one
    drops all before it."""
    force: bool = False
    """Whether files are read again that look as they did before."""
    only: Sequence[str] | None = None
    """Files that are read again, and no others, for what of them was found damaged: nothing leaves the gallery."""


def index_folders(
    request: IndexRequest,
    *,
    catalog: Catalog,
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    settings: Settings,
    captioning: GalleryCaptioning | None = None,
    progress: Progress | None = None,
    elsewhere: EncodeElsewhere | None = None,
) -> IndexReport:
    """Update the gallery to the pictures in folders or files; its pictures from elsewhere stay.

    ``encoder`` is called only if a picture must be encoded. Files whose size and times are as before are not read;
    content that has a feature in the gallery's space is not encoded again. A folder that has no picture in it any more
    may be the place of a drive that is not connected: its pictures stay, and the report names it. A file that cannot be
    read now stays, too. With ``captioning`` every picture in ``paths`` gets a caption: a new one when it is in the
    gallery, from the pixels that are open, and then the others. With ``elsewhere`` the files are read and encoded by
    it, and ``encoder`` is not called.

    Raises NotFoundError if one of the paths does not exist and InvalidRequestError for a wrong pattern, before anything
    is changed; SpaceMismatchError if the encoder is not the gallery's; ModelUnavailableError if it is not available or
    fails on every picture.
    """
    started = time.perf_counter()
    run = _Run(catalog, encoder, settings, progress or no_progress, captioning)
    run.scan(request)
    with captioning or nullcontext():
        run.add_changed(force=request.force or request.only is not None, elsewhere=elsewhere)
        if request.only is None:
            run.forget()
        gallery.sync(progress)
        captions = captioning.finish(run.listed()) if captioning else None
    return run.report(captions, time.perf_counter() - started)


class _Run:
    """One run over some folders: its steps in order, and what it counts."""

    def __init__(
        self,
        catalog: Catalog,
        load_encoder: Callable[[], Encoder],
        settings: Settings,
        progress: Progress,
        captioning: GalleryCaptioning | None,
    ) -> None:
        self._catalog = catalog
        self._features = GalleryFeatures(catalog, load_encoder)
        self._settings = settings
        self._progress = progress
        self._captioning = captioning
        # Of each picture no more is held than this: its file as it was, and its id.
        self._before = FilesBefore(catalog)
        self._ids_before = PicturesBefore(catalog)
        self._factless = catalog.ids_without_facts()  # of an earlier version: read once more, not encoded
        self._faulty: set[str] = set()  # those whose feature is damaged or missing: read again, and encoded
        self._counts: Counter[str] = Counter()
        self._left: set[str] = set()  # files that moved away
        self._lost: set[str] = set()  # pictures that lost a file
        self._skipped: list[Skip] = []
        self._out_of_reach: set[str] = set()  # files whose size and times, or whose bytes, could not be had
        self._incomplete: list[FileStamp] = []  # those of an earlier version, with what it did not store

    # --- scanning

    def scan(self, request: IndexRequest) -> None:
        """List the files, store what was named, and find out which files are to be read."""
        if request.only is not None:
            self._scan_only(request.only)
            return
        roots = roots_of(request.paths, request.exclude, self._catalog, self._before)
        self._before.only((*roots.named, *roots.below))
        if self._before:
            ids = {stamp.image_id for stamp in self._before.values()}
            self._faulty = self._catalog.faulty_features(self._catalog.space() or "", ids)
            self._factless |= self._faulty
        named = {path: row.exclude for path, row in roots.rows.items()}
        scan = Scan(named, defaults=self._settings.default_excludes, follow_links=self._settings.follow_links)
        for path in map(text_path, (*roots.named, *roots.below)):
            if not is_gone(path):
                scan.add(path)
        self._roots, self._scan, self._known_roots = roots, scan, frozenset(roots.rows)
        self._changed = [text for text in scan.files if self._is_changed(text) or request.force]
        self._catalog.put_folders(row for path, row in roots.rows.items() if path not in scan.redundant)
        self._catalog.forget_folders(scan.redundant)
        self._skipped += [Skip(source=text, reason=reason) for text, reason in scan.problems.items()]
        self._progress("scanning", len(scan.files), len(scan.files))

    def _scan_only(self, texts: Iterable[str]) -> None:
        self._roots, self._scan = Roots((), (), {}, ()), Scan({}, defaults=False)
        self._known_roots = frozenset(self._catalog.folders())
        for path in map(text_path, texts):
            if not is_gone(path):
                self._scan.add(path)
        self._changed = list(self._scan.files)
        self._missing: list[MissingFolder] = []

    def _is_changed(self, text: str) -> bool:
        """Whether a file is to be read: new, changed, or without the facts that this version records."""
        stamp, status = self._before.get(text), self._scan.status(text)
        if status is None:
            self._out_of_reach.add(text)
            return True
        if stamp is None or status.differs(stamp) or stamp.image_id in self._factless:
            return True
        if stamp.ctime_ns is None and status.ctime_ns is not None:
            self._incomplete.append(FileStamp(text, stamp.image_id, *status))
        return False

    # --- reading and encoding

    def add_changed(self, *, force: bool, elsewhere: EncodeElsewhere | None = None) -> None:
        """Read what changed, or with ``force`` everything; encode what is new, commit batch by batch."""
        changed = self._changed
        self._counts["unchanged"] = len(self._scan.files) - len(changed)
        if self._incomplete:  # an earlier version did not store all of a stamp
            self._catalog.add([], self._incomplete, {}, self._catalog.space() or "")
        if elsewhere is not None:
            rows = [(text, self._scan.status(text)) for text in changed]
            with closing(elsewhere(rows, set(self._known(force=force)))) as encoded:
                self._add_encoded(encoded, changed)
            return
        done = 0
        with closing(self._read(changed, force=force)) as read:
            while batch := list(islice(read, self._settings.batch_size)):
                unusable = [each for each in batch if isinstance(each, UnusableFile)]
                self._skipped += [each.skip for each in unusable]
                self._out_of_reach |= {each.skip.source for each in unusable if each.unread}
                pixels = self._commit([each for each in batch if isinstance(each, ReadFile)])
                done += len(batch)
                self._progress("indexing", done, len(changed))
                if self._captioning:
                    self._captioning.add(pixels, len(changed) - done)

    def _add_encoded(self, encoded: Iterable[Done], changed: Sequence[str]) -> None:
        """Commit what others read and encoded, block by block; it comes in any order."""
        done, skipped = 0, dict[str, Skip]()
        for block in encoded:
            skipped |= {each.skip.source: each.skip for each in block.unusable}
            self._out_of_reach |= {each.skip.source for each in block.unusable if each.unread}
            self._keep(block.files)
            done += len(block.paths)
            self._progress("indexing", done, len(changed))
        self._skipped += [skipped[text] for text in changed if text in skipped]

    def _known(self, *, force: bool) -> Collection[str]:
        """The pictures whose content is not decoded again."""
        return set() if force else self._ids_before - self._factless if self._factless else self._ids_before

    def _read(self, changed: Sequence[str], *, force: bool) -> Generator[ReadFile | UnusableFile, None, None]:
        """The files, read ahead; the encoder is loaded as soon as the first picture needs it."""
        features = self._features
        reader = PictureReader(
            self._settings,
            lambda: features.encoder,
            known=self._known(force=force),
            keep_pixels=self._captioning is not None,
            roots=self._known_roots,
        )
        files = ((text, self._scan.source(text), self._scan.status(text)) for text in changed)
        # As long as there is no encoder, pictures wait with the bytes of their files.
        loaded = lambda: features.encoder is not None  # noqa: E731
        most, threads = self._settings.batch_size, FETCHING if self._scan.listed else None
        with closing(read_files(files, reader, most, quickly=loaded, threads=threads)) as read:
            for each in read:
                if isinstance(each, ReadFile) and each.picture is not None:
                    features.need(each.stamp.image_id)
                    if features.encoder is None:  # it has its feature: its bytes are not held any longer
                        each = replace(each, picture=replace(each.picture, later=None))
                yield each

    def _commit(self, batch: Sequence[ReadFile]) -> dict[str, Image.Image]:
        """Encode what is new in a batch and store all of it; the new pictures whose pixels were kept, by id."""
        fresh = {each.stamp.image_id: each.picture for each in batch if each.picture is not None}
        vectors, failed = self._features.encode_missing(fresh)
        kept: list[EncodedFile] = []
        for each in batch:
            id_, record = each.stamp.image_id, each.picture.record if each.picture else None
            if id_ in failed:
                self._skipped.append(Skip(source=each.stamp.path, reason=failed[id_]))
            else:
                kept.append(EncodedFile(each.stamp, record, vectors.get(id_)))
        self._keep(kept)
        return {id_: each.pixels for id_, each in fresh.items() if each.pixels is not None and id_ not in failed}

    def _keep(self, batch: Sequence[EncodedFile]) -> None:
        """Commit files and features in one step, then count them."""
        if not batch:
            return
        holders = self._catalog.paths_of([each.stamp.image_id for each in batch])
        records = {each.record.id: each.record for each in batch if each.record is not None}
        vectors = {each.stamp.image_id: each.vector for each in batch if each.vector is not None}
        stamps = [each.stamp for each in batch]
        self._ids_before.ask([each.image_id for each in stamps])  # while the answer is that of before
        self._catalog.add(list(records.values()), stamps, vectors, self._catalog.space() or "")
        for each in batch:
            self._counts[self._verdict(each.stamp, holders)] += 1
            self._counts["damaged"] += each.record is not None and each.record.damaged

    def _verdict(self, stamp: FileStamp, holders: dict[str, list[str]]) -> str:
        """What became of a file; ``holders`` are the files of its picture before this batch, and then it, too."""
        id_, before = stamp.image_id, self._before.get(stamp.path)
        if before is not None and before.image_id != id_:
            self._lost.add(before.image_id)
        held = holders.setdefault(id_, [])
        if id_ not in self._ids_before:
            held.append(stamp.path)
            return "unchanged" if len(held) > 1 else "added"
        if before is not None and before.image_id == id_:
            return "unchanged"
        gone = next((path for path in held if self._is_gone(path)), None)
        if gone is None:
            return "unchanged"
        self._left.add(gone)
        return "moved"

    def _is_gone(self, text: str) -> bool:
        """Whether a file of the gallery is gone and has not been matched with a moved one yet."""
        return text not in self._left and text not in self._scan.files and is_gone(text_path(text))

    # --- forgetting

    def forget(self) -> None:
        """Drop the files that are gone from the roots or left out there, those that moved, and those that went bad."""
        listed = self._scan.files
        self._missing = self._empty_roots()
        roots = _prefixes(self._roots.named)
        unknown = _prefixes([*self._scan.closed, *(each.path for each in self._missing)])
        gone = {text for text in self._before if text not in listed and text.startswith(roots)}
        # Where status or bytes cannot be read, the place is out of reach and nothing is known about the picture.
        read = {skip.source for skip in self._skipped if skip.source in listed} - self._out_of_reach
        bad = read & self._before.keys()
        leaving = {text for text in gone | bad if not text.startswith(unknown)} | self._left
        if leaving:
            self._catalog.forget(leaving)
            self._lost.update(self._before[text].image_id for text in leaving & self._before.keys())
        self._catalog.forget_folders(
            path
            for path in self._roots.below
            if not path.startswith(unknown) and path not in listed and is_gone(text_path(path))
        )

    def _empty_roots(self) -> list[MissingFolder]:
        """Folders in which no picture is found any more, or that are gone, and from which the gallery has pictures.

        The place of a drive that is not connected is a folder without pictures, or none, and it may come to that
        during a run. What other programs leave in such a folder (``.DS_Store``, ``Thumbs.db``) is no sign of the drive.
        """
        found = []
        for path in self._scan.roots:
            gone = is_gone(text_path(path))
            if gone or is_empty(text_path(path)) or self._has_no_picture(path):
                found.append(missing(path, self._staying(), empty=not gone))
        return [each for each in found if each.pictures]

    def _staying(self) -> dict[str, FileStamp]:
        """The files of the gallery before this run that did not move away."""
        return {text: stamp for text, stamp in self._before.items() if text not in self._left}

    def _has_no_picture(self, root: str) -> bool:
        """Whether a folder was listed, and nothing in it is a picture, or one that stays though it is left out now."""
        beginning, left_out = folder_text(root), set(self._scan.left_out)
        if root in self._scan.closed or any(text.startswith(beginning) for text in self._scan.files):
            return False
        return all(innermost(text, left_out) is None for text in at_or_below(root, self._staying()))

    def _removed(self) -> int:
        """How many of the pictures that lost a file have none any more."""
        return len(self._lost - self._catalog.paths_of(self._lost).keys()) if self._lost else 0

    def _still_faulty(self) -> set[str]:
        """Pictures of the gallery whose feature was and is of no use."""
        still = self._faulty - self._catalog.features(self._faulty, self._catalog.space() or "").keys()
        return still & self._catalog.paths_of(still).keys()

    def listed(self) -> Iterable[str]:
        """The files that were listed, in order."""
        return self._scan.files

    def report(self, captions: CaptionReport | None, seconds: float) -> IndexReport:
        """What was counted."""
        scan, still_faulty = self._scan, self._still_faulty() if self._faulty else set()
        return IndexReport(
            seen=len(scan.files) + len(scan.problems),
            added=self._counts["added"],
            unchanged=self._counts["unchanged"],
            moved=self._counts["moved"],
            removed=self._removed(),
            skipped=tuple(self._skipped),
            excluded_files=scan.excluded_files,
            excluded_folders=scan.excluded_folders,
            hidden_files=scan.hidden_files,
            hidden_folders=scan.hidden_folders,
            linked_folders=scan.linked_folders,
            unknown_files=scan.unknown_suffixes.total(),
            unknown_suffixes=dict(scan.unknown_suffixes.most_common(MOST_SUFFIXES)),
            missing=(*self._roots.missing, *self._missing),
            space=self._catalog.space() or "",
            seconds=seconds,
            captions=captions,
            damaged=self._counts["damaged"],
            mended=len(self._faulty) - len(still_faulty),
            lacking=len(still_faulty),
        )


def _prefixes(folders: Iterable[str]) -> tuple[str, ...]:
    """The beginnings of the texts of all paths below ``folders``."""
    return tuple(folder_text(folder) for folder in folders)
