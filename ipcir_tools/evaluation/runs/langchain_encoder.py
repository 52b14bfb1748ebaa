"""Any LangChain ``Embeddings`` as the encoder of a space of texts.

::

    encoder = load_text_encoder("langchain_openai:OpenAIEmbeddings", catalog)
    encoder.embed_texts(["a red dress"]) @ encoder.embed_texts(["a dress in red"]).T

A name is ``MODULE:NAME``. The module is looked for in the working directory first; the name is a class or a function
that needs no argument, or an instance. Every text is encoded by ``embed_documents``, because all of them play the
same role: descriptions of pictures.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from ipcir_tools.batches import chunked
from ipcir_tools.errors import InvalidRequestError, IPCIRError, ModelUnavailableError
from ipcir_tools.llm.errors import DeadlineExceededError
from ipcir_tools.llm.http_clients import bounded_async_client, bounded_client
from ipcir_tools.llm.timeouts import call_within
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.features import text_key
from ipcir_tools.text import error_sentence, excerpt
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from PIL import Image


GRAMMAR = "MODULE:NAME, such as langchain_openai:OpenAIEmbeddings or a class in a file of the working directory"
PROBES = ("a red dress with long sleeves", "two dogs run along a beach", "a bowl of soup on a wooden table")
"""Texts that every model encodes first; its vectors for them identify it."""
SECONDS = 300.0
"""For one batch, where no setting says otherwise: a model of this machine may have to be loaded for the first."""
REPLY_BYTES = 64_000_000
"""Of a server in OpenAI's protocol: 64 vectors of 3,072 numbers have two million."""
MOST_NUMBERS = 65_536
"""Of one vector."""
SAME = 0.999
"""The least cosine between two vectors of one model: servers and number types differ in the last digits."""


def load_embeddings(name: str) -> Embeddings:
    """The embeddings of that name.

    Raises InvalidRequestError for a malformed name, and ModelUnavailableError where it cannot be imported or made.
    """
    from langchain_core.embeddings import Embeddings

    found = _import_named(name)
    if not isinstance(found, Embeddings) and callable(found):
        try:
            found = found(**_bounds(found))
        except IPCIRError:
            raise
        except Exception as error:  # broad, because a user's own class raises anything
            raise ModelUnavailableError(f"Cannot make the embeddings {name}: {_why(error)} {_WAY_OUT}") from error
    if not isinstance(found, Embeddings):
        raise ModelUnavailableError(
            f"{name} gives a {type(found).__name__}, not Embeddings of langchain_core: name a class of those, "
            "or a function that returns one."
        )
    return found


def _bounds(kind: Any) -> dict[str, Any]:
    """The HTTP clients of ours that LangChain's classes for OpenAI's protocol take: replies are bounded, and what is
    given up ends. Nothing for anything else: what its client does can be bounded from outside alone."""
    if not (isinstance(kind, type) and kind.__module__.startswith("langchain_openai.")):
        return {}
    base = os.environ.get("OPENAI_API_BASE") or os.environ.get("OPENAI_BASE_URL")
    return {
        "http_client": bounded_client(base, REPLY_BYTES),
        "http_async_client": bounded_async_client(base, REPLY_BYTES),
    }


_WAY_OUT = "It is called without arguments: name a function of yours that sets it up."


def _import_named(name: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute.isidentifier()):
        raise InvalidRequestError(f"{excerpt(name)!r} is not a name of embeddings: write {GRAMMAR}.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # and it stays there: the module may import its neighbours later
    try:
        loaded = importlib.import_module(module)
    except Exception as error:  # broad, because a user's own module raises anything
        raise ModelUnavailableError(_no_module(module, error)) from error
    if not hasattr(loaded, attribute):
        raise ModelUnavailableError(f"There is no {attribute} in {loaded.__file__ or module}{_instead(loaded)}.")
    return getattr(loaded, attribute)


def _no_module(module: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return f"There is no module {module!r}, neither in {Path.cwd()} nor installed: write {GRAMMAR}."
    return f"The module {module} cannot be imported: {_why(error)} Fix it, or install what it needs."


def _instead(module: Any) -> str:
    from langchain_core.embeddings import Embeddings

    kinds = [
        name
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, Embeddings) and each is not Embeddings
    ]
    return f"; it has {', '.join(kinds)}" if kinds else ": name a class or a function of it"


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error_sentence(error)}"


# ---- the encoder -------------------------------------------------------------------------------------
def load_text_encoder(name: str, catalog: Catalog, *, batch_size: int = 64, seconds: float = SECONDS) -> TextEncoder:
    """The encoder over the embeddings of that name; raises as :func:`load_embeddings`, or where they give no vectors.

    The space is identified by the vectors of ``PROBES``, which are kept in ``catalog``: another model under the same
    name has another space, and one whose vectors are the same but for rounding has the same space again.
    """
    return encoder_of(load_embeddings(name), name, catalog, batch_size=batch_size, seconds=seconds)


