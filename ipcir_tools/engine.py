"""The engine: owns the catalog, the gallery and the models, and answers searches as turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from ipcir_tools.catalog import Catalog, Progress
from ipcir_tools.composers import composer_named
from ipcir_tools.errors import EmptyGallery, InvalidRequest, SpaceMismatch
from ipcir_tools.features import Features
from ipcir_tools.filters import condition
from ipcir_tools.gallery import Gallery
from ipcir_tools.images import LoadedImage
from ipcir_tools.indexing import IndexReport, index_folders
from ipcir_tools.models import ModelNames, chosen_models, noted_models
from ipcir_tools.references import resolve
from ipcir_tools.settings import Settings
from ipcir_tools.types import ComposedQuery, FloatArray, Hit, ImageRecord, SearchResult, Turn, Where

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable, RunnableConfig

    from ipcir_tools.captioner import Captioner
    from ipcir_tools.chains.compose import Composed, ComposeRequest
    from ipcir_tools.chains.imagine import Imagination, ImagineRequest
    from ipcir_tools.encoder import Encoder

MAX_TEXT = 2_000
"""Characters of a modification; a longer one is no edit."""
MAX_HITS = 1_000
_MODEL_NOTES = ("models", "encoder", "captioner")


class Engine:
    """Composed image search over one home folder. Safe for many threads; models load when first needed."""

    def __init__(self, settings: Settings, catalog: Catalog, gallery: Gallery) -> None:
        self.settings = settings
        self.catalog = catalog
        self.gallery = gallery
        noted = {key: value for key in _MODEL_NOTES if (value := catalog.note(key))}
        self.models: ModelNames = chosen_models(settings, noted)
        self.features = Features(
            catalog, settings, lambda: self.encoder, lambda: self.captioner, lambda: self.captioner_id
        )
        self._loading = threading.RLock()

    @classmethod
    def open(cls, settings: Settings | None = None, progress: Progress | None = None) -> Self:
        """Open the home folder; a damaged or lagging index is mended from the catalog, without encoding anything."""
        settings = settings or Settings()
        home = settings.home.expanduser().absolute()
        catalog = Catalog.open(home)
        return cls(settings, catalog, Gallery.open(catalog, home / "index", progress))

    def close(self) -> None:
        """Let go of the files."""
        self.gallery.close()
        self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- the models, each loaded once

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder. Raises SpaceMismatch before loading one that did not make the gallery."""
        from ipcir_tools.encoder import load_encoder

        with self._loading:
            self._check_space()
            chosen = self.settings
            return load_encoder(
                self.models.encoder, device=chosen.device, dtype=chosen.dtype, batch_size=chosen.batch_size
            )

    @cached_property
    def captioner(self) -> Captioner:
        """The captioner."""
        from ipcir_tools.captioner import load_captioner

        with self._loading:
            return load_captioner(self.models.captioner, device=self.settings.device, dtype=self.settings.dtype)

    @cached_property
    def captioner_id(self) -> str:
        """Under which captions are kept; known without loading the captioner."""
        from ipcir_tools.captioner import captioner_id

        return captioner_id(self.models.captioner, self.settings.device)

    @cached_property
    def imagine(self) -> Runnable[ImagineRequest, Imagination]:
        """The imagination: the language model that the settings name, or the rules."""
        from ipcir_tools.chains.imagine import build_imagine_chain, load_llm

        settings = self.settings
        return build_imagine_chain(
            load_llm(settings), prompt=settings.prompt, timeout=settings.llm_timeout, replies=self.catalog
        )

    @cached_property
    def compose(self) -> Runnable[ComposeRequest, Composed]:
        """Caption, imagine, encode, compose."""
        from ipcir_tools.chains.compose import build_compose_chain

        return build_compose_chain(self.features, self.imagine)

    def _check_space(self) -> None:
        """Refuse an encoder that did not make the gallery, by name alone."""
        from ipcir_tools.encoder import encoder_id

        space = self.catalog.space()
        if space is not None and not space.startswith(encoder_id(self.models.encoder) + "/"):
            raise SpaceMismatch(
                f"The gallery in {self.settings.home} was made by {space.rsplit('/', 1)[0]}, "
                f"not by {self.models.encoder}: "
                "leave --encoder and --models out to use its own, or choose another --home."
            )

    # --- what users do

    def index(self, paths: Sequence[Path], progress: Progress | None = None) -> IndexReport:
        """Put the pictures in files and folders into the gallery; see :func:`index_folders`."""
        self._check_space()
        report = index_folders(
            paths,
            catalog=self.catalog,
            gallery=self.gallery,
            encoder=self._noted_encoder,
            settings=self.settings,
            progress=progress,
        )
        if self.catalog.space() is not None:
            self._note_models()
        return report

    def _noted_encoder(self) -> Encoder:
        """The encoder, with its name written down before its first feature is: a run may be killed at any moment."""
        encoder = self.encoder
        self._note_models()
        return encoder

    def _note_models(self) -> None:
        for key, value in noted_models(self.models).items():
            self.catalog.set_note(key, value)

    def search(
        self,
        reference: str,
        modification: str,
        *,
        k: int | None = None,
        weight: float | None = None,
        where: Where | None = None,
        composer: str | None = None,
        trusted: bool = False,
        config: RunnableConfig | None = None,
    ) -> SearchResult:
        """Find pictures like the reference, but as the modification says; the root of a dialogue.

        ``trusted`` is for a person's own words: the reference may then be any file. Raises the typed errors of
        :mod:`ipcir_tools.errors`.
        """
        began = time.perf_counter()
        self._require_gallery()
        settings = self.settings
        found = resolve(reference, self.catalog, settings, trusted=trusted)
        record = found.record if isinstance(found, LoadedImage) else found
        query = _query(
            reference=record.id,
            modification=modification,
            k=settings.k if k is None else k,
            weight=settings.weight if weight is None else weight,
            composer=composer or settings.composer,
            where=where,
        )
        self.catalog.remember([record])
        return self._answer(query, record, found, (), began, config)

    def refine(
        self,
        turn: str,
        modification: str,
        *,
        k: int | None = None,
        weight: float | None = None,
        where: Where | None = None,
        composer: str | None = None,
        config: RunnableConfig | None = None,
    ) -> SearchResult:
        """Build on an earlier turn: the same reference, all the edits so far and one more.

        What is not named is as it was in that turn; an empty ``where`` drops its filter. Refining one turn twice makes
        a branch.
        """
        began = time.perf_counter()
        self._require_gallery()
        path = self.catalog.path(turn)
        last = path[-1].query
        query = _query(
            reference=last.reference,
            modification=modification,
            k=last.k if k is None else k,
            weight=last.weight if weight is None else weight,
            composer=composer or last.composer,
            where=last.where if where is None else where,
        )
        record = self.catalog.records([last.reference])[last.reference]
        return self._answer(query, record, None, path, began, config)

    # --- one answer

    def _require_gallery(self) -> None:
        if not self.catalog.size():
            raise EmptyGallery(
                f"The gallery in {self.settings.home} is empty: put pictures into it first with `ipcir index FOLDER`, "
                "or name another --home."
            )
        self._check_space()

    def _answer(
        self,
        query: ComposedQuery,
        record: ImageRecord,
        opened: LoadedImage | ImageRecord | None,
        path: Sequence[Turn],
        began: float,
        config: RunnableConfig | None,
    ) -> SearchResult:
        from ipcir_tools.chains.compose import ComposeRequest, Step

        request = ComposeRequest(
            reference=query.reference,
            modification=query.modification,
            composer=query.composer,
            weight=query.weight,
            history=tuple(Step(turn.query.modification, turn.imagined) for turn in path),
            pixels=opened.pixels if isinstance(opened, LoadedImage) else None,
        )
        composed = self.compose.invoke(request, config)
        searching = time.perf_counter()
        hits = self._hits(query, composed)
        ended = time.perf_counter()
        turn = Turn(
            id="t" + uuid4().hex[:11],
            parent=path[-1].id if path else None,
            query=query,
            reference_source=record.source,
            caption=composed.caption,
            imagined=composed.imagination.target if composed.imagination else None,
            hits=hits,
            prompt=composed.imagination.prompt if composed.imagination else None,
            models=self._models_used(composed),
            created=datetime.now(UTC).isoformat(),
        )
        self.catalog.put_turn(turn)
        timings = {**composed.timings, "search": ended - searching, "total": time.perf_counter() - began}
        return SearchResult(
            turn=turn, timings=timings, warnings=composed.imagination.warnings if composed.imagination else ()
        )

    def _hits(self, query: ComposedQuery, composed: Composed) -> tuple[Hit, ...]:
        """The ranking with the scores of its two halves; the reference itself is never a hit."""
        ranking = self.gallery.nearest(composed.probe, query.k, query.where, exclude={query.reference})
        ids = [id_ for id_, _ in ranking]
        vectors = self.catalog.features(ids, self.features.space)
        records, captions = self.catalog.records(ids), self.features.known_captions(ids)
        return tuple(
            Hit(
                id=id_,
                rank=rank,
                score=score,
                image_score=_cosine(vectors[id_], composed.image),
                text_score=_cosine(vectors[id_], composed.text),
                source=records[id_].source,
                caption=captions.get(id_),
            )
            for rank, (id_, score) in enumerate(ranking, start=1)
        )

    def _models_used(self, composed: Composed) -> dict[str, str]:
        used = {"encoder": self.features.space}
        if composed.imagination is not None:
            used["captioner"] = self.captioner_id
            used["imaginer"] = (
                (self.settings.llm or "rules") if composed.imagination.target.origin == "llm" else "rules"
            )
        return used


