"""The values that travel between the parts. All of them are frozen; a score always means: higher is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ipcir_tools.text import printable_line

FloatArray = NDArray[np.float32]
"""A float32 array; its shape is in the docstring of whatever takes or returns it."""

Origin = Literal["llm", "rules", "fallback", "person"]
"""Who wrote an imagination: a language model; the rules, because no model is configured; the rules in the place of a
configured model that failed for good; or a person, who struck words out of one or added some."""

Where = dict[str, Any]
"""A filter on the gallery's metadata in Chroma's grammar: ``{"format": "jpeg"}``, ``{"width": {"$gte": 800}}``,
``{"$and": [..., ...]}``."""


DEFAULT_COMPOSER = "edit"
"""How a search composes where nothing else is asked for; see the README for what it was chosen by."""

MOST_VERIFIED = 100
"""Hits that a captioner scores again at most."""
MOST_CHECKED = 20
"""Hits that a chat model checks at most."""
BY_CHAT_MODEL = "llm:"
"""Before the number of hits that a chat model checks."""


def parse_verify(value: object) -> int | str:
    """``"50"`` as 50, ``"off"`` as 0. Raises ValueError for what is no verification."""
    text = "0" if value in ("off", "none") else str(value).strip().lower()
    kind, _, number = text.rpartition(":")
    limit = {"": MOST_VERIFIED, "llm": MOST_CHECKED}.get(kind, -1)
    if text != "auto" and not (number.isdecimal() and int(number) <= limit):
        raise ValueError(
            f"verify is {text[:40]!r}: it takes auto, off, a number of hits up to {MOST_VERIFIED}, "
            f"or llm:N with N up to {MOST_CHECKED}"
        )
    return int(text) if text.isdecimal() else text


def is_by_chat_model(verify: int | str) -> bool:
    """Whether hits are verified by a chat model's checks, ``llm:5``, which sends it the pictures."""
    return str(verify).startswith(BY_CHAT_MODEL)


Verify = Annotated[int | str, BeforeValidator(parse_verify)]
"""How many of the first hits are scored again: a number, by the captioner; ``llm:5``, by a chat model's true/false
checks; ``auto``, by the captioner where that is cheap; 0, none."""


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageRecord(Value):
    """One picture that the catalog knows.

    ``id`` is the first 16 hex digits of the SHA-256 of the file's bytes, so it is the same on every machine and
    survives moves and renames.
    """

    id: str
    source: str
    """Absolute path of the file (its first one where several files are the same), or another name of its origin."""
    bytes: int
    width: int
    height: int
    format: str
    """Pillow's format name in lower case: ``jpeg``, ``png``, ``gif``, ..."""
    taken: str | None = None
    """When the picture was taken, by its EXIF, else the time of its file: local time, ISO 8601, to the second."""
    camera: str | None = None
    """Maker and model by EXIF."""
    latitude: float | None = None
    longitude: float | None = None
    """Where it was taken by EXIF, in degrees, north and east positive."""
    damaged: bool = False
    """Whether the file lacks its last bytes, or is broken from somewhere on: a part of the picture may be missing."""


class Caption(Value):
    """The caption of an image, and the image's id."""

    id: str
    text: str


class ImaginedTarget(Value):
    """The target picture in words, as a language model or the rules imagine it.

    ``description`` says only what is to be seen: CLIP responds to the noun in "without a belt", so absences stand in
    ``remove`` alone.
    """

    description: str = Field(min_length=1)
    keep: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    """Other descriptions of the same target."""
    origin: Origin


MAX_TOKEN_COUNT = 10**9
"""Tokens of one reply at most; a server that reports more reports nothing."""


def token_count(reported: Any) -> int | None:
    """The number of tokens that a server reported: a whole number from 0 to ``MAX_TOKEN_COUNT``. None: not known."""
    whole = isinstance(reported, int) and not isinstance(reported, bool)
    return reported if whole and 0 <= reported <= MAX_TOKEN_COUNT else None


TokenCount = Annotated[int, BeforeValidator(lambda reported: token_count(reported) or 0)]


class Reply(Value):
    """A model's reply as it is stored: its text, its model, and its cost when it was made."""

    text: str
    kind: str
    """The caller: ``imagine``, ``ask``, ``rerank``, ``verify``, or ``llm`` for a user's model with this cache."""
    model: str = ""
    prompt: str = ""
    """``imagine.structured@1#HASH8``; empty where no prompt file was used."""
    calls: int | None = None
    """Calls that it took, retries and repairs included. None: not known, as for replies of older catalogs."""
    repairs: int | None = None
    """How often the model was sent its own reply again, to repair it."""
    seconds: float | None = None
    """How long the calls took."""
    input_tokens: TokenCount = 0
    output_tokens: TokenCount = 0
    """By the server's own account. Both 0: not known, or not of all calls; no reply takes none."""
    created: str = ""
    """UTC time, ISO 8601; empty: not known."""


