"""What an evaluation found and how: one frozen value that JSON, Markdown and HTML are written from."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ipcir_tools.evaluation.metrics.statistics import Difference, Estimate
from ipcir_tools.types import Value

MADE = ("calls", "captions", "image_encodes", "text_encodes", "drawings")
"""What a run may have to make: calls of the language model, captions, features of pictures and of texts, drawings."""
CAPTIONER_MADE = ("captioner_calls", "captioner_input_tokens", "captioner_output_tokens")
"""What a chat model was asked for captions in this run, failed calls included, and its tokens by its own account."""


class Row(Value):
    """One composer's line. ``scored + failed`` is the number of queries, unless it was not run."""

    composer: str
    parameters: dict[str, int | float]
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


class Failure(Value):
    """A query that could not be scored, and why."""

    query: str
    composer: str | None
    """None: under no composer."""
    reason: str


class Imaginer(Value):
    """Who wrote the imagined targets, and what that cost, whenever it was paid."""

    llm: str | None
    """The language model's name; None where the rules write."""
    queries: dict[str, int]
    """How many queries were imagined by whom: ``llm``, ``rules``, or ``fallback`` where the model failed."""
    replies: int
    """Replies that the queries were answered with; equal requests share one."""
    shared: int
    """Imaginations that took a reply which another one had asked for."""
    calls: int
    """Calls that the replies and the fallbacks took, retries and repairs included."""
    input_tokens: int
    output_tokens: int
    """By the server's own account; 0 where it gives none."""
    prompts: tuple[str, ...]
    """Id, version and hash."""
    troubles: dict[str, int]
    """Why the model was not used, with how often."""


class Ranking(Value):
    """What one composer made of a query: the rank of its target and the first hits."""

    composer: str
    rank: int
    top: tuple[str, ...]
    """Names of pictures, best first."""


class Example(Value):
    """A query to look at."""

    kind: str
    """``best``: every composer finds it; ``worst``: none does; ``disputed``: they differ most."""
    query: str
    reference: str
    modification: str
    targets: tuple[str, ...]
    imagined: str | None
    rankings: tuple[Ranking, ...]


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
    baseline: str | None
    """The composer that the others are compared with; None where none ranked a query."""
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    unreadable: dict[str, str]
    """Pictures without a feature, and why: they are never found."""
    imaginer: Imaginer
    curve: tuple[dict[str, float], ...]
    """Recall by the weight of the text, ``imagined+reference``; empty where it was not run."""
    examples: tuple[Example, ...]
    rules: tuple[str, ...]
    """How the figures come about."""
    models: dict[str, str]
    versions: dict[str, str]
    this_run: dict[str, float]
    """Seconds by part, and what was really made now, by the names of :data:`MADE`. Where a chat model captions, what
    that cost too, by those of :data:`CAPTIONER_MADE`."""


def report_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON values, figures rounded to two digits."""
    rounded = _rounded(report.model_dump(mode="json"))
    assert isinstance(rounded, dict)
    return rounded


def failure_counts(report: Report) -> list[tuple[str | None, str, int]]:
    """Composer (None: every one), reason, and how many queries failed so; most often first."""
    counts = Counter((failure.composer, failure.reason) for failure in report.failures)
    return [(composer, reason, n) for (composer, reason), n in counts.most_common()]


def failure_lines(report: Report) -> list[str]:
    """The same, a line each, with the composer where the failure is its own."""
    return [f"{n:,} x {f'{name}: ' if name else ''}{why}" for name, why, n in failure_counts(report)]


def failed_where(report: Report) -> str:
    """How many queries failed under every composer, and how many more under which; empty where none did."""
    counts = Counter(failure.composer for failure in report.failures)
    everywhere, own = counts.pop(None, 0), counts.most_common()
    told = [f"{everywhere:,} under every composer"] if everywhere else []
    return ", ".join([*told, *(f"{n:,} {'more ' if everywhere else ''}under {name}" for name, n in own)])


def made_now(report: Report) -> str:
    """What this run made, in words; what was known already does not count."""
    counts = {what.replace("_", " "): report.this_run.get(what, 0) for what in (*MADE, *CAPTIONER_MADE)}
    return ", ".join(f"{n:,.0f} {what}" for what, n in counts.items() if n) or "nothing"


def _rounded(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: each if name == "parameters" else _rounded(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, {"p": 4, "weight": 6}.get(key, 2)) if isinstance(value, float) else value


FUSED = "imagined+reference"
"""The composer whose weight is varied: IP-CIR's text proxy."""
