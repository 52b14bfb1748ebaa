"""The report of an evaluation: one frozen value, from which JSON, Markdown and HTML are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from ipcir_tools.evaluation.metrics.robustness import Robustness
from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.evaluation.metrics.violations import Violations
from ipcir_tools.types import DEFAULT_COMPOSER, Value

MADE = ("calls", "captions", "image_encodes", "text_encodes", "drawings")
"""What a run may make: calls of the language model, captions, features of images and of texts, drawings."""
CAPTIONER_MADE = ("captioner_calls", "captioner_input_tokens", "captioner_output_tokens")
"""Calls of a chat model for captions in this run, failed ones included, and the tokens that its server reports."""


class Row(Value):
    """One composer's line. ``scored + failed`` is the number of queries, unless it was not run."""

    composer: str
    verified: int = 0
    """How many first hits of each query the captioner scored again; 0: none."""
    parameters: dict[str, int | float | str]
    """As they were set, by name; empty where it has none."""
    weight: float | None
    """Weight of the text; None where nothing is fused by it."""
    not_run: str
    """Why it could not be run; empty where it was."""
    scored: int
    failed: int
    figures: dict[str, Estimate]
    """By the name of the measure. A failed query counts as a miss."""
    against_baseline: dict[str, Difference]
    by_kind: dict[str, Estimate] = Field(default_factory=dict)
    """By the kind of edit, in the report's ``kind_measure``."""

    @property
    def label(self) -> str:
        """The composer, and how many hits were verified."""
        return row_label(self.composer, self.verified)


def row_label(composer: str, verified: int) -> str:
    """How a table names a row: ``edit``, or ``edit, 20 verified``."""
    return f"{composer}, {verified} verified" if verified else composer


class Failure(Value):
    """A query that could not be scored, and why."""

    query: str
    composer: str | None
    """None: under no composer."""
    reason: str


class Imaginer(Value):
    """Where the imagined targets come from, and their cost, whichever run paid it."""

    llm: str | None
    """The language model's name; None where the rules write."""
    queries: dict[str, int]
    """Number of queries by origin: ``llm``, ``rules``, or ``fallback`` where the model failed."""
    replies: int
    """Replies used for the queries; equal requests share one."""
    shared: int
    """Imaginations that used the reply to another, equal request."""
    calls: int
    """Calls for the replies and the fallbacks, retries and repairs included."""
    input_tokens: int
    output_tokens: int
    """As the server reports them; 0 where it reports none."""
    prompts: tuple[str, ...]
    """Id, version and hash."""
    troubles: dict[str, int]
    """Reasons why the model was not used, with the number of times."""


class Ranking(Value):
    """The rank of a query's target, and the first hits."""

    rank: int
    top: tuple[str, ...]
    """Names of images, best first."""


class ComposerRanking(Ranking):
    """The ranking of one composer."""

    composer: str


class QueryExample(Value):
    """A query to look at, with several rankings of the gallery."""

    query: str
    reference: str
    modification: str
    targets: tuple[str, ...]
    rankings: tuple[Ranking, ...]


class Example(QueryExample):
    """A query under several composers."""

    kind: str
    """``best``: every composer finds it; ``worst``: none does; ``disputed``: their ranks differ most."""
    imagined: str | None
    """The description of the imagined target; None where no composer needed one."""
    rankings: tuple[ComposerRanking, ...]


class Round(Value):
    """A round of dialogues: the figures over all of them, of which those that have ended keep their last ranks."""

    round: int
    sessions: int
    """How many have this round."""
    figures: dict[str, dict[str, Estimate]]
    """By row, as :func:`row_label` names it, then by the name of the measure."""


