"""The parts of a search, for agents that compose by themselves: captions, imaginations, vectors and their sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from ipcir_tools.agents.tools.answers import HitBriefs, fitted_brief, hit_briefs
from ipcir_tools.agents.tools.search import AGENT_K, AGENT_MOST, WHERE, K
from ipcir_tools.agents.tools.tool import Answer, Arguments, Brief, Operation
from ipcir_tools.display.results import DATA_NOTICE, MAX_WARNINGS, NO_HITS, TextLimits, fit, hit_json, hit_lines
from ipcir_tools.errors import NotFoundError
from ipcir_tools.text import excerpt, quote, shorten_json
from ipcir_tools.types import Hit

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.types import ImaginedTarget


_PICTURE = "A picture id from an earlier hit, or an allowed file path."
_TEXT_CAP, _WORD_CAP, _MOST_WORDS = 300, 36, 5


class CaptionImageArguments(Arguments):
    """Arguments of ``caption_image``."""

    image: str = Field(description=_PICTURE)


class ImagineTargetArguments(Arguments):
    """Arguments of ``imagine_target``."""

    modification: str = Field(
        description="What should be different, in plain words, such as 'in blue with long sleeves'."
    )
    image: str | None = Field(default=None, description="The reference: " + _PICTURE + " Give this or caption.")
    caption: str | None = Field(
        default=None, description="The reference in words, for instance a caption of your own. Give this or image."
    )

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        if bool(self.image) == bool(self.caption):
            raise ValueError("give exactly one of image and caption")
        return self


class EncodeArguments(Arguments):
    """Arguments of ``encode``."""

    text: str | None = Field(default=None, description="Words that say what a picture shows. Give this or image.")
    image: str | None = Field(default=None, description=_PICTURE + " Give this or text.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if bool(self.text) == bool(self.image):
            raise ValueError("give exactly one of text and image")
        return self


class WeightedVector(Arguments):
    """A vector and how much of it."""

    handle: str = Field(description="A handle that encode gave, or the id of a picture in the gallery.")
    weight: float = Field(
        default=1.0, ge=-10.0, le=10.0, allow_inf_nan=False, description="A negative weight leads away from it."
    )


class FusedSearchArguments(Arguments):
    """Arguments of ``fused_search``."""

    vectors: list[WeightedVector] = Field(
        min_length=1,
        max_length=20,
        description='What to add up. Example: [{"handle": "text:0f3a9c11d2e47b58", "weight": 0.7}, '
        '{"handle": "9be13c5d7700aa21", "weight": 0.3}].',
    )
    k: int = Field(default=AGENT_K, ge=1, le=AGENT_MOST, description=K)
    where: dict[str, Any] | None = Field(default=None, description=WHERE)


class CaptionBrief(Brief):
    """A picture in words."""

    image: str
    note: str = DATA_NOTICE
    caption: str


class ImaginedBrief(Brief):
    """A target picture in words."""

    image: str | None
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
    """What lies nearest to a sum of vectors."""

    note: str = DATA_NOTICE
    hits: HitBriefs


def _caption_image(engine: Engine, asked: CaptionImageArguments) -> Answer:
    made = engine.caption(asked.image)
    return Answer(
        f"image {made.id} ({DATA_NOTICE})\ncaption {quote(made.text, _TEXT_CAP)}",
        CaptionBrief(image=made.id, caption=shorten_json(made.text, _TEXT_CAP)),
        {"image": made.id, "caption": made.text},
    )


def _imagine_target(engine: Engine, asked: ImagineTargetArguments) -> Answer:
    made = engine.caption(asked.image) if asked.image else None
    caption = made.text if made else asked.caption or ""
    imagined = engine.imagine_target(caption, asked.modification, reference=made.id if made else None)
    target, warnings = imagined.target, list(imagined.warnings)
    brief = ImaginedBrief(
        image=made.id if made else None,
        caption=shorten_json(caption, _TEXT_CAP // 2),
        description=shorten_json(target.description, _TEXT_CAP),
        **{name: _shortened(getattr(target, name)) for name in ("keep", "add", "remove", "alternatives")},
        imagined_by=target.origin,
        warnings=_shortened(warnings[:MAX_WARNINGS], _TEXT_CAP // 3),
    )
    whole = {"image": brief.image, "caption": caption, "imagined": target.model_dump(mode="json"), "warnings": warnings}
    return Answer("\n".join(_imagined_lines(brief, target)), brief, whole)


def _imagined_lines(brief: ImaginedBrief, target: ImaginedTarget) -> list[str]:
    of = f"of image {brief.image} " if brief.image else ""
    lists = {name: getattr(brief, name) for name in ("keep", "add", "remove", "alternatives")}
    return [
        f"imagined target {of}(by {target.origin}; {DATA_NOTICE}): {quote(target.description, _TEXT_CAP)}",
        f"from the caption {quote(brief.caption)}",
        *(f"{name}: {', '.join(map(quote, words))}" for name, words in lists.items() if words),
        *(f"warning: {quote(warning)}" for warning in brief.warnings),
        "Give the description to encode or find_images, or the whole wish to compose_search.",
    ]


def _shortened(words: Sequence[str], cap: int = _WORD_CAP) -> list[str]:
    return [shorten_json(word, cap) for word in words[:_MOST_WORDS]]


def _encode(engine: Engine, asked: EncodeArguments) -> Answer:
    of: Literal["text", "image"] = "text" if asked.text else "image"
    handle = engine.encode_text(asked.text) if asked.text else engine.encode_image(asked.image or "")
    brief = VectorBrief(handle=handle, of=of)
    return Answer(f"handle {handle} (the vector of this {of}, for fused_search)", brief, brief.model_dump())


def _fused_search(engine: Engine, asked: FusedSearchArguments) -> Answer:
    weights: defaultdict[str, float] = defaultdict(float)
    for vector in asked.vectors:
        weights[_checked_handle(vector.handle)] += vector.weight
    hits = engine.fused_search(weights, k=asked.k, where=asked.where)
    return Answer(
        fit(lambda limits: "\n".join(hit_lines(hits, limits) if hits else [NO_HITS]), len(hits), len),
        fitted_brief(partial(_fused_brief, hits), hits),
        {"vectors": dict(weights), "hits": [hit_json(hit) for hit in hits]},
    )


def _checked_handle(handle: str) -> str:
    """The handle, if it can be one: no database is asked for half a character."""
    named = handle.strip()
    if not named.isascii() or not named.isprintable():
        raise NotFoundError(
            f"There is no vector {excerpt(named)}: take handles that `encode` gave, or whole picture ids."
        )
    return named


def _fused_brief(hits: Sequence[Hit], limits: TextLimits) -> FusedBrief:
    return FusedBrief(hits=hit_briefs(hits, limits))


CAPTION_IMAGE = Operation(
    name="caption_image",
    title="Describe a picture",
    about="Say in one sentence what a picture shows, as the captioner sees it. The same picture, the same words.",
    arguments=CaptionImageArguments,
    brief=CaptionBrief,
    run=_caption_image,
)

IMAGINE_TARGET = Operation(
    name="imagine_target",
    title="Imagine a changed picture",
    about=(
        "Say in words what a picture would show after a change, without searching. Takes a picture (its caption is "
        "made first) or a caption. compose_search does this by itself: only call it to see or edit the words."
    ),
    arguments=ImagineTargetArguments,
    brief=ImaginedBrief,
    run=_imagine_target,
)

ENCODE = Operation(
    name="encode",
    title="Make a vector",
    about=(
        "Turn a text or a picture into a vector for fused_search. Returns a stable handle, never numbers: the same "
        "text or picture always has the same one. Pictures in the gallery have theirs already: it is their id."
    ),
    arguments=EncodeArguments,
    brief=VectorBrief,
    run=_encode,
)

FUSED_SEARCH = Operation(
    name="fused_search",
    title="Search with weighted vectors",
    about=(
        "Find the pictures nearest to a weighted sum of vectors, to compose a search by hand; a negative weight leads "
        "away from what it belongs to. The pictures that were added up are no hits. No turn is kept: go on with "
        "compose_search from a hit, or with other weights."
    ),
    arguments=FusedSearchArguments,
    brief=FusedBrief,
    run=_fused_search,
)
