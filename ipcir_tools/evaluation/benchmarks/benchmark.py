"""A benchmark as data: queries over named pictures, the rules of the ranking, and the measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from ipcir_tools.errors import NotFoundError
from ipcir_tools.evaluation.metrics.metrics import Measure
from ipcir_tools.evaluation.metrics.violations import Violation
from ipcir_tools.types import NotedReference

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the whole picture."""


@dataclass(frozen=True)
class Query:
    """One query and its truth, by the names of pictures."""

    id: str
    """Unique in its benchmark, and the id that the benchmark's server expects."""
    reference: str
    modification: str
    targets: tuple[str, ...]
    """Every right picture; empty where the truth is hidden."""
    main: str = ""
    """The one target that recall counts: the first, unless the benchmark says otherwise."""
    subset: tuple[str, ...] = ()
    """The pictures, the reference not among them, that a second, smaller ranking is over (CIRR)."""
    gallery: tuple[str, ...] | None = None
    """This query's own gallery; None: the benchmark's."""
    group: str = ""
    """Queries of a group are averaged before the groups are averaged."""
    paraphrases: tuple[str, ...] = ()
    """The modification in other words: each is composed, and a picture's score is the mean over all of them."""
    others: tuple[NotedReference, ...] = ()
    """Further references, by name, and what is meant of each."""
    note: str = ""
    """What is meant of the reference, where there are others."""
    wordings: tuple[str, ...] = ()
    """The modification in other words, each of which is measured by itself: how robust a method is."""
    negatives: tuple[str, ...] = ()
    """Pictures that are known to be wrong: they break the edit, or lose what should stay."""
    kinds: tuple[str, ...] = ()
    """Kinds of the edit, such as "add" or "compare": figures are also given for each."""
    left_out: frozenset[str] = frozenset()
    """Pictures that are not ranked, besides the references; the targets always are."""

    @property
    def references(self) -> tuple[str, ...]:
        """All its references, the main one first."""
        return (self.reference, *(each.id for each in self.others))

    @property
    def is_blank(self) -> bool:
        """Whether its modification shows no character at all."""
        return not any(c.isprintable() and not c.isspace() for c in self.modification)

    def __post_init__(self) -> None:
        if self.targets and not self.main:
            object.__setattr__(self, "main", self.targets[0])


Session = tuple[Query, ...]
"""The rounds of a dialogue, in order; each names its own reference and builds on those before."""


@dataclass(frozen=True)
class Benchmark:
    """Queries, the gallery they search, and the protocol."""

    entries: ClassVar[str] = "pictures"
    """What the gallery holds, in a word."""
    name: str
    queries: tuple[Query, ...]
    gallery: tuple[str, ...]
    """Every picture that can be found, once each."""
    paths: Mapping[str, str]
    """The file of every picture of the gallery and of every reference, relative to the folder of pictures."""
    keeps_reference: bool
    """Whether a query's references stay in its ranking."""
    measures: tuple[Measure, ...]
    """Empty where the truth is hidden."""
    notes: tuple[str, ...]
    """How the figures come about, for the report: gallery, captions, reference, what was left out and why."""
    folder: Path | None = None
    """Where the pictures are; None: only annotations are available."""
    boxes: Mapping[str, Box] = field(default_factory=dict)
    """Pictures that are a part of their file (GeneCIS), see :func:`ipcir_tools.evaluation.benchmarks.crop_of`."""
    left_out: tuple[str, ...] = ()
    """What was left out of the file of queries, one line each: where, and why."""
    source: str = ""
    """Where to get the pictures."""
    server: Literal["CIRR", "CIRCO"] | None = None
    """The server that has the truth and scores a submission file."""
    is_test: bool = False
    """Whether final figures are measured on it, so that no parameter may be fitted on it."""
    kind_measure: Measure | None = None
    """What figures by kind of edit are measured in, see :attr:`Query.kinds`; None: the first of ``measures``."""

    violations: Callable[[Query, str], tuple[Violation, ...]] | None = field(default=None, compare=False)
    """Tells what is wrong with a picture of the gallery as the answer to a query, nothing where it fits; None: no more
    is known than each query's negatives."""

    @property
    def hidden(self) -> bool:
        """Whether the truth is on a server."""
        return not any(query.targets for query in self.queries)

    def file(self, name: str) -> Path:
        """The file of a picture. Raises NotFoundError where there is no folder of pictures."""
        if self.folder is None:
            get = f" (get them from {self.source})" if self.source else ""
            raise NotFoundError(f"The pictures of {self.name} are not available: name the folder with --pictures{get}.")
        return self.folder / self.paths[name]


@dataclass(frozen=True)
class SessionBenchmark(Benchmark):
    """A benchmark of dialogues: its queries are the last round of each, which goes by the name of the session."""

    sessions: Mapping[str, Session] = field(default_factory=dict)
    """By the ids of the queries."""