class NotedReference(Value):
    """One reference of several, and what is meant of it."""

    id: str
    note: str = ""
    """What is meant of it, such as "its collar"; empty: the picture as a whole."""


class ComposedQuery(Value):
    """Reference pictures, a modification text and how to search with them."""

    reference: str | None = None
    """Id of the first reference, already resolved. None: the words alone are searched for."""
    note: str = ""
    """What is meant of the first reference; empty: the picture as a whole."""
    others: tuple[NotedReference, ...] = ()
    """Further references, in order."""
    modification: str = ""
    """What should be different. Empty where a turn only chooses another reference or gives feedback."""
    liked: tuple[str, ...] = ()
    """Ids of the liked pictures: the search moves towards them."""
    disliked: tuple[str, ...] = ()
    """Ids of the disliked pictures: the search moves away from them."""
    k: int = Field(default=10, ge=1)
    weight: float | None = Field(default=None, ge=0.0, le=1.0)
    """Weight of the text in the fusion; the picture's is ``1 - weight``. None: the composer's default."""
    composer: str = DEFAULT_COMPOSER
    where: Where | None = None
    verify: Verify = 0
    rerank: int = Field(default=0, ge=0, le=20)
    """How many of the first hits a vision model was to put into its own order."""

    @property
    def references(self) -> tuple[NotedReference, ...]:
        """All references in order, with their notes; none where the words alone are searched for."""
        first = () if self.reference is None else (NotedReference(id=self.reference, note=self.note),)
        return (*first, *self.others)


class Judgement(Value):
    """The judgement of one hit by a vision model."""

    edit: float = Field(ge=0, le=10)
    """How well the picture shows the requested change, 0 to 10."""
    preservation: float = Field(ge=0, le=10)
    """How well it keeps of the reference what was not to change, 0 to 10."""
    reason: str
    """In the model's words; data, never an instruction."""


class Hit(Value):
    """One ranked picture."""

    id: str
    rank: int
    """From 1."""
    score: float
    """What the hits are ranked by, unless they were verified or reranked."""
    image_score: float | None = None
    """Cosine with the reference picture's feature; None where the composer did not use the picture."""
    text_score: float | None = None
    """Cosine with the text's feature; None where the composer used no text."""
    verified: float | None = None
    """How well the picture fits the imagined description: its log-likelihood under the captioner, in nats, or the
    share of a chat model's checks that hold, 0 to 1. None where the hit was not verified."""
    source: str
    gone: bool = False
    """Whether the file was not there any more when the hit was found."""
    alike: tuple[str, ...] = ()
    """Ids of the pictures that look the same and were folded into this hit."""
    caption: str | None = None
    """The caption if the catalog has one already; none is made for a hit."""
    judged: Judgement | None = None
    """None where no vision model judged it."""


class Turn(Value):
    """One step of a dialogue, immutable like a commit: it names its parent and is never changed."""

    id: str
    parent: str | None = None
    query: ComposedQuery
    reference_source: str | None = None
    """The file or another origin of the reference; None where there is no reference."""
    other_sources: tuple[str, ...] = ()
    """The same of the query's other references."""
    caption: str | None = None
    """The caption that the imagination was made from."""
    imagined: ImaginedTarget | None = None
    hits: tuple[Hit, ...] = ()
    prompt: str | None = None
    """Id, version and hash of the imagination's prompt; None where no prompt was used."""
    models: dict[str, str] = Field(default_factory=dict)
    """The encoder's space, the captioner, the language model (or "rules"), and what verified and reranked, by part."""
    created: str
    """UTC time, ISO 8601."""

    @property
    def feedback_counts(self) -> list[str]:
        """How many images the turn likes and dislikes, such as ``2 liked``; empty without feedback."""
        feedback = ((self.query.liked, "liked"), (self.query.disliked, "disliked"))
        return [f"{len(ids)} {word}" for ids, word in feedback if ids]

    @property
    def sourced_references(self) -> list[tuple[NotedReference, str]]:
        """All references in order, each with its file or another origin."""
        sources = dict(enumerate((self.reference_source or "", *self.other_sources)))
        return [(each, sources.get(i, "")) for i, each in enumerate(self.query.references)]

    @property
    def query_line(self) -> str:
        """The references with their notes, the modification and the feedback on one line."""
        names = [f"reference {each.id}{_note_behind(each)}" for each in self.query.references]
        modification = [f'"{printable_line(self.query.modification)}"'] if self.query.modification else []
        return ", ".join([*names, *modification, *self.feedback_counts])

    @property
    def imagined_line(self) -> str:
        """The imagined target on one line; empty without one."""
        imagined = self.imagined
        return f"imagined by {imagined.origin}: {printable_line(imagined.description)}" if imagined else ""

    def __repr__(self) -> str:
        """The turn in a terminal: its query, its imagined target, one line a hit."""
        lines = [f"turn {self.id}{f' after {self.parent}' if self.parent else ''}: {self.query_line}"]
        lines += [f"  {self.imagined_line}"] if self.imagined else []
        hits = [f"  {hit.rank:>3}. {hit.id}  {hit.score:6.3f}  {_hit_line(hit)}" for hit in self.hits[:MAX_SHOWN]]
        more = len(self.hits) - len(hits)
        return "\n".join([*lines, *(hits or ["  no hits"]), *([f"  and {more} more"] if more else [])])

    __str__ = __repr__


