"""Which pictures there are in folders, of this machine or of an object store.

What is left out, linked, unknown or out of reach is counted and named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ipcir_tools.errors import BadImageError, NotFoundError, UnreadableFileError
from ipcir_tools.images.excluding import DEFAULT_EXCLUDES, IGNORE_FILE, Patterns, Rules, read_ignore_file
from ipcir_tools.images.file_status import GONE, FileStatus
from ipcir_tools.images.files import has_picture_suffix, located_path, path_text, text_path
from ipcir_tools.images.links import led_to
from ipcir_tools.images.listing import Entry, Listings
from ipcir_tools.images.object_entry import ObjectEntry
from ipcir_tools.images.storage import file_status, is_folder, not_there
from ipcir_tools.sources import ObjectUrl, Source, folders_around

_NAMELESS = (
    "left out: a key with // in it, or / at its end, has a part without a name, below which nothing is listed: rename "
    "these objects"
)


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The picture files in folders and below, and every file that is named itself; each once, in a fixed order.

    What :class:`Scan` passes over is not among them. A folder that cannot be listed comes out itself, so that reading
    it gives the reason. Raises NotFoundError, before the first file, if one of ``paths`` does not exist.
    """
    for path in paths:
        if not os.path.exists(located_path(path)):  # noqa: PTH110 - Path's raises for forbidden folders
            raise not_there(path_text(path))
    scan = Scan()
    for path in paths:
        scan.add(located_path(path))
    return iter((*map(Path, map(str, map(scan.source, scan.files))), *map(Path, scan.closed)))


