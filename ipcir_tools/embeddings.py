"""OpenCLIP as LangChain embeddings, for texts and for pictures: vector stores such as langchain-chroma take both.

::

    store = Chroma(embedding_function=OpenClipEmbeddings())
    store.add_images(["red-dress.jpg", "blue-shirt.jpg"])
    store.similarity_search("something blue", k=1)
    store.similarity_search_by_image("another-dress.jpg", k=1)
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import run_in_executor

from ipcir_tools.batches import chunked
from ipcir_tools.errors import BadImageError, InvalidRequestError, NotFoundError
from ipcir_tools.images.reading import load
from ipcir_tools.models.presets import DEFAULT, SETS
from ipcir_tools.settings import Settings, load_settings
from ipcir_tools.sources import source_of
from ipcir_tools.text import excerpt

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.models.encoder import Encoder


class OpenClipEmbeddings(Embeddings):
    """Texts and pictures in one space. Every vector is ``[d]`` Python floats of unit norm: a dot product is a cosine.

    The model is loaded when it is first needed, and once a process for each device and number type. They pickle.
    Every method raises ``ModelUnavailableError`` where it is not available. Those whose names begin with ``a`` run in a
    thread.
    """

    def __init__(
        self,
        model: str = SETS[DEFAULT].encoder,
        *,
        encoder: Encoder | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int = 64,
        settings: Settings | None = None,
    ) -> None:
        """``model`` and the three choices as :func:`load_encoder` takes them, or an ``encoder`` that is there already.

        ``settings`` hold the limits for pictures; None: those of the environment.
        """
        self.model = encoder.name if encoder else model
        self._settings = settings or load_settings()
        self._given = encoder
        self._engine: Engine | None = None
        self._options: dict[str, Any] = {"device": device, "dtype": dtype, "batch_size": batch_size}

    @classmethod
    def from_engine(cls, engine: Engine) -> Self:
        """The embeddings of an engine's own gallery: its encoder, loaded once for both, and its limits."""
        made = cls(engine.components.models.encoder, settings=engine.settings)
        made._engine = engine
        return made

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, loaded at the first call."""
        from ipcir_tools.models.loading import load_encoder

        if self._engine is not None:
            return self._engine.components.encoder
        return self._given or load_encoder(self.model, **self._options)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: names and options; the model is loaded again. Raises InvalidRequestError for an encoder
        that was given as an object."""
        if self._given is not None:
            raise InvalidRequestError(
                f"Embeddings that were made with an encoder object ({excerpt(self.model)}) cannot be pickled: "
                "make them with the name of a model."
            )
        return {name: value for name, value in vars(self).items() if name != "encoder"}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text; what is longer than the model's context (77 tokens for CLIP) is cut."""
        vectors: list[list[float]] = self.encoder.embed_texts(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        """One vector for each picture file, under the name that vector stores call.

        Raises NotFoundError or BadImageError, naming the file, for one that cannot be used; nothing is given for the
        others then. Any file may be named: check first what comes from users or agents.
        """
        encoder, vectors = self.encoder, list[list[float]]()
        for batch in chunked(uris, encoder.batch_size):  # so that memory stays bounded
            vectors += encoder.embed_images([self._opened(uri) for uri in batch]).tolist()
        return vectors

    async def aembed_image(self, uris: list[str]) -> list[list[float]]:
        """As ``embed_image``, in a thread."""
        return await run_in_executor(None, self.embed_image, uris)

    def _opened(self, uri: str) -> Image.Image:
        try:
            return load(source_of(uri), self._settings, side=self.encoder.picture_side).pixels
        except (BadImageError, NotFoundError) as error:
            raise type(error)(
                f"The picture {excerpt(uri, 200)} cannot be embedded: {error}. Give the path of a picture file."
            ) from error