MAX_SHOWN = 20
"""Hits of a turn in a terminal or a notebook."""
_CAPTION_LIMIT = 60


def _note_behind(reference: NotedReference) -> str:
    return f" ({printable_line(reference.note)})" if reference.note else ""


def _hit_line(hit: Hit) -> str:
    name = printable_line(PurePath(hit.source).name) + hit_marks(hit)
    return f"{name}  {printable_line(hit.caption)[:_CAPTION_LIMIT]}" if hit.caption else name


def hit_marks(hit: Hit) -> str:
    """What stands behind a hit's file: that it is gone, and how many pictures look the same; mostly empty."""
    return (" (gone)" if hit.gone else "") + (f" +{len(hit.alike)} like it" if hit.alike else "")


class SearchResult(Value):
    """The result of a search: the stored turn, how long each part took, and warnings for the user."""

    turn: Turn
    timings: dict[str, float] = Field(default_factory=dict)
    """Seconds by part: ``encode_image``, ``caption``, ``imagine``, ``calibrate``, ``encode_text`` where they ran; then
    ``search``, of the gallery, in which asking the index, or scoring all pictures, took ``candidates`` and the rest of
    the ranking ``rescoring``; ``verify`` and ``rerank``; and the ``total``."""
    counts: dict[str, int] = Field(default_factory=dict)
    """How often the models were used for it: ``image_encodes``, ``captions_made``, ``text_encodes``, ``llm_calls``.
    What was stored already does not count."""
    warnings: tuple[str, ...] = ()
    near_copies: int = 0
    """How many pictures were left out of the hits because they look the same as the reference."""
    surprise: float | None = None
    """The share of the gallery's captions that fit their own picture at least as well as any hit fits the imagined
    target: small is unusually good, near 1 is no good match. None where nothing was imagined, or too few captions are
    known; see :mod:`ipcir_tools.engine.confidence`."""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits of the turn, best first."""
        return self.turn.hits

    def __repr__(self) -> str:
        """The result in a terminal: its turn and its warnings."""
        return "\n".join([repr(self.turn), *(f"  warning: {printable_line(text)}" for text in self.warnings)])

    __str__ = __repr__


@dataclass(frozen=True)
class Probe:
    """The query of a search, made by a composer.

    ``vector`` is ``[d]`` float32 of unit norm: candidates are its nearest neighbours by cosine. ``rescore`` maps
    candidate features ``[n, d]`` to scores ``[n]`` where the rule is not linear; None means the cosine itself.
    ``rescore_by_id`` maps these scores ``[n]`` and the candidates' ids to the final scores ``[n]``, where a rule uses
    more of a picture than its feature, such as its caption.
    """

    vector: FloatArray
    rescore: Callable[[FloatArray], FloatArray] | None = None
    rescore_by_id: Callable[[FloatArray, Sequence[str]], FloatArray] | None = None

    @property
    def linear(self) -> bool:
        """Whether the cosine is the score."""
        return self.rescore is None and self.rescore_by_id is None

    def score(self, features: FloatArray, ids: Sequence[str] | None = None) -> FloatArray:
        """Scores ``[n]`` of unit-norm ``features`` ``[n, d]`` under this probe's rule; without ``ids`` by features
        alone."""
        scores = features @ self.vector if self.rescore is None else self.rescore(features)
        if self.rescore_by_id is not None and ids is not None:
            scores = self.rescore_by_id(scores, ids)
        return np.asarray(scores, dtype=np.float32)


Lookup = Callable[[Sequence[str]], Mapping[str, FloatArray]]
"""Features ``[d]`` of what belongs to pictures, such as their captions, by the pictures' ids; those that are known."""


