"""What a run finds: the result of each composer by query, and all of them together, before they become a report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ipcir_tools.chains.imagination.results import Imagination
from ipcir_tools.evaluation.benchmarks import Benchmark
from ipcir_tools.evaluation.metrics.metrics import Scored
from ipcir_tools.evaluation.metrics.robustness import Robustness
from ipcir_tools.evaluation.reports.report import Round, row_label
from ipcir_tools.evaluation.runs.fusion_curve import Curve


@dataclass
class Outcome:
    """The result of one composer, by the ids of queries."""

    composer: str
    verified: int = 0
    """How many first hits of each query the captioner scored again."""
    weight: float | None = None
    not_run: str = ""
    """Why the composer was not run; empty where it was."""
    scored: dict[str, Scored] = field(default_factory=dict)
    top: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The first hits, where it is known which pictures are wrong."""
    top_of_subset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Why, of those that failed under this composer alone."""

    @property
    def label(self) -> str:
        """The composer, and how many hits were verified."""
        return row_label(self.composer, self.verified)


@dataclass
class Measured:
    """All that a run found, before it is put into a report."""

    benchmark: Benchmark
    outcomes: list[Outcome]
    unusable: dict[str, str]
    """Why queries failed before any composer was run."""
    imagined: dict[str, tuple[str | None, Imagination]] = field(default_factory=dict)
    """The reference's caption and the imagination, by query."""
    curve: Curve = field(default_factory=Curve)
    rounds: tuple[Round, ...] = ()
    """Where the queries are dialogues."""
    wordings: tuple[Robustness, ...] = ()
    """Where other wordings were measured."""

    @property
    def origins(self) -> Counter[str]:
        """How many queries were imagined by a language model (``llm``), by the ``rules``, or by its ``fallback``."""
        return Counter(imagination.target.origin for _, imagination in self.imagined.values())
