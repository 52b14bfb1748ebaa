"""The engine: one home folder, its gallery and models, and the searches over them, each stored as a turn."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.engine.components import Components
from ipcir_tools.engine.confidence import Background
from ipcir_tools.engine.conversation import conversation_id, thread_of
from ipcir_tools.engine.edited import compose_with, edited_query
from ipcir_tools.engine.fleet import encoding_on_ray
from ipcir_tools.engine.hit_files import as_they_are_now
from ipcir_tools.engine.queries import PreparedQuery, TurnRequest, prepare_query, resolve_reference
from ipcir_tools.engine.ranking import HitRanker, unknown_handle
from ipcir_tools.engine.reference_list import References
from ipcir_tools.engine.reference_words import Reference
from ipcir_tools.engine.references import local_reference
from ipcir_tools.engine.turn import TurnMaker
from ipcir_tools.engine.validation import check_turn_id, checked_text
from ipcir_tools.engine.visibility import AgentVisibility, Visibility
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError, NotFoundError
from ipcir_tools.search_options import SearchKeywords, SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.sources import Source
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.chroma_server import ChromaServer, ServerIndex
from ipcir_tools.store.database import gallery_place
from ipcir_tools.store.features import is_text_key, text_key
from ipcir_tools.store.folder_list import list_folders
from ipcir_tools.store.gallery_captions import GalleryCaptioning
from ipcir_tools.store.held_index import NEVER, WHERE_IT_PAYS
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.index_folder import index_folder
from ipcir_tools.store.indexing import IndexRequest, index_folders
from ipcir_tools.store.removing import remove
from ipcir_tools.store.unstored import searching
from ipcir_tools.types import (
    Caption,
    ComposedQuery,
    FilterValues,
    Hit,
    ImageRecord,
    ImaginedTarget,
    IndexedFolder,
    IndexReport,
    RemovalReport,
    SearchResult,
    Turn,
    Where,
)

if TYPE_CHECKING:
    from langchain_chroma import Chroma
    from langchain_core.runnables import RunnableConfig
    from PIL import Image

    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.imagination.results import Imagination
    from ipcir_tools.store.langchain_cache import CatalogCache
    from ipcir_tools.store.ray_encoding import RayEncoding


class Engine:
    """Composed image search over one home folder. Safe for many threads; models load when first needed.

    ``components`` are its models and the chains over them. Searches raise the typed errors of
    :mod:`ipcir_tools.errors`. A reference is a string that an agent may name, or a ``Path`` or PIL image from a
    program, which is trusted: see :mod:`ipcir_tools.engine.references`.
    """

    def __init__(self, components: Components, gallery: Gallery) -> None:
        self.components, self.gallery = components, gallery
        self.background = Background(components.catalog, components.features)
        self._ranker = HitRanker(components, gallery)
        self._turns = TurnMaker(components, self._ranker, self.background)
        self._conversation: str | None = None
        self._handed: set[str] = set()
        self.visibility = Visibility(components.catalog, components.settings)
        """What may be named by ids: of the engine itself all that the catalog knows, of ``for_agents()`` less."""

    @classmethod
    def open(cls, settings: Settings | None = None, progress: Progress | None = None) -> Self:
        """Open the home folder; a damaged or lagging index is repaired from the catalog, without encoding anything.

        One that cannot be written is searched exactly, and what a search stores is kept in the user's cache folder.
        """
        settings = settings or Settings()
        if not isinstance(settings, Settings):
            raise InvalidRequestError(f"Engine.open takes Settings(home=...), not {type(settings).__name__}.")
        catalog = Catalog.of(settings)
        components, folder = Components(settings, catalog), index_folder(catalog, settings)
        server = ChromaServer.of(settings)
        store = ServerIndex(catalog, server, lambda: components.captioner_id) if server else None
        # In a copy of a catalog an index of its own would cost more than it saves.
        policy = WHERE_IT_PAYS if catalog.read_only is None else NEVER
        return cls(components, Gallery.open(catalog, folder, progress, lambda: components.captioner_id, policy, store))

    @property
    def settings(self) -> Settings:
        """The settings that it was opened with."""
        return self.components.settings

    @property
    def catalog(self) -> Catalog:
        """The images, features, captions, replies and turns that are stored."""
        return self.components.catalog

    @property
    def cache(self) -> CatalogCache:
        """LangChain's cache over this catalog: for ``set_llm_cache``, or for one model's ``cache=``."""
        return self.components.cache

    def in_conversation(self, name: object) -> Self:
        """This engine, whose turns belong to the conversation of that name: a thread, a session; None: to none.

        Its models and its catalog are the same, and closing one closes both. Conversations order turns, they hide
        none: any turn can be named by its id.
        """
        view = copy.copy(self)
        view._conversation = conversation_id(name)
        return view

    def for_agents(self) -> Self:
        """This engine as agents see it: see :mod:`ipcir_tools.engine.visibility`. Every tool and graph goes by it."""
        if self.visibility.for_agents:
            return self
        view = copy.copy(self)
        view.visibility = self._agents
        return view

    @property
    def _agents(self) -> AgentVisibility:
        return AgentVisibility(self.catalog, self.settings, self._handed)

    def show_agents(self, *ids: str) -> None:
        """Hand pictures to the agents of this engine, by their ids, as long as it is open.

        For a person's own picture that is in no gallery: agents may then look at it and search with it.
        """
        self._handed.update(ids)

    def turn(self, id: str) -> Turn:
        """A stored turn, with the files that its hits have now. Raises NotFoundError."""
        check_turn_id(id)
        return as_they_are_now(self.visibility.turn(id), self.catalog)

    def path(self, id: str) -> list[Turn]:
        """The turns from the root to that one, as they were stored. Raises NotFoundError."""
        check_turn_id(id)
        return self.visibility.path(id)

    def turns(self, limit: int = 20) -> list[Turn]:
        """The last turns, newest first: of the engine's conversation where it has one, else of all."""
        return self.visibility.turns(limit, self._conversation)

    def stored(self, result: SearchResult, config: RunnableConfig | None = None) -> SearchResult:
        """The result, its turn stored; with a warning where it, or what was made for it, cannot be stored now.

        Such a turn is held in memory and can be refined here; the next search stores it where that can be done again.
        """
        with searching() as unstored:
            self.store(result.turn, config)
        line = unstored.line()
        known = not line or line in result.warnings
        return result if known else result.model_copy(update={"warnings": (*result.warnings, line)})

    def store(self, turn: Turn, config: RunnableConfig | None = None) -> None:
        """Store a turn as one of the engine's conversation, or else of the thread of ``config``."""
        self.catalog.put_turn(turn, self._conversation or thread_of(config))

    def filter_values(self, limit: int = 20) -> FilterValues:
        """What searches can be filtered by: folders, formats, cameras, dates, and how many pictures have which.

        At most ``limit`` folders and cameras, those with most pictures first.
        """
        return self.catalog.filter_values(self.components.captioner_id, limit)

    def __copy__(self) -> Self:
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, an engine is its settings: it is opened again, with the models that these name."""
        home = self.settings.home.expanduser().absolute()
        settings = self.settings.model_copy(update={"home": home})
        return _reopen, (type(self), settings, self._conversation, self.visibility.for_agents, self._handed)

    def close(self) -> None:
        """Let go of the files."""
        self.gallery.close()
        self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- the gallery

    def index(
        self,
        paths: Sequence[str | Source] | None = None,
        progress: Progress | None = None,
        *,
        captions: bool | None = None,
        exclude: Sequence[str] = (),
        force: bool = False,
        ray: bool | str | None = None,
    ) -> IndexReport:
        """Put the images in files and folders, here or in object stores (``s3://bucket/photos``), into the gallery, by
        default in all that it was made from.

        See :func:`index_folders`, and :class:`IndexRequest` for ``exclude`` and ``force``. With ``captions`` (None: as
        the settings say) each of them gets a caption, too. A run that was killed, or whose captioner failed, goes on
        where it ended when it is run again.

        With ``ray`` the pictures are read, encoded and captioned by the workers of a Ray cluster, and the result is
        the same: True, on this machine, or the cluster of the settings; an address, on that one; None: as the settings
        say. The workers must see the files under the same paths.
        """
        if isinstance(paths, str | Source):
            raise InvalidRequestError(f"index takes a list of paths: write engine.index([{str(paths)!r}]).")
        self.catalog.check_changeable()
        self.components.check_space()
        wanted = self.settings.captions if captions is None else captions
        with encoding_on_ray(self.components, ray, progress, captions=wanted) as workers:
            report = index_folders(
                IndexRequest(paths, exclude, force),
                catalog=self.catalog,
                gallery=self.gallery,
                encoder=self.components.noted_encoder,
                settings=self.settings,
                captioning=self._captioning(progress, workers) if wanted else None,
                progress=progress,
                elsewhere=workers.encoded if workers else None,
            )
        if report.captions and report.captions.made:
            self.components.calibrator.forget()  # captions of the gallery take the place of stock texts
        if self.catalog.space() is not None:
            self.components.note_models()
        return report

    def remove(self, targets: Sequence[str | Path]) -> RemovalReport:
        """Take folders, files and pictures (by id) out of the gallery, whether they are still there or not.

        See :func:`ipcir_tools.store.removing.remove`. Features stay, so that adding them again encodes nothing.
        """
        if isinstance(targets, str | Path):
            raise InvalidRequestError(f"remove takes a list: write engine.remove([{str(targets)!r}]).")
        report = remove(targets, self.catalog)
        self.gallery.sync()
        return report

    def folders(self) -> tuple[IndexedFolder, ...]:
        """The folders and files that the gallery was made from, with counts; see :class:`IndexedFolder`."""
        return list_folders(self.catalog)

    def _captioning(self, progress: Progress | None, workers: RayEncoding | None) -> GalleryCaptioning:
        components = self.components
        return GalleryCaptioning(
            self.catalog,
            components.features,
            lambda: components.captioner_id,
            components.note_models,  # before the first caption: a run may be killed at any moment
            progress or no_progress,
            workers,
        )

    def vectorstore(self, progress: Progress | None = None) -> Chroma:
        """The gallery as LangChain's vector store; see :func:`ipcir_tools.engine.vectorstore.open_vectorstore`."""
        from ipcir_tools.engine.vectorstore import open_vectorstore

        return open_vectorstore(self.components, self.gallery, progress)

    # --- searches: each is stored as a turn

    def search(
        self,
        reference: References,
        modification: str = "",
        options: SearchOptions | None = None,
        *,
        config: RunnableConfig | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Find images like the reference, but as the modification describes; the root of a dialogue.

        Of several references each may have a note on what is meant of it:
        ``engine.search([photo, (other, "its collar")], "in red")``. Notes that say it all need no modification.
        ``options`` and ``keywords`` say how to search: :class:`SearchOptions`; a keyword replaces the option's field.
        """
        return self.take_turn(None, TurnRequest(modification, _updated(options, keywords), reference), config)

    def find(
        self,
        text: str,
        options: SearchOptions | None = None,
        *,
        config: RunnableConfig | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Find images by words alone; a root too, from which a hit can be picked as the reference."""
        return self.take_turn(None, TurnRequest(checked_text(text, "text"), _updated(options, keywords)), config)

    def refine(
        self,
        turn: str,
        modification: str = "",
        options: SearchOptions | None = None,
        *,
        reference: References | None = None,
        liked: Sequence[Reference | int] = (),
        disliked: Sequence[Reference | int] = (),
        config: RunnableConfig | None = None,
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """Build on an earlier turn: a further modification, another reference, feedback, or all at once.

        ``reference``, ``liked`` and ``disliked`` are ids, or ranks in that turn's hits ("3"). ``reference`` may be a
        list, as in :meth:`search`; it replaces all references of that turn, which stay without it. Options that are not
        given are that turn's, except ``rerank``. Refining one turn twice makes a branch. (It has many parameters, for a
        program or a notebook writes them here; everything below passes a :class:`TurnRequest`.)
        """
        check_turn_id(turn)
        request = TurnRequest(modification, _updated(options, keywords), reference, liked, disliked)
        return self.take_turn(turn, request, config)

    def take_turn(self, turn: str | None, request: TurnRequest, config: RunnableConfig | None = None) -> SearchResult:
        """The next turn of a dialogue, stored: a refinement of ``turn``, or a new search where it is None.

        Every way to search comes here: ``search``, ``find``, ``refine`` and the retriever; the dialogue graph takes the
        same steps, ``prepare`` and ``answer``, in nodes of its own.
        """
        began = time.perf_counter()
        with self.catalog.steady(), searching():
            self.require_gallery()
            path = self.path(turn) if turn is not None else ()
            query, pixels = self.prepare(path, request)
            result = self.answer(query, path, pixels=pixels, config=config, began=began)
            return self.stored(result, config)

    def search_imagined(
        self,
        turn: str,
        *,
        keep: Sequence[str] | None = None,
        add: Sequence[str] | None = None,
        remove: Sequence[str] | None = None,
        config: RunnableConfig | None = None,
    ) -> SearchResult:
        """Search again with the imagined target of a turn, whose words a person struck out or added: the next turn.

        A list that is None stays; see :func:`ipcir_tools.chains.imagination.edited.edited_target`. Later turns go on
        from the edited target. Raises InvalidRequestError for a turn that imagined nothing, and for lists that change
        nothing or leave nothing to look for.
        """
        began = time.perf_counter()
        with self.catalog.steady(), searching():
            self.require_gallery()
            path = self.path(turn)
            query, imagined = edited_query(path[-1], keep=keep, add=add, remove=remove)
            result = self.answer(query, path, imagined=imagined, config=config, began=began)
            return self.stored(result, config)

    def prepare(self, path: Sequence[Turn], request: TurnRequest) -> PreparedQuery:
        """The query of the turn after ``path``, or of a new search where it is empty."""
        visibility = self._agents if request.by_agent else self.visibility
        with searching():
            prepared = prepare_query(path, request, self.catalog, self.settings, self._side, visibility)
        self._turns.check(prepared[0])
        if where := prepared[0].where:
            tell = self.settings.show_paths != "name"
            self.gallery.check_filter(where, tell_folders=tell)  # before any model is called
        return prepared

    def answer(
        self,
        query: ComposedQuery,
        path: Sequence[Turn],
        *,
        pixels: Mapping[str, Image.Image] | None = None,
        composed: Composed | None = None,
        imagined: ImaginedTarget | None = None,
        config: RunnableConfig | None = None,
        began: float | None = None,
    ) -> SearchResult:
        """The result of a query that builds on the turns of ``path``, not stored; see :meth:`TurnMaker.answer`.

        ``imagined`` takes the place of what would be imagined.
        """
        with self.catalog.steady(), searching():
            if imagined is not None and composed is None:
                composed = compose_with(self.components, query, path, imagined, config)
            return self._turns.answer(query, path, pixels=pixels, composed=composed, config=config, began=began)

    def fused_search(
        self, weights: Mapping[str, float], *, k: int | None = None, where: Where | None = None
    ) -> tuple[Hit, ...]:
        """Search with the weighted sum of features, by handle; weights may be negative. No turn is stored."""
        self.require_gallery()
        pictures = {handle for handle in weights if not is_text_key(handle)}
        known = pictures if not self.visibility.for_agents else self.visibility.pictures(pictures)
        if unknown := pictures - known:
            raise unknown_handle(min(unknown))
        return self._ranker.fused_hits(weights, k, where)

    def require_gallery(self) -> None:
        """Raises EmptyGalleryError where there is nothing to search, CatalogError where only the counters say so, and
        SpaceMismatchError where the encoder is not the gallery's."""
        if self.catalog.is_empty():
            raise EmptyGalleryError(
                f"The gallery in {gallery_place(self.settings)} is empty: put pictures into it first with "
                "`ipcir index FOLDER`, or name another --home."
            )
        self.components.check_space()

    # --- single parts, for callers that compose by themselves

    def caption(self, reference: Reference) -> Caption:
        """The caption of an image; made once, then stored."""
        id_, pixels = self._remembered(reference)
        with searching():
            return Caption(id=id_, text=self.components.features.captions([id_], pixels)[id_])

    def imagine_target(
        self,
        caption: str,
        modification: str,
        *,
        reference: str | None = None,
        config: RunnableConfig | None = None,
    ) -> Imagination:
        """The imagined target, from the caption of a reference and a modification.

        ``reference`` is the image's id, for a prompt that takes an image.
        """
        from ipcir_tools.chains.imagination.results import ImagineRequest

        request = ImagineRequest(checked_text(caption, "caption"), checked_text(modification), reference=reference)
        return self.components.imagine.invoke(request, config)

    def encode_text(self, text: str) -> str:
        """Encode a text; the handle of its feature, always the same for the same text."""
        flat = checked_text(text, "text")
        with searching():
            self.components.features.texts([flat])
        return text_key(flat)

    def encode_image(self, reference: Reference) -> str:
        """Encode an image; the handle of its feature, which is the image's id."""
        id_, pixels = self._remembered(reference)
        with searching():
            self.components.features.images([id_], pixels)
        return id_

    def _remembered(self, reference: Reference) -> tuple[str, dict[str, Image.Image]]:
        record, pixels = resolve_reference(reference, self.catalog, self.settings, self._side, self.visibility)
        given = self.visibility.given([record]) if pixels and isinstance(reference, str) else ()
        with searching():
            self.catalog.remember([record], given)
        return record.id, pixels

    def _side(self) -> int:
        return self.components.encoder.picture_side

    def local_reference(self, text: str) -> str | Path:
        """What a person at this machine typed as a reference; see :func:`local_reference`."""
        return local_reference(text, self.catalog)

    def resolve(self, reference: Reference) -> tuple[ImageRecord, dict[str, Image.Image]]:
        """The record of the image that a reference names, and its pixels by id where it had to be opened."""
        return resolve_reference(reference, self.catalog, self.settings, visibility=self.visibility)


def _reopen(
    kind: type[Engine], settings: Settings, conversation: str | None, for_agents: bool, handed: set[str]
) -> Engine:
    """The engine that was pickled. Raises NotFoundError where its home folder is not on this machine."""
    if settings.catalog_url is None and not settings.home.is_dir():
        raise NotFoundError(
            f"The pickled engine's home {settings.home} is not here: open one with Engine.open(Settings(home=...))."
        )
    engine = kind.open(settings).in_conversation(conversation)
    engine.show_agents(*handed)
    return engine.for_agents() if for_agents else engine


def _updated(options: SearchOptions | None, keywords: SearchKeywords) -> SearchOptions:
    if unknown := set(keywords) - {field.name for field in fields(SearchOptions)}:
        known = ", ".join(field.name for field in fields(SearchOptions))
        raise InvalidRequestError(f"There is no option {min(unknown)!r} of a search: there are {known}.")
    return (options or SearchOptions()).updated(**keywords)
