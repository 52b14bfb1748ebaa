"""Keeping a gallery in step with folders: an index run whenever something in them changes.

A run reads sizes and times of all files in the watched folders and opens only what changed, so it is right whatever
the operating system told, or forgot to tell. A folder that vanishes, as that of a drive which is disconnected, empties
nothing: it is named and waited for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress
from ipcir_tools.errors import BadImageError, InvalidRequestError, NotFoundError
from ipcir_tools.images.excluding import DEFAULT_EXCLUDES, IGNORE_FILE, Patterns, folder_text, read_ignore_file
from ipcir_tools.images.files import has_picture_suffix, located_path, path_text
from ipcir_tools.images.storage import is_empty, is_gone, not_there
from ipcir_tools.sources import ObjectUrl, source_of
from ipcir_tools.store.folders import at_or_below, check_name
from ipcir_tools.text import error_sentence
from ipcir_tools.types import IndexReport, Value

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine

QUIET_MS = 300
"""A batch ends when nothing has changed for so long."""

LONGEST_MS = 3_000
"""A batch ends after so long whatever happens."""

LOOK_MS = 1_000
"""How often folders are looked for that are gone, or that have come back."""

POLL_MS = 5_000
"""How often all files are looked at where the system tells of no changes."""

_State = tuple[int, int, bool] | None
"""Device and inode of a folder and whether it is empty; None where it is gone."""


class WatchBatch(Value):
    """What one index run of a watcher did."""

    report: IndexReport | None
    """None where no folder is there to look at."""
    waiting_for: tuple[str, ...]
    """Watched folders that are gone; their pictures stay in the gallery."""


@dataclass(frozen=True)
class WatchOptions:
    """How folders are watched."""

    captions: bool | None = None
    """Whether new pictures get captions; None: as the settings say."""
    exclude: Sequence[str] = ()
    """Patterns of what to leave out, as in an index run; kept with the folders."""
    poll: bool = False
    """Look at all files every few seconds, for network drives, whose changes the system does not tell."""


def watch(
    engine: Engine,
    paths: Sequence[Path],
    options: WatchOptions | None = None,
    *,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Iterator[WatchBatch]:
    """Index ``paths``, then again whenever something in them changes, until ``stop`` is set.

    The first batch comes at once, the others where pictures came, went or could not be read, and where a folder
    vanished or came back. ``progress`` is of the first run. Raises NotFoundError for a path that neither exists nor is
    known to the gallery, what an index run raises, and InvalidRequestError where the system cannot watch so much.
    """
    watcher = _Watcher(engine, paths, options or WatchOptions(), stop or threading.Event())
    return watcher.batches(progress)


class _Watcher:
    def __init__(self, engine: Engine, paths: Sequence[Path], options: WatchOptions, stop: threading.Event) -> None:
        self._engine, self._options, self._stop = engine, options, stop
        self._roots = [_watchable(path) for path in paths]
        known = engine.catalog.folders()
        for path, root in zip(paths, self._roots, strict=True):
            if is_gone(root) and path_text(root) not in known:
                raise not_there(path_text(path))
        self._last: tuple[object, ...] = ()
        self._exclude = tuple(options.exclude)
        self._left_out = self._patterns()
        self._ray: bool | None = None
        """The first run is made where the settings say; the few files of the others are read here."""

    def batches(self, progress: Progress | None) -> Iterator[WatchBatch]:
        first = True
        while not self._stop.is_set():
            states = self._states()
            present = [root for root, state in states.items() if state is not None]
            with closing(self._changes(present)) as changes:
                next(changes, None)  # begins to watch before the folders are listed, so that nothing is missed
                if (batch := self._update(present, progress)) or first:
                    yield batch or self._batch(None)
                first, progress = False, None
                for changed in changes:
                    if self._states() != states:
                        break
                    if changed and (batch := self._update(present, None)):
                        yield batch

    # --- runs

    def _update(self, present: Sequence[Path], progress: Progress | None) -> WatchBatch | None:
        """An index run; None where it changed nothing that is worth telling."""
        report = None
        if present:
            try:
                report = self._engine.index(
                    present, progress, captions=self._options.captions, exclude=self._exclude, ray=self._ray
                )
                self._exclude, self._left_out = (), self._patterns()
                self._ray = False
            except NotFoundError:
                pass  # a folder vanished just now, and the next look at the folders finds that out
        batch = self._batch(report)
        told = (batch.waiting_for, report and (report.skipped, report.missing))
        news = report is not None and (report.added or report.moved or report.removed)
        if not news and told == self._last:
            return None
        self._last = told
        return batch

    def _batch(self, report: IndexReport | None) -> WatchBatch:
        return WatchBatch(report=report, waiting_for=tuple(path_text(root) for root in self._roots if is_gone(root)))

    # --- changes

    def _states(self) -> dict[Path, _State]:
        return {root: _state(root) for root in self._roots}

    def _changes(self, present: Sequence[Path]) -> Generator[bool, None, None]:
        """Now and then, whether something changed in ``present`` since the last time; until the watcher stops."""
        if not present:
            while not self._stop.wait(LOOK_MS / 1_000):
                yield False
            return
        import watchfiles  # few runs need it

        try:
            for changes in watchfiles.watch(
                *present,
                watch_filter=lambda _, path: self._concerns(path),
                debounce=LONGEST_MS,
                step=QUIET_MS,
                stop_event=self._stop,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
                raise_interrupt=True,
                force_polling=self._options.poll or None,
                poll_delay_ms=POLL_MS,
                ignore_permission_denied=True,
            ):
                yield bool(changes)
        except FileNotFoundError:
            self._stop.wait(LOOK_MS / 1_000)  # it vanished just now
        except (OSError, RuntimeError) as error:
            raise InvalidRequestError(
                f"The system cannot watch so many folders, or not these ({error_sentence(error)}) Raise its limit "
                "(fs.inotify.max_user_watches on Linux), or look at them every few seconds with --poll."
            ) from error

    def _patterns(self) -> dict[str, Patterns]:
        """What is left out below each root, and each folder in one that was named: the beginning of the paths below
        it, and the patterns that were given with it."""
        rows = self._engine.catalog.folders()
        roots = [path_text(root) for root in self._roots]
        texts = dict.fromkeys([*roots, *(path for root in roots for path in at_or_below(root, rows))])
        kept = {text: rows[text].exclude if text in rows else () for text in texts}
        return {folder_text(text): Patterns.of(text, kept[text]) for text in texts}

    def _concerns(self, path: str) -> bool:
        """Whether a change of ``path`` may change the gallery; where that is not sure, it may."""
        text = path_text(Path(path))
        inside = [(folder, patterns) for folder, patterns in self._left_out.items() if text.startswith(folder)]
        if inside and not any(self._may_be_taken_in(text, *each) for each in inside):
            return False
        is_rules = os.path.basename(path) == IGNORE_FILE  # noqa: PTH119 - as text
        return is_rules or has_picture_suffix(path) or not os.path.isfile(path)  # noqa: PTH113 - Path's raises for odd names

    def _may_be_taken_in(self, text: str, beginning: str, given: Patterns) -> bool:
        """Whether neither its name nor the rules keep out what lies in the folder ``beginning``."""
        *folders, name = Path(text[len(beginning) :]).parts or ("",)
        if name == IGNORE_FILE:
            return not any(each.startswith(".") for each in folders)
        if any(each.startswith(".") for each in (*folders, name)):
            return False
        if (verdict := given.excludes(text, is_folder=False)) is not None or not self._engine.settings.default_excludes:
            return not verdict
        # The ignore files are asked before the defaults, and may take in again what these leave out.
        return not _defaults(beginning).excludes(text, is_folder=False) or any(
            _takes_in(folder / IGNORE_FILE) for folder in Path(text).parents
        )


def _watchable(path: Path) -> Path:
    """The folder on this machine. Raises InvalidRequestError for a URL: no store tells of its changes."""
    check_name(path)
    if isinstance(source_of(path), ObjectUrl):
        raise InvalidRequestError(
            f"{path} is no folder of this machine, and its changes are not told: run `ipcir index` on it now and then."
        )
    return located_path(path)


@cache
def _defaults(folder: str) -> Patterns:
    return Patterns.of(folder, DEFAULT_EXCLUDES)


def _takes_in(ignore_file: Path) -> bool:
    """Whether an ignore file takes in again what others leave out."""
    try:
        patterns, _ = read_ignore_file(ignore_file)
    except BadImageError:  # none, or one for which its folder is left as it is
        return False
    return any(each.include is False for each in patterns.spec.patterns)


def _state(root: Path) -> _State:
    try:
        status = root.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, is_empty(root)
