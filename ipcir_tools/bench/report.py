"""The benchmark as one document: parts that were measured, parts that failed, and the ratios that are aimed at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ipcir_tools.bench import machine
from ipcir_tools.bench.plan import PARTS, Plan
from ipcir_tools.bench.process import FailedError, fresh
from ipcir_tools.bench.timing import Say, rounded

Document = dict[str, Any]
Call = Callable[..., Any]
"""Called as :func:`fresh`; raises FailedError."""

MODULES = {part: {"update": "updates"}.get(part, part) for part in PARTS}
"""The module that measures each part."""


def run(plan: Plan, say: Say, call: Call = fresh) -> Document:
    """Measure what the plan names. A part that fails is told under ``failures``, and the others go on."""
    load, parts, failures = machine.load(), Document(), Document()

    def measured(part: str, work: str, **arguments: Any) -> Any:
        try:
            return call(work, lambda text: say(f"{part}: {text}"), **arguments)
        except FailedError as error:
            failures[part] = str(error)
            say(f"{part} failed: {error}")
            return None

    about = (measured("machine", "machine:describe") or {}) | {"load_average": load, "others": {}}
    for part in plan.parts:
        watched = machine.OtherWork()
        result = measured(part, f"{MODULES[part]}:measure", plan=plan)
        about["others"][part] = watched.share()
        if result is not None:
            parts[part] = result
    if "start" in parts:
        parts["import_s"] = parts["start"]["import_s"]
    told = plan.model_dump(mode="json", exclude={"folder"})
    return {"machine": about, **parts, "goals": goals(parts), "failures": failures, "plan": told}


def warnings(document: Document) -> list[str]:
    """What a reader of the figures must know."""
    about, said = document["machine"], []
    if machine.is_busy(about.get("load_average")):
        said.append(f"the machine was busy when this began (load {about['load_average'][0]}): figures suffer")
    busy = {part: share for part, share in about.get("others", {}).items() if share and share > machine.BUSY / 5}
    if busy:
        told = ", ".join(f"{part} {share:.0%}" for part, share in busy.items())
        said.append(f"other programs took a share of the processor meanwhile: {told}")
    return said + [f"{part} was not measured: {why}" for part, why in document["failures"].items()]


def goals(document: Document) -> list[Document]:
    """The ratios that are aimed at, as far as their parts were measured: name, value, goal, whether it is met."""
    found = [*_index_goals(document), *_query_goals(document), *_growth_goals(document)]
    return [
        {
            "name": name,
            "value": rounded(value, 4),
            "goal": f"{sign} {rounded(limit, 4):g}",
            "met": _met(value, sign, limit),
        }
        for name, value, sign, limit in found
    ]


Goal = tuple[str, float, str, float]


def _met(value: float, sign: str, limit: float) -> bool:
    return value >= limit if sign == ">=" else value <= limit


def _index_goals(document: Document) -> Iterable[Goal]:
    if index := document.get("index"):
        yield "indexing, share of the bare bfloat16 pass", index["images_per_s"] / index[BARE], ">=", 0.8
        yield "indexing, times LangChain's parts", index["images_per_s"] / index["peer_per_s"], ">=", 10
    if agreement := document.get("agreement"):
        yield "agreement with open_clip, mean cosine", agreement["mean"], ">=", 0.9999
        yield "agreement with open_clip, worst cosine", agreement["worst"], ">=", 0.999
        yield "agreement, trained weights, mean cosine", agreement["trained"]["mean"], ">=", 0.9999
        yield "agreement, trained weights, worst cosine", agreement["trained"]["worst"], ">=", 0.999


BARE = "bare_bfloat16_per_s"


def _query_goals(document: Document) -> Iterable[Goal]:
    for each in document.get("query", []):
        n = each["n"]
        yield f"search of {n:,}, overhead in ms", each["overhead_p50_ms"], "<=", overhead_limit(each)
        yield f"search of {n:,}, recall@10", each["recall_at_10"], ">=", 0.99
        lowest = min((filtered["recall_at_10"] for filtered in each["filters"]), default=1.0)
        yield f"search of {n:,}, lowest recall@10 by filter", lowest, ">=", 0.99
    for each in document.get("concurrency", []):
        if each["callers"] == 16:
            yield "16 callers, times the searches of one", each["times_one_caller"], ">=", 2


def overhead_limit(each: Mapping[str, float]) -> float:
    """2 ms, and for more than 10,000 pictures 1.5 times the faster peer besides."""
    faster = min(each["exact_p50_ms"], each["chroma_p50_ms"])
    return 2.0 if each["n"] <= 10_000 else 1.5 * faster + 2.0


def _growth_goals(document: Document) -> Iterable[Goal]:
    updates = document.get("update", [])
    if len(updates) > 1:
        first, last = updates[0], updates[-1]
        sizes = f"{last['n']:,} pictures to {first['n']:,}"
        yield f"adding 3, {sizes}", last["add_3_s"] / first["add_3_s"], "<=", 3
        yield f"opening, {sizes}", last["open_s"] / first["open_s"], "<=", 3
    memory = document.get("memory", [])
    if len(memory) > 1:
        first, last = memory[0], memory[-1]
        yield f"memory, {last['n']:,} pictures to {first['n']:,}", last["peak_mb"] / first["peak_mb"], "<=", 1.1
