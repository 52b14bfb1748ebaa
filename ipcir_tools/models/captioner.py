"""Pictures to short English captions.

::

    captioner = load_captioner("auto")
    captioner.caption([picture])            # [["a woman in a red dress"]]

A name is one of

- ``transformers:ORG/NAME`` or ``transformers:PATH``: BLIP, BLIP-2, GIT or a vision-encoder-decoder, from the Hugging
  Face hub or from a folder that ``save_pretrained`` wrote (an existing folder wins, as in transformers);
- ``chat:PROVIDER:MODEL``: any LangChain chat model that takes images. The pictures are sent to that provider;
- ``auto``: BLIP-2 on an accelerator, BLIP-base on a CPU.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.text import one_line

if TYPE_CHECKING:
    from PIL import Image


WAYS_OUT = (
    "Download it where there is a network, then use --captioner transformers:FOLDER; "
    "or use --models demo, which needs no download."
)

MAX_CHARS = 400
EMPTY = "a picture"
"""Stands for a caption without words: what comes after needs some text, and this one says nothing false."""


Said = list[tuple[int, list[str] | ModelUnavailableError]]
"""Captions that came together, each with its picture's place, or why there are none."""


CAPTIONER_GRAMMAR = "auto, transformers:ORG/NAME, transformers:PATH or chat:PROVIDER:MODEL"


@dataclass(frozen=True)
class CaptionerName:
    """A captioner's name, taken apart."""

    kind: str
    """``transformers`` or ``chat``."""
    model: str
    folder: Path | None = None


def parsed_captioner(name: str) -> CaptionerName:
    """The name taken apart. Raises InvalidRequestError."""
    if match := re.fullmatch(r"chat:([\w-]+:\S+)", name):
        return CaptionerName("chat", match[1])
    if match := re.fullmatch(r"transformers:(.+)", name, re.DOTALL):
        folder = Path(match[1]).expanduser()
        if folder.is_dir() or not re.fullmatch(r"\w[\w.-]*/[\w.-]+", match[1]):
            return CaptionerName("transformers", match[1], folder.resolve())
        return CaptionerName("transformers", match[1])
    raise InvalidRequestError(f"{name!r} names no captioner: use {CAPTIONER_GRAMMAR}.")


class Captioner(ABC):
    """Captions pictures. Safe to share among threads.

    ``id`` names all that decides the words: the weights and the settings of the generation. ``spent`` counts what a
    chat model was asked: "calls", "input_tokens" and "output_tokens"; it stays empty for a model on this machine.
    """

    def __init__(self, *, id: str, device: str = "cpu", dtype: str = "float32", batch_size: int = 16) -> None:
        self.id = id
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self.spent: Counter[str] = Counter()

    @abstractmethod
    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[Said]:
        """As :meth:`caption`, as soon as they are there, so that they can be kept at once.

        All ``n`` of a picture need not come together. A call that failed gives its error in place of its caption, and
        the others go on; who has seen enough of them stops iterating, and no more is asked.
        """

    def caption(self, images: Sequence[Image.Image], n: int = 1) -> list[list[str]]:
        """``n`` clean captions for each picture, the best first; they may repeat.

        Clean: one line, no white space around, at most ``MAX_CHARS`` characters, never empty. The same pictures give
        the same captions, but for chat models. Raises ``InvalidRequestError`` for n < 1 and ``ModelUnavailableError``.
        """
        if n < 1:
            raise InvalidRequestError(f"n must be at least 1, not {n}.")
        captions: list[list[str]] = [[] for _ in images]
        for came in self.captions(images, n):
            for place, said in came:
                if isinstance(said, ModelUnavailableError):
                    raise said
                captions[place] += said
        return captions


class BatchCaptioner(Captioner):
    """A captioner that takes many pictures at a time. A subclass writes one batch; one runs at a time."""

    def __init__(self, *, lock: threading.Lock | None = None, **chosen: Any) -> None:
        super().__init__(**chosen)
        self._lock = lock or threading.Lock()

    @abstractmethod
    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        """``n`` raw captions for each of 1 to ``batch_size`` RGB pictures, the best first."""

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[Said]:
        """The captions of one batch after the other."""
        for start in range(0, len(images), self.batch_size):
            batch = [crop_extreme(image) for image in images[start : start + self.batch_size]]
            with self._lock:
                raw = self._caption_batch(batch, n)
            yield [(start + i, [clean(text) for text in texts]) for i, texts in enumerate(raw)]


def clean(text: str) -> str:
    """``text`` on one line, cut at ``MAX_CHARS``; ``EMPTY`` where nothing is left."""
    return one_line(text)[:MAX_CHARS].strip() or EMPTY