def encoder_of(
    embeddings: Embeddings, name: str, catalog: Catalog, *, batch_size: int = 64, seconds: float = SECONDS
) -> TextEncoder:
    """The same over embeddings that exist already; reports call them by ``name``. One batch may take ``seconds``."""
    probes = _vectors(embeddings, name, PROBES, seconds)
    if not probes.any(axis=1).all():
        raise ModelUnavailableError(
            f"The embeddings {name} give zeros or no numbers for ordinary sentences: {_CHOOSE}."
        )
    space = _space(name, np.asarray(probes / np.linalg.norm(probes, axis=1, keepdims=True), np.float32), catalog)
    return TextEncoder(embeddings, seconds, name=name, space=space, dim=probes.shape[1], batch_size=batch_size)


class TextEncoder(Encoder):
    """Embeds texts and no pictures. No lock is held meanwhile, for a server may take its time."""

    def __init__(
        self, embeddings: Embeddings, seconds: float = SECONDS, *, name: str, space: str, dim: int, batch_size: int = 64
    ) -> None:
        super().__init__(name=name, space=space, dim=dim, device="own", dtype="own", batch_size=batch_size)
        self._embeddings, self._seconds = embeddings, seconds

    @override
    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        batches = [self._unit_texts(batch) for batch in chunked(texts, self.batch_size)]
        return np.concatenate([np.zeros((0, self.dim), np.float32), *batches])

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        raise ModelUnavailableError(f"The embeddings {self.name} encode texts alone.")

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        """Raises InvalidRequestError for a text that has no direction, ModelUnavailableError where the model
        fails."""
        vectors = _vectors(self._embeddings, self.name, texts, self._seconds)
        if vectors.shape[1] != self.dim:
            raise ModelUnavailableError(
                f"The embeddings {self.name} gave vectors of {vectors.shape[1]} numbers, and of {self.dim} before: "
                f"{_CHOOSE}."
            )
        for text, vector in zip(texts, vectors, strict=True):
            if not vector.any():
                raise InvalidRequestError(
                    f"the embeddings {self.name} give zeros or no numbers for {excerpt(text)!r}: word it differently"
                )
        return vectors


_CHOOSE = "fix them, or choose others"


def _vectors(embeddings: Embeddings, name: str, texts: Sequence[str], seconds: float) -> FloatArray:
    """One row ``[n, d]`` a text, its largest number 1; zeros where the model gave zeros, NaN or infinity."""
    try:
        rows = call_within(seconds, lambda: embeddings.embed_documents(list(texts)))
    except DeadlineExceededError as error:
        raise ModelUnavailableError(
            f"The embeddings {name} gave nothing within {seconds:g} seconds: see whether their server runs, or give "
            "them more time (IPCIR_EMBEDDINGS_TIMEOUT). What was encoded is kept."
        ) from error
    except Exception as error:  # broad, because a user's own module raises anything
        raise ModelUnavailableError(
            f"The embeddings {name} failed: {_why(error)} What was encoded is kept: fix it and run again."
        ) from error
    try:
        wide = [_row(row) for row in islice(rows, len(texts) + 1)]
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelUnavailableError(
            f"The embeddings {name} gave no lists of numbers ({_why(error)}): {_CHOOSE}."
        ) from error
    shapes = sorted({row.shape for row in wide}, key=len)
    if len(wide) != len(texts):
        raise ModelUnavailableError(
            f"The embeddings {name} gave {len(wide)} vectors for {len(texts)} texts: {_CHOOSE}."
        )
    if len(shapes) != 1 or len(shapes[0]) != 1 or not shapes[0][0]:
        sizes = " and ".join("x".join(map(str, shape)) or "no" for shape in shapes[:3])
        raise ModelUnavailableError(f"The embeddings {name} gave vectors of {sizes} numbers: {_CHOOSE}.")
    return _scaled(np.stack(wide))


def _row(row: Any) -> Any:
    if hasattr(row, "__len__") and len(row) > MOST_NUMBERS:
        raise ValueError(f"{len(row):,} numbers in one vector, more than {MOST_NUMBERS:,}")
    return np.asarray(row, np.float64)


def _scaled(rows: Any) -> FloatArray:
    largest = np.abs(rows).max(axis=1, keepdims=True)
    usable = np.isfinite(largest) & (largest > 0)
    return np.asarray(np.where(usable, rows / np.where(usable, largest, 1.0), 0.0), np.float32)


def _space(name: str, probes: FloatArray, catalog: Catalog) -> str:
    """The id of the space of the model's ``probes`` ``[n, d]``; new ones are kept for the next time."""
    if not probes.any(axis=1).all():
        raise ModelUnavailableError(f"The embeddings {name} gave numbers that are no vector: {_CHOOSE}.")
    note, keys = f"spaces of {name}", [text_key(text) for text in PROBES]
    known: list[str] = json.loads(catalog.note(note) or "[]")
    for space in known:
        kept = catalog.features(keys, space)
        if all(key in kept and kept[key].shape == each.shape for key, each in zip(keys, probes, strict=True)) and all(
            float(kept[key] @ each) >= SAME for key, each in zip(keys, probes, strict=True)
        ):
            return space
    digest = hashlib.sha256(np.ascontiguousarray(probes, "<f4").tobytes()).hexdigest()[:8]
    space = f"{name}/{probes.shape[1]}d-{digest}"
    catalog.put_features(dict(zip(keys, probes, strict=True)), space)
    catalog.set_note(note, json.dumps([*known, space]))
    return space
