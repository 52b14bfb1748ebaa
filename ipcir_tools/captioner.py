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

import base64
import hashlib
import io
import json
import re
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools import hub
from ipcir_tools.devices import DType, pick_device, pick_dtype, torch_dtype
from ipcir_tools.encoder import sane
from ipcir_tools.errors import InvalidRequest, ModelUnavailable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from PIL import Image

GRAMMAR = "auto, transformers:ORG/NAME, transformers:PATH or chat:PROVIDER:MODEL"
WAYS_OUT = (
    "Download it where there is a network, then use --captioner transformers:FOLDER; "
    "or use --models demo, which needs no download."
)
ON_ACCELERATOR = "transformers:Salesforce/blip2-opt-2.7b"
ON_CPU = "transformers:Salesforce/blip-image-captioning-base"

GENERATION: dict[str, Any] = {"do_sample": False, "num_beams": 3, "max_new_tokens": 30}
"""How transformers captioners generate; part of their id."""
KINDS = ("blip", "blip-2", "git", "vision-encoder-decoder")
"""Model types of transformers that caption a picture without being asked anything."""

CHAT_PROMPT = (
    "Describe this picture in one plain English sentence of at most 25 words: what it shows, with colours, materials "
    "and details that tell it from similar pictures. Reply with the sentence alone."
)
CHAT_PIXELS = 512
"""Longest side of the JPEG that a chat model is sent."""

MAX_CHARS = 400
EMPTY = "a picture"
"""Stands for a caption without words: what comes after needs some text, and this one says nothing false."""


