"""The gallery as LangChain's vector store over Chroma, for chains that know nothing of this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from ipcir_tools.batches import Progress
from ipcir_tools.engine.components import Components
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.images.reading import load
from ipcir_tools.store.index import Gallery

if TYPE_CHECKING:
    from langchain_chroma import Chroma


class GalleryEmbeddings(Embeddings):
    """The encoder that made a gallery; texts are encoded once, and kept in its catalog."""

    def __init__(self, components: Components) -> None:
        self._components = components

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        vectors: list[list[float]] = self._components.features.texts(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        """One vector for each picture file, under the name that vector stores call."""
        encoder, settings = self._components.encoder, self._components.settings
        pixels = [load(Path(uri), settings, side=encoder.picture_side).pixels for uri in uris]
        vectors: list[list[float]] = encoder.embed_images(pixels).tolist()
        return vectors


def open_vectorstore(components: Components, gallery: Gallery, progress: Progress | None = None) -> Chroma:
    """The gallery as it is now, as ``langchain_chroma.Chroma`` with the encoder that made it; for reading only.

    A document is a picture: its text the caption, or the file's name where there is none, its id the picture's, its
    metadata ``source``, ``name``, ``folder``, ``format`` and ``taken``. Where pictures have come or gone since, open it
    again. Raises InvalidRequestError where langchain-chroma is not installed, EmptyGalleryError, and CatalogError where
    the collection cannot be brought up to date.
    """
    collection = gallery.collection(progress)  # before the import below, which would read a stray .env
    try:
        from langchain_chroma import Chroma
    except ImportError as error:
        raise InvalidRequestError(
            "A vector store needs langchain-chroma: pip install 'ipcir-tools[vectorstore]'."
        ) from error
    return Chroma(
        collection_name=collection.name,
        embedding_function=GalleryEmbeddings(components),
        client=collection.client,
        create_collection_if_not_exists=False,
    )