def _cosine(a: FloatArray, b: FloatArray | None) -> float | None:
    return None if b is None else float(a @ b)


def _query(
    *, reference: str, modification: str, k: int, weight: float | None, composer: str, where: Where | None
) -> ComposedQuery:
    """A checked query; every way of asking goes through here."""
    text = " ".join(modification.split())
    if not text:
        raise InvalidRequest('The modification is empty: say what should be different, such as "make it blue".')
    if not text.isascii() and text != text.encode("utf-8", "replace").decode():
        raise InvalidRequest("The modification holds bytes that are no UTF-8: type it again.")
    if len(text) > MAX_TEXT:
        raise InvalidRequest(f"The modification has {len(text)} characters: say it in {MAX_TEXT} at most.")
    if not 1 <= k <= MAX_HITS:
        raise InvalidRequest(f"k is {k}: ask for 1 to {MAX_HITS} pictures.")
    if weight is not None and not 0.0 <= weight <= 1.0:
        raise InvalidRequest(f"The weight is {weight}: it goes from 0 (only the picture) to 1 (only the text).")
    composer_named(composer)
    if where:
        condition(where)  # a wrong filter is refused before a model is asked
    where = where or None
    return ComposedQuery(reference=reference, modification=text, k=k, weight=weight, composer=composer, where=where)