Said = list[tuple[int, list[str] | ModelUnavailable]]
"""Captions that came together, each with its picture's place, or why there are none."""


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
        the same captions, but for chat models. Raises ``InvalidRequest`` for n < 1 and ``ModelUnavailable``.
        """
        if n < 1:
            raise InvalidRequest(f"n must be at least 1, not {n}.")
        captions: list[list[str]] = [[] for _ in images]
        for came in self.captions(images, n):
            for place, said in came:
                if isinstance(said, ModelUnavailable):
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
            batch = [sane(image) for image in images[start : start + self.batch_size]]
            with self._lock:
                raw = self._caption_batch(batch, n)
            yield [(start + i, [clean(text) for text in texts]) for i, texts in enumerate(raw)]


def clean(text: str) -> str:
    """``text`` on one line, cut at ``MAX_CHARS``; ``EMPTY`` where nothing is left."""
    return " ".join(text.split())[:MAX_CHARS].strip() or EMPTY


# ---- names -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Name:
    kind: str
    """``transformers`` or ``chat``."""
    model: str
    folder: Path | None = None


def _parsed(name: str) -> _Name:
    if match := re.fullmatch(r"chat:([\w-]+:\S+)", name):
        return _Name("chat", match[1])
    if match := re.fullmatch(r"transformers:(.+)", name, re.DOTALL):
        folder = Path(match[1]).expanduser()
        if folder.is_dir() or not re.fullmatch(r"\w[\w.-]*/[\w.-]+", match[1]):
            return _Name("transformers", match[1], folder.resolve())
        return _Name("transformers", match[1])
    raise InvalidRequest(f"{name!r} names no captioner: use {GRAMMAR}.")


def captioner_id(name: str, device: str = "auto") -> str:
    """Identity of the captioner without loading it, as ``Captioner.id`` gives it: weights and settings.

    A folder becomes ``transformers:FOLDERNAME@DIGEST``. torch is imported for ``auto`` alone, which depends on
    ``device``. Raises ``InvalidRequest`` for a malformed name and ``ModelUnavailable`` for a folder without a model.
    """
    name = _resolved(name, device)
    parsed = _parsed(name)
    if parsed.kind == "chat":
        return f"{name}/{_settings_digest([CHAT_PROMPT, CHAT_PIXELS])}"
    weights = f"transformers:{hub.folder_id(parsed.folder, 'config.json')}" if parsed.folder else name
    return f"{weights}/{_settings_digest(GENERATION)}"


def _resolved(name: str, device: str) -> str:
    if name != "auto":
        return name
    return ON_CPU if pick_device(device) == "cpu" else ON_ACCELERATOR


def _settings_digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def load_captioner(name: str, *, device: str = "auto", dtype: str = "auto", batch_size: int = 16) -> Captioner:
    """The captioner of that name; weights are loaded at most once per process for each device and dtype.

    Raises ``InvalidRequest`` for names that can never work and ``ModelUnavailable``, within seconds, for a model that
    cannot be had.
    """
    name = _resolved(name, device)
    identity, parsed = captioner_id(name), _parsed(name)
    if parsed.kind == "chat":
        return ChatCaptioner(_chat_model(parsed.model), id=identity, batch_size=batch_size)
    device = pick_device(device)
    precision = pick_dtype(dtype, device)
    loaded = _KEPT.get((identity, device, precision), lambda: _load(name, parsed, device, precision))
    return TransformersCaptioner(loaded, id=identity, device=device, dtype=precision, batch_size=batch_size)


# ---- transformers ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Loaded:
    """What is heavy, shared by all captioners of the same id, device and dtype."""

    model: Any
    image_processor: Any
    tokenizer: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


_KEPT: hub.Kept[_Loaded] = hub.Kept()


class TransformersCaptioner(BatchCaptioner):
    """BLIP, BLIP-2, GIT and vision-encoder-decoders, by beam search.

    More than one caption are the best beams: alike, but the same on every run and in every batch.
    """

    def __init__(self, loaded: _Loaded, *, id: str, device: str, dtype: DType, batch_size: int = 16) -> None:
        super().__init__(id=id, device=device, dtype=dtype, batch_size=batch_size, lock=loaded.lock)
        self._loaded = loaded
        self._torch_dtype = torch_dtype(dtype)

    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        import torch

        beams = max(n, GENERATION["num_beams"])
        pixels = self._loaded.image_processor(images=list(images), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            rows = self._loaded.model.generate(
                pixel_values=pixels.to(self.device, self._torch_dtype),
                **(GENERATION | {"num_beams": beams, "num_return_sequences": n}),
            )
        texts = self._decoded(rows.tolist())
        return [texts[start : start + n] for start in range(0, len(texts), n)]

    def _decoded(self, rows: list[list[int]]) -> list[str]:
        # BLIP-2 gives back the places of the picture in its prompt, and older checkpoints' tokenizers have no word
        # for them.
        image_token = getattr(self._loaded.model.config, "image_token_index", None)
        words = [[token for token in row if token != image_token] for row in rows]
        return [str(self._loaded.tokenizer.decode(row, skip_special_tokens=True)) for row in words]


def _load(name: str, parsed: _Name, device: str, dtype: DType) -> _Loaded:
    local = parsed.folder is not None
    source = str(parsed.folder) if local else parsed.model
    return hub.fetch(name, lambda: _create(source, device, dtype), ways_out="" if local else WAYS_OUT, local=local)


def _create(source: str, device: str, dtype: DType) -> _Loaded:
    import transformers

    auto: Any = transformers  # half typed: what it declares and what it takes differ
    kind = auto.AutoConfig.from_pretrained(source, trust_remote_code=False).model_type
    if kind not in KINDS:
        raise ValueError(f"it is a {kind!r}, which captions nothing unasked; known are {', '.join(KINDS)}")
    # The two parts and not AutoProcessor: checkpoints of vision-encoder-decoders have none, and captioning needs no
    # prompt. The backend is named because transformers would choose by what is installed, and the two differ a little.
    images = auto.AutoImageProcessor.from_pretrained(source, backend="torchvision", trust_remote_code=False)
    tokenizer = auto.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    # Without a dtype transformers takes the checkpoint's: float16 on a CPU, where weights are saved so.
    model, report = auto.AutoModelForImageTextToText.from_pretrained(
        source, dtype=torch_dtype(dtype), trust_remote_code=False, output_loading_info=True
    )
    _require_weights(model, report["missing_keys"])
    return _Loaded(model.to(device).eval(), images, tokenizer)


def _require_weights(model: Any, missing: Collection[str]) -> None:
    """Refuses a model that transformers filled up at random. Poolers are left out on purpose by many checkpoints."""
    random = [name for name, _ in model.named_parameters() if name in missing and ".pooler." not in name]
    if random:
        raise ValueError(f"the checkpoint lacks {len(random)} weights, {random[0]} among them")


# ---- chat models -------------------------------------------------------------------------------------
class ChatCaptioner(Captioner):
    """A LangChain chat model that takes images, asked ``batch_size`` questions at a time, one for each caption."""

    def __init__(self, model: BaseChatModel, *, id: str, batch_size: int = 16) -> None:
        super().__init__(id=id, device="remote", dtype="remote", batch_size=batch_size)
        self._model = model

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[Said]:
        """Each caption as its reply comes in."""
        questions = [_question(sane(image)) for image in images]
        places = [place for place in range(len(images)) for _ in range(n)]
        config: Any = {"max_concurrency": self.batch_size, "run_name": "caption"}
        asked = [[questions[place]] for place in places]
        replies = self._model.batch_as_completed(asked, config, return_exceptions=True)
        for i, reply in replies:
            yield [(places[i], self._heard(reply))]

    def _heard(self, reply: BaseMessage | Exception) -> list[str] | ModelUnavailable:
        self.spent["calls"] += 1
        if isinstance(reply, Exception):  # every provider raises its own classes
            failure = ModelUnavailable(f"The captioner {self.id} failed: {hub.one_line(reply)}")
            failure.__cause__ = reply
            return failure
        usage = getattr(reply, "usage_metadata", None) or {}
        for kind in ("input_tokens", "output_tokens"):
            self.spent[kind] += usage.get(kind, 0)
        return [clean(str(reply.text))]


def _question(image: Image.Image) -> BaseMessage:
    from langchain_core.messages import HumanMessage

    picture = {"type": "image", "base64": _small_jpeg(image), "mime_type": "image/jpeg"}
    return HumanMessage(content=[{"type": "text", "text": CHAT_PROMPT}, picture])


def _small_jpeg(image: Image.Image) -> str:
    small = image.copy()
    small.thumbnail((CHAT_PIXELS, CHAT_PIXELS))
    file = io.BytesIO()
    small.save(file, format="JPEG", quality=90)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _chat_model(name: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    try:
        model: BaseChatModel = init_chat_model(name)
    except Exception as error:  # missing packages, unknown providers, missing keys: each its own class
        raise ModelUnavailable(f"Cannot set up the chat model {name}: {hub.one_line(error)}") from error
    return model