class Report(Value):
    """An evaluation. All but ``this_run`` is the same however often it was interrupted."""

    benchmark: str
    queries: int
    gallery: int
    entries: str = "pictures"
    """What the gallery holds."""
    keeps_reference: bool
    measures: tuple[str, ...]
    """Empty where the truth is hidden."""
    default: str = DEFAULT_COMPOSER
    """The composer that a search takes where none is named."""
    baseline: str | None
    """The composer that the others are compared with; None where none ranked a query."""
    rows: tuple[Row, ...]
    rounds: tuple[Round, ...] = ()
    """Where the queries are dialogues; ``rows`` are then of the last round of each."""
    failures: tuple[Failure, ...]
    unreadable: dict[str, str]
    """Images without a feature, and why: they are never found."""
    imaginer: Imaginer
    curve: tuple[dict[str, float], ...]
    """Recall by the weight of the text, ``imagined+reference``; empty where it was not run."""
    examples: tuple[Example, ...]
    rules: tuple[str, ...]
    """How the figures are computed."""
    models: dict[str, str]
    versions: dict[str, str]
    this_run: dict[str, float]
    """Seconds by part, and the counts of :data:`MADE`; where a chat model captions, of :data:`CAPTIONER_MADE` too."""

    kinds: dict[str, int] = Field(default_factory=dict)
    """How many queries are of each kind of edit; empty where no kinds are known."""
    kind_measure: str = ""
    violations: tuple[Violations, ...] = ()
    """Of each composer, where it is known what is wrong."""
    least_violations: float | None = None
    """The share that no composer can go below, in percent; None where that is not known."""
    wordings: tuple[Robustness, ...] = ()
    """Of each composer, where other wordings were measured."""

    @property
    def best(self) -> dict[str, float]:
        """The highest mean of each measure."""
        return best_means(self.measures, [row.figures for row in self.rows if row.figures])


def best_means(measures: Sequence[str], figures: Sequence[Mapping[str, Estimate]]) -> dict[str, float]:
    """The highest mean of each measure among several methods; 0 without any."""
    return {name: max((each[name].mean for each in figures), default=0.0) for name in measures}


def report_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON values, figures rounded."""
    return rounded_json(report)


_DIGITS = {"p": 4, "weight": 6, "seconds": 3, "p50": 3, "p95": 3, "usd_per_1000_queries": 4}
"""Digits after the point by the name of a figure; all others have two."""


def rounded_json(value: Value) -> dict[str, Any]:
    """A value as plain JSON values with its figures rounded; a composer's parameters stay exact."""
    return {name: _rounded(each, name) for name, each in value.model_dump(mode="json").items()}


def _rounded(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: each if key == "parameters" else _rounded(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each, name) for each in value]
    return round(value, _DIGITS.get(name, 2)) if isinstance(value, float) else value


def failure_counts(report: Report) -> list[tuple[str | None, str, int]]:
    """Composer (None: every one), reason, and the number of queries; most frequent first."""
    counts = Counter((failure.composer, failure.reason) for failure in report.failures)
    return [(composer, reason, n) for (composer, reason), n in counts.most_common()]


def failure_lines(report: Report) -> list[str]:
    """The same, a line each, with the composer where the failure is its own."""
    return [f"{n:,} x {f'{name}: ' if name else ''}{reason}" for name, reason, n in failure_counts(report)]


def failed_where(report: Report) -> str:
    """The number of queries that failed under every composer, and of further ones under each; empty without any."""
    counts = Counter(failure.composer for failure in report.failures)
    everywhere, own = counts.pop(None, 0), counts.most_common()
    parts = [f"{everywhere:,} under every composer"] if everywhere else []
    return ", ".join([*parts, *(f"{n:,} {'more ' if everywhere else ''}under {name}" for name, n in own)])


def made_now(report: Report) -> str:
    """What this run made, in words; what the catalog had already does not count."""
    counts = {name.replace("_", " "): report.this_run.get(name, 0) for name in (*MADE, *CAPTIONER_MADE)}
    return ", ".join(f"{n:,.0f} {name}" for name, n in counts.items() if n) or "nothing"


FUSED = "imagined+reference"
"""The composer whose weight is varied: IP-CIR's text proxy."""
ROUNDS_NOTE = "Percent of all sessions; one that has ended keeps its last ranks."
"""What the figures after each round are."""
