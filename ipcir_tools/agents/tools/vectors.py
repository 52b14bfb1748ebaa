"""The parts of a search, for agents that compose by themselves: captions, imaginations, vectors and their sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from ipcir_tools.agents.tools.answers import HitBriefs, brief_folder, brief_hits, fit_brief, names_of
from ipcir_tools.agents.tools.search import AGENT_K, MAX_AGENT_K, SAME_WHERE, K, WhereArgument
from ipcir_tools.agents.tools.tool import Answer, Brief, CallContext, Tool
from ipcir_tools.arguments import Arguments
from ipcir_tools.display.results import DATA_NOTICE, MAX_WARNINGS, NO_HITS, TextLimits, fit, hit_json, hit_lines
from ipcir_tools.engine.file_names import FileNames
from ipcir_tools.errors import NotFoundError
from ipcir_tools.text import excerpt, quote, shorten_json
from ipcir_tools.types import Hit

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.types import ImaginedTarget


_PICTURE = "A picture, as in compose_search."
_TEXT_CAP, _WORD_CAP, _MAX_WORDS = 300, 36, 5


class CaptionImageArguments(Arguments):
    """Arguments of ``caption_image``."""

    reference: str = Field(description=_PICTURE)


class ImagineTargetArguments(Arguments):
    """Arguments of ``imagine_target``."""

    modification: str = Field(description="What should be different, as in compose_search.")
    reference: str | None = Field(default=None, description="The picture to start from. Give this or caption.")
    caption: str | None = Field(default=None, description="The reference in words. Give this or reference.")

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        if bool(self.reference) == bool(self.caption):
            raise ValueError("give exactly one of reference and caption")
        return self


class EncodeArguments(Arguments):
    """Arguments of ``encode``."""

    text: str | None = Field(default=None, description="Words. Give this or reference.")
    reference: str | None = Field(default=None, description="A picture. Give this or text.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if bool(self.text) == bool(self.reference):
            raise ValueError("give exactly one of text and reference")
        return self


class WeightedVector(Arguments):
    """A vector and how much of it."""

    handle: str = Field(description="From encode, or a picture id.")
    weight: float = Field(
        default=1.0, ge=-10.0, le=10.0, allow_inf_nan=False, description="1 unless asked; negative leads away."
    )


class FusedSearchArguments(Arguments):
    """Arguments of ``fused_search``."""

    vectors: list[WeightedVector] = Field(
        min_length=1,
        max_length=20,
        description="What to add up.",
    )
    k: int = Field(default=AGENT_K, ge=1, le=MAX_AGENT_K, description=K)
    where: WhereArgument = Field(default=None, description=SAME_WHERE)


class CaptionBrief(Brief):
    """A picture in words."""

    reference: str
    note: str = DATA_NOTICE
    caption: str


class ImaginedBrief(Brief):
    """A target picture in words."""

    reference: str | None
    note: str = DATA_NOTICE
    caption: str
    description: str
    keep: list[str]
    add: list[str]
    remove: list[str]
    alternatives: list[str]
    imagined_by: str
    warnings: list[str]


class VectorBrief(Brief):
    """A stable name of a vector; the numbers stay in the catalog."""

    handle: str
    of: Literal["text", "image"]


class FusedBrief(Brief):
    """The pictures nearest to a sum of vectors."""

    note: str = DATA_NOTICE
    folder: str | None
    hits: HitBriefs


def _caption_image(engine: Engine, arguments: CaptionImageArguments, context: CallContext) -> Answer:
    made = engine.caption(arguments.reference)
    return Answer(
        f"reference {made.id} ({DATA_NOTICE})\ncaption {quote(made.text, _TEXT_CAP)}",
        CaptionBrief(reference=made.id, caption=shorten_json(made.text, _TEXT_CAP)),
        {"reference": made.id, "caption": made.text},
    )


def _imagine_target(engine: Engine, arguments: ImagineTargetArguments, context: CallContext) -> Answer:
    made = engine.caption(arguments.reference) if arguments.reference else None
    caption = made.text if made else arguments.caption or ""
    imagined = engine.imagine_target(caption, arguments.modification, reference=made.id if made else None)
    target, warnings = imagined.target, list(imagined.warnings)
    brief = ImaginedBrief(
        reference=made.id if made else None,
        caption=shorten_json(caption, _TEXT_CAP // 2),
        description=shorten_json(target.description, _TEXT_CAP),
        **{name: _shorten(getattr(target, name)) for name in ("keep", "add", "remove", "alternatives")},
        imagined_by=target.origin,
        warnings=_shorten(warnings[:MAX_WARNINGS], _TEXT_CAP // 3),
    )
    whole = {
        "reference": brief.reference,
        "caption": caption,
        "imagined": target.model_dump(mode="json"),
        "warnings": warnings,
    }
    return Answer("\n".join(_imagined_lines(brief, target)), brief, whole)


def _imagined_lines(brief: ImaginedBrief, target: ImaginedTarget) -> list[str]:
    of = f"of reference {brief.reference} " if brief.reference else ""
    lists = {name: getattr(brief, name) for name in ("keep", "add", "remove", "alternatives")}
    return [
        f"imagined target {of}(by {target.origin}; {DATA_NOTICE}): {quote(target.description, _TEXT_CAP)}",
        f"from the caption {quote(brief.caption)}",
        *(f"{name}: {', '.join(map(quote, words))}" for name, words in lists.items() if words),
        *(f"warning: {quote(warning)}" for warning in brief.warnings),
        "Give the description to encode or find_images, or the whole wish to compose_search.",
    ]


def _shorten(words: Sequence[str], cap: int = _WORD_CAP) -> list[str]:
    return [shorten_json(word, cap) for word in words[:_MAX_WORDS]]


def _encode(engine: Engine, arguments: EncodeArguments, context: CallContext) -> Answer:
    of: Literal["text", "image"] = "text" if arguments.text else "image"
    handle = engine.encode_text(arguments.text) if arguments.text else engine.encode_image(arguments.reference or "")
    brief = VectorBrief(handle=handle, of=of)
    return Answer(f"handle {handle} (the vector of this {of}, for fused_search)", brief, brief.model_dump())


def _fused_search(engine: Engine, arguments: FusedSearchArguments, context: CallContext) -> Answer:
    weights: defaultdict[str, float] = defaultdict(float)
    for vector in arguments.vectors:
        weights[_check_handle(vector.handle)] += vector.weight
    hits = engine.fused_search(weights, k=arguments.k, where=arguments.where)
    names = names_of(engine, hits)
    return Answer(
        fit(lambda limits: "\n".join(hit_lines(hits, limits, names) if hits else [NO_HITS]), len(hits), len),
        fit_brief(partial(_fused_brief, hits, names), hits),
        {"vectors": dict(weights), "hits": [hit_json(hit) for hit in hits]},
    )


def _check_handle(handle: str) -> str:
    """The handle without spaces around it. Raises NotFoundError for text that no handle can be."""
    name = handle.strip()
    if not name.isascii() or not name.isprintable():
        raise NotFoundError(
            f"There is no vector {excerpt(name)}: take handles that `encode` gave, or whole picture ids."
        )
    return name


def _fused_brief(hits: Sequence[Hit], names: FileNames, limits: TextLimits) -> FusedBrief:
    return FusedBrief(folder=brief_folder(names, limits), hits=brief_hits(hits, limits, names))


CAPTION_IMAGE = Tool(
    name="caption_image",
    title="Describe a picture",
    description="Describe a picture in one sentence.",
    arguments=CaptionImageArguments,
    brief=CaptionBrief,
    run=_caption_image,
    idempotent=True,
)

IMAGINE_TARGET = Tool(
    name="imagine_target",
    title="Imagine a changed picture",
    description="Say what a picture would show after a change, without searching; compose_search does this by itself.",
    arguments=ImagineTargetArguments,
    brief=ImaginedBrief,
    run=_imagine_target,
    idempotent=True,
)

ENCODE = Tool(
    name="encode",
    title="Make a vector",
    description="Make the vector of a text or a picture for fused_search. Returns its handle, never numbers.",
    arguments=EncodeArguments,
    brief=VectorBrief,
    run=_encode,
    idempotent=True,
)

FUSED_SEARCH = Tool(
    name="fused_search",
    title="Search with weighted vectors",
    description="Find pictures near a weighted sum of vectors. Keeps no turn: go on from a hit by compose_search.",
    arguments=FusedSearchArguments,
    brief=FusedBrief,
    run=_fused_search,
    read_only=True,
    idempotent=True,
)
