"""Benchmarks by name. A benchmark is one file in this folder and one line in ``BENCHMARKS``.

A loader is called with the folder of annotation files, the folder of pictures (None: found by itself), and the options
of its entry that were given, as keywords. Nothing is imported before a benchmark is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.evaluation.benchmarks import Benchmark

ANY = ()
"""An option that takes any value of its type."""


@dataclass(frozen=True)
class BenchmarkEntry:
    """The registry's entry of a benchmark."""

    loader: str
    """``module:function``, which gives a :class:`~ipcir_tools.evaluation.benchmarks.Benchmark`."""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The keywords that the loader takes, each with its values (``ANY``: all), such as the names of its splits."""
    tuning: str | None = None
    """The split that parameters may be fitted on, ``""`` where it has no splits; None: all of it is a test."""
    generated: bool = False
    """Whether it makes its own pictures, in a folder below the home, and takes ``progress`` in place of ``pictures``;
    else it needs a folder of annotation files."""
    dialogues: bool = False
    """Whether its queries are dialogues, which only an evaluation can play."""
    models: str | None = None
    """The preset of models that it is measured with where none is named."""


BENCHMARKS: Mapping[str, BenchmarkEntry] = {
    "cirr": BenchmarkEntry(f"{__package__}.cirr:load_cirr", {"split": ("val", "test1")}, tuning="val"),
    "circo": BenchmarkEntry(f"{__package__}.circo:load_circo", {"split": ("val", "test")}, tuning="val"),
    "fashioniq": BenchmarkEntry(
        f"{__package__}.fashioniq:load_fashioniq",
        {"gallery": ("original", "VAL"), "captions": ("joined", "both orders")},
    ),
    "circled": BenchmarkEntry(
        f"{__package__}.circled:load_circled",
        {
            "split": (
                *("cirr_val", "cirr_train", "circo_val"),
                *("fashioniq_dress_val", "fashioniq_shirt_val", "fashioniq_toptee_val"),
                *("fashioniq_dress_train", "fashioniq_shirt_train", "fashioniq_toptee_train"),
            )
        },
        dialogues=True,
    ),
    "genecis": BenchmarkEntry(f"{__package__}.genecis:load_genecis"),
}
JSONL = BenchmarkEntry(f"{__package__}.jsonl:load_jsonl", {"keep_reference": ANY}, tuning="")
"""A user's own file, which is named in the place of a benchmark."""


@dataclass(frozen=True)
class BenchmarkChoice:
    """A benchmark with its options, checked as far as they can be before anything is loaded."""

    name: str
    entry: BenchmarkEntry
    folder: Path | None
    pictures: Path | None
    options: Mapping[str, Any]

    @property
    def is_test(self) -> bool:
        """Whether final figures are measured on it, so that no parameter may be fitted on it."""
        splits = self.entry.options.get("split", ("",))
        split: str = self.options.get("split", splits[0])
        return split != self.entry.tuning

    def home(self, given: Path | None) -> Path:
        """The catalog's folder: the given one, else one of the benchmark's own."""
        from ipcir_tools.settings import load_settings

        return (given or load_settings().home / "eval" / self._slug).expanduser().absolute()

    @property
    def _slug(self) -> str:
        if self.entry is JSONL:
            place = hashlib.sha256(str(Path(self.name).absolute()).encode()).hexdigest()[:8]
            return f"{Path(self.name).stem}-{place}"
        return "-".join([self.name, *filter(None, [self.options.get("split")])])

    def load(self, home: Path, progress: Progress) -> Benchmark:
        """The benchmark, its files checked. Raises NotFoundError and InvalidRequestError as its loader does."""
        module, _, function = self.entry.loader.partition(":")
        load = getattr(import_module(module), function)
        if self.entry.generated:
            made: Benchmark = load(home / "pictures", progress=progress, **self.options)
        else:
            made = load(self.folder, self.pictures, **self.options)
        return made


def choose(
    name: str,
    folder: Path | None = None,
    pictures: Path | None = None,
    *,
    known: Mapping[str, BenchmarkEntry] = BENCHMARKS,
    **options: Any,
) -> BenchmarkChoice:
    """The benchmark of this name among the ``known``, or the JSONL file; an option that is None is not given.

    Raises InvalidRequestError for what can never be loaded: an unknown name, a missing folder, a wrong option.
    """
    entry = known.get(name)
    if entry is None:
        if not name.endswith((".jsonl", ".json", ".ndjson")):
            raise InvalidRequestError(f"There is no benchmark {name!r}: name {', '.join(known)}, or a .jsonl file.")
        entry, folder = JSONL, Path(name)
    if folder is None and not entry.generated:
        raise InvalidRequestError(f"Name the folder with the annotation files of {name}: --folder FOLDER.")
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        _check_option(name, entry, option, value)
    return BenchmarkChoice(name, entry, folder, pictures, given)


def _check_option(name: str, entry: BenchmarkEntry, option: str, value: Any) -> None:
    flag = f"--{option.replace('_', '-')}"
    if option not in entry.options:
        flags = [f"--{each.replace('_', '-')}" for each in entry.options]
        has = f"its options are {', '.join(flags)}" if flags else "it has no options"
        raise InvalidRequestError(f"{name} has no {flag}: {has}.")
    values = entry.options[option]
    if values and value not in values:
        raise InvalidRequestError(f"{flag} of {name} is {' or '.join(map(repr, values))}: there is no {value!r}.")