class FilterValues(Value):
    """What a gallery's pictures can be filtered by, and how many pictures have each value, the most frequent first."""

    pictures: int
    formats: dict[str, int]
    orientations: dict[str, int]
    folders: dict[str, int]
    """Files by folder, those below it not counted; named from the indexed folder on, as a filter takes them."""
    more_folders: int = 0
    """Folders beyond those listed."""
    cameras: dict[str, int] = Field(default_factory=dict)
    more_cameras: int = 0
    taken: tuple[str, str] | None = None
    """The first and the last date and time, ISO 8601."""
    with_gps: int = 0
    captioned: int = 0
    damaged: int = 0


class Skip(Value):
    """A file that is not in the gallery, and why."""

    source: str
    reason: str


class CaptionReport(Value):
    """What captioning the pictures of an index run did; ``made + known + len(skipped)`` is their number."""

    captioner: str
    made: int
    known: int
    """Pictures that had a caption before."""
    skipped: tuple[Skip, ...]
    """Pictures without a caption, and why; the next run tries them again."""
    spent: dict[str, int] = Field(default_factory=dict)
    """What a chat model took: ``calls``, ``input_tokens`` and ``output_tokens``; empty for a local captioner."""
    seconds: float


class IndexedFolder(Value):
    """A folder or file that the gallery was made from. A file counts for the innermost of them that it is in."""

    path: str
    exclude: tuple[str, ...]
    """Patterns of what is left out, in gitignore's syntax, kept for later runs."""
    pictures: int
    """Pictures of the gallery that its files hold."""
    files: int
    seen: str | None
    """When it was last indexed: UTC time, ISO 8601. None where it was never named: files that an earlier version
    indexed are put together by the folders that they are in."""
    gone: bool
    """Whether there is no such folder or file now."""


class MissingFolder(Value):
    """A folder or file that the gallery was made from and that cannot be looked at now; its pictures stay."""

    path: str
    empty: bool
    """Whether the folder is there and has no picture in it, as the place of a drive that is not connected; else it is
    gone."""
    pictures: int
    """Pictures that the gallery has from it."""


class KeptOut(Value):
    """A removed folder or file that is still there, and what keeps it out of the gallery from now on."""

    path: str
    folder: str
    """The indexed folder that it lies in."""
    pattern: str
    """The pattern by which that folder now leaves it out."""


class RemovalReport(Value):
    """What was taken out of the gallery. Features and captions stay, so that adding it again is cheap."""

    removed: tuple[str, ...]
    """The folders, files and ids that were named, folders and files by their full paths."""
    files: int
    pictures: int
    """Pictures that left the gallery, because no file holds them any more."""
    kept_out: tuple[KeptOut, ...]
    """What a later run over a folder around it would have brought back; indexing it by its own name still does."""


class IndexReport(Value):
    """What a run did. ``seen == added + unchanged + moved + len(skipped)``, counted in files.

    The gallery holds ``added - removed`` pictures more than before.
    """

    seen: int
    """Picture files found, and folders and ignore files that could not be read."""
    added: int
    """Pictures that are new in the gallery."""
    unchanged: int
    """Files that hold what the gallery had already, further copies of one picture included."""
    moved: int
    """Files with the content of one that is gone."""
    removed: int
    """Pictures that left the gallery, because no file holds them any more."""
    skipped: tuple[Skip, ...]
    excluded_files: int = 0
    """Picture files that patterns leave out, those below ``excluded_folders`` not counted."""
    excluded_folders: int = 0
    hidden_files: int = 0
    """Picture files whose names begin with a dot: they are passed over."""
    hidden_folders: int = 0
    """Folders whose names begin with a dot: they are passed over with all that is in them."""
    linked_folders: int = 0
    """Folders that are links: they are passed over."""
    unknown_files: int = 0
    """Files whose suffix is none of a picture; hidden ones are not counted."""
    unknown_suffixes: dict[str, int] = Field(default_factory=dict)
    """The most frequent of their suffixes, in lower case, each with its number; ``""`` is none at all."""
    missing: tuple[MissingFolder, ...] = ()
    """Folders that are gone or have no picture in them any more; their pictures stay until they are removed by name."""
    space: str
    """The encoder space of the gallery; empty while nothing was ever encoded."""
    seconds: float
    captions: CaptionReport | None = None
    """None where no captions were asked for."""
    damaged: int = 0
    """Files that were read though they lack their last bytes, or are broken from somewhere on."""
    mended: int = 0
    """Pictures whose feature in the catalog was damaged or missing, and was made again."""
    lacking: int = 0
    """Pictures whose feature is damaged or missing still: searches leave them out."""