class Scan:
    """The files of some folders, and what was counted on the way.

    Passed over are: what is hidden, what the rules leave out (:mod:`ipcir_tools.images.excluding`), folders that are
    links, and files without a picture's suffix. ``named`` are the folders and files that were named by themselves, each
    with its own patterns: they are taken in whatever the rules say. Without ``follow_links`` a link that leads out of
    the folder that was named is a problem. Paths are texts, as ``path_text`` writes them.
    """

    def __init__(
        self, named: Mapping[str, Iterable[str]] | None = None, *, defaults: bool = True, follow_links: bool = True
    ) -> None:
        self.files: dict[str, Source | None] = {}
        """The pictures, in a fixed order; with each None where it is the file whose path is its text as it stands."""
        self.listed: dict[str, FileStatus] = {}
        """Of objects, what their listing told: sizes, times and versions."""
        self.problems: dict[str, str] = {}
        """Folders that cannot be listed and ignore files that cannot be used, or not all of them, and the reasons."""
        self.closed: list[str] = []
        """Folders about which nothing is known: their pictures stay as they are."""
        self.roots: list[str] = []
        """Folders given to :meth:`add`."""
        self.redundant: set[str] = set()
        """Files that were named, and that would be taken in if they were not."""
        self.excluded_files = 0
        """Pictures that the rules leave out, without those below folders that they leave out."""
        self.excluded_folders = 0
        self.left_out: list[str] = []
        """The pictures and folders that the rules leave out."""
        self.hidden_files = 0
        """Pictures whose names begin with a dot, without macOS's ``._`` files, which are none."""
        self.hidden_folders = 0
        """Folders whose names begin with a dot, without those that the rules leave out."""
        self.linked_folders = 0
        self.unknown_suffixes: Counter[str] = Counter()
        self._named = {path: tuple(lines) for path, lines in (named or {}).items()}
        self._defaults = DEFAULT_EXCLUDES if defaults else ()
        self._follow_links = follow_links
        self._listed: set[str] = set()

    def add(self, root: Source) -> None:
        """The files of ``root``, a file or a folder in the form of ``located``, which exists."""
        text = path_text(root)
        try:
            if not is_folder(root):
                self.files[text] = root if isinstance(root, ObjectUrl) else _unlike(text, root)
                return
        except (NotFoundError, UnreadableFileError) as error:  # of an object store that is out of reach
            self.closed.append(text)
            self.problems[text] = str(error)
            return
        self.roots.append(text)
        if (rules := self._rules_above(root)) is not None:
            self._walk(root, rules)

    def source(self, text: str) -> Source:
        """The file or object that one of :attr:`files` is."""
        return self.files[text] or Path(text)

    def status(self, text: str) -> FileStatus | None:
        """Its size and times, as listed or as they are now; see :func:`file_status`."""
        return self.listed.get(text) or file_status(self.files[text] or text)

    # --- rules

    def _rules_above(self, root: Source) -> Rules | None:
        """What the folders above ``root`` say about what is in it; None where one of their ignore files is unusable."""
        text = path_text(root)
        rules = Rules(ignored=(Patterns.of(text, self._defaults),))
        for folder in map(text_path, reversed(folders_around(text))):
            inside = self._rules_inside(folder, rules, _has_ignore_file(folder))
            if inside is None:
                self.closed.append(text)
                return None
            rules = inside
        return rules.except_for(text)

    def _rules_inside(self, folder: Source, rules: Rules, has_ignore_file: bool) -> Rules | None:
        """The rules in ``folder``; None where its ignore file cannot be used."""
        text = path_text(folder)
        if lines := self._named.get(text):
            rules = rules.with_given(Patterns.of(text, lines))
        if not has_ignore_file:
            return rules
        file = folder / IGNORE_FILE
        try:
            patterns, wrong = read_ignore_file(file)
        except BadImageError as error:
            self.problems[path_text(file)] = str(error)
            return None
        if wrong:
            self.problems[path_text(file)] = wrong
        return rules.with_ignored(patterns)

    # --- listing

    def _walk(self, root: Source, rules: Rules) -> None:
        folders = [(root, rules)]
        with Listings() as listings:
            while folders:
                folder, above = folders.pop()
                text = path_text(folder)
                if text in self._listed:
                    continue
                self._listed.add(text)
                try:
                    entries = listings.of(folder)
                except (OSError, NotFoundError, UnreadableFileError) as error:
                    self.closed.append(text)
                    self.problems[text] = (
                        f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
                    )
                    continue
                inside = self._rules_inside(folder, above, any(entry.name == IGNORE_FILE for entry in entries))
                if inside is None:
                    self.closed.append(text)
                else:
                    below = list(self._sorted_out(entries, inside))
                    listings.expect(folder for folder, _ in below)
                    folders += reversed(below)

    def _sorted_out(self, entries: Iterable[Entry], rules: Rules) -> Iterator[tuple[Source, Rules]]:
        """Take in the files among the entries of one folder; the folders that are to be listed, with their rules."""
        for entry in entries:
            text = path_text(entry.path)
            if not entry.name:
                self.problems[text] = _NAMELESS
            elif entry.name.startswith(".") and text not in self._named:
                self._count_hidden(entry, text, rules)
            elif entry.is_dir(follow_symlinks=False):
                if text in self._named:
                    yield _source(entry), rules.except_for(text)
                elif rules.excludes(text, is_folder=True):
                    self.excluded_folders += 1
                    self.left_out.append(text)
                else:
                    yield _source(entry), rules
            else:
                self._take(entry, text, rules)

    def _count_hidden(self, entry: Entry, text: str, rules: Rules) -> None:
        if entry.is_dir(follow_symlinks=False):
            self.hidden_folders += not rules.excludes(text, is_folder=True)
        else:
            self.hidden_files += has_picture_suffix(entry.name) and not entry.name.startswith("._")

    def _take(self, entry: Entry, text: str, rules: Rules) -> None:
        is_picture = has_picture_suffix(entry.name)
        if _leads_to_folder(entry):
            self.linked_folders += 1
        elif text in self._named:
            self._add_file(text, entry)
            if is_picture and not entry.is_symlink() and not rules.excludes(text, is_folder=False):
                self.redundant.add(text)
        elif not is_picture:
            self.unknown_suffixes[os.path.splitext(entry.name)[1].lower()] += 1  # noqa: PTH122
        elif rules.excludes(text, is_folder=False):
            self.excluded_files += 1
            self.left_out.append(text)
        else:
            self._add_file(text, entry)

    def _add_file(self, text: str, entry: Entry) -> None:
        if entry.is_symlink() and not isinstance(entry, ObjectEntry):
            try:
                led_to(Path(entry.path), {*self.roots, *self._named}, follow=self._follow_links)
            except UnreadableFileError:
                pass  # reading it says why
            except BadImageError as error:
                self.problems[text] = str(error)
                return
        if not isinstance(entry, ObjectEntry):
            self.files[text] = _unlike(text, entry.path)
            return
        self.files[text] = ObjectUrl(entry.path)
        if entry.status is not None:
            self.listed[text] = entry.status


def _source(entry: Entry) -> Source:
    return ObjectUrl(entry.path) if isinstance(entry, ObjectEntry) else Path(entry.path)


def _unlike(text: str, path: Path | str) -> Path | None:
    """The path where it is not its text as it stands; a Path takes four times the memory of its text."""
    return Path(path) if os.fspath(path) != text else None


def _leads_to_folder(entry: Entry) -> bool:
    # os.path's test says no where is_dir() raises for loops
    return entry.is_symlink() and not isinstance(entry, ObjectEntry) and os.path.isdir(entry.path)  # noqa: PTH112


def _has_ignore_file(folder: Source) -> bool:
    """Whether there is one; no where that may not be known, as in what is around a folder that one may read."""
    if isinstance(folder, ObjectUrl):
        return file_status(folder / IGNORE_FILE) not in (None, GONE)
    return os.path.lexists(folder / IGNORE_FILE)
