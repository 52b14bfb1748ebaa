"""The small BLIP: transformers' captioning model, trained on the canonical captions, which leave out the scene.

The captions are so regular that a decoder learns which words go together and ignores the picture: it would miss the
combinations that the train part does not have. So a second, shorter round hides a third of the decoder's input words
(word dropout, Bowman et al. 2016, arXiv 1511.06349), on pictures half of which are new and differ from
a known one in one attribute.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from ipcir_tools.demo.training import corpus, loop
from ipcir_tools.demo.training.corpus import Corpus
from ipcir_tools.demo.training.tokenizer import SPECIAL
from ipcir_tools.demo.world.captions import caption

STEPS = 8000
SECOND_STEPS = 2500
_BATCH = 64
_RATE, _SECOND_RATE = 1.2e-3, 6e-4
_LENGTH = 40
_HIDDEN = 0.33
_UNKNOWN = 1


def build() -> Any:
    """The model with random weights. The vision tower's default spread of 1e-10 is for pretrained weights only."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipTextConfig, BlipVisionConfig

    vision = BlipVisionConfig(
        hidden_size=160,
        intermediate_size=480,
        num_hidden_layers=4,
        num_attention_heads=5,
        image_size=corpus.SIDE,
        patch_size=12,
        initializer_range=0.02,
    )
    text = BlipTextConfig(
        vocab_size=1200,
        hidden_size=160,
        encoder_hidden_size=160,
        intermediate_size=480,
        num_hidden_layers=3,
        num_attention_heads=5,
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=3,
        sep_token_id=3,
        pad_token_id=0,
    )
    return BlipForConditionalGeneration(BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))


def train_model(data: Corpus, work: Path, out: Path, steps: int, progress: Any) -> None:
    """Train (or continue) in two rounds and write a ``from_pretrained`` folder."""
    from transformers import AutoTokenizer

    loop.copy_tokenizer(work, out)
    tokenizer = AutoTokenizer.from_pretrained(str(out))
    model = build()
    first = _Batches(model, tokenizer, data, hidden=0.0)
    tick = partial(_tick, progress, "training BLIP", steps)
    loop.fit(model, first.loss, steps, _RATE, work / "blip.ckpt", tick)
    more = corpus.with_partners(data, corpus.PAIRS, 0, work, progress)
    second_steps = max(1, steps * SECOND_STEPS // STEPS)
    second = _Batches(model, tokenizer, more, hidden=_HIDDEN)
    tick = partial(_tick, progress, "second round", second_steps)
    loop.fit(model, second.loss, second_steps, _SECOND_RATE, work / "blip-second.ckpt", tick)
    write(model, tokenizer, out)


def _tick(progress: Any, what: str, steps: int, done: int, loss: float) -> None:
    progress(what, done, steps, f"loss {loss:.3f}")


class _Batches:
    """Batches of pictures with their captions, in a fixed shuffled order, and the loss of each."""

    def __init__(self, model: Any, tokenizer: Any, data: Corpus, hidden: float) -> None:
        captions = [caption(garment) for garment in data.garments]
        self._model, self._data, self._share = model, data, hidden
        self._ids: torch.Tensor = tokenizer(
            captions, padding="max_length", truncation=True, max_length=_LENGTH, return_tensors="pt"
        ).input_ids
        self._order = torch.randperm(len(captions), generator=torch.Generator().manual_seed(1)).tolist()

    def loss(self, step: int) -> torch.Tensor:
        """The captioning loss of one step."""
        indices = [self._order[(step * _BATCH + i) % len(self._order)] for i in range(_BATCH)]
        ids = self._ids[indices]
        ids = ids[:, : int((ids != 0).sum(1).max())]
        mask = (ids != 0).long()
        visible = _hide_words(ids, self._share, torch.Generator().manual_seed(step))
        labels = ids.masked_fill(mask == 0, -100)
        pixels = loop.pixels_of(self._data, indices)
        value: torch.Tensor = self._model(
            pixel_values=pixels, input_ids=visible, attention_mask=mask, labels=labels
        ).loss
        return value


def _hide_words(ids: torch.Tensor, share: float, chance: torch.Generator) -> torch.Tensor:
    """Token ids ``[n, length]`` with a share of the words hidden; the begin, end and padding tokens stay."""
    hide = (torch.rand(ids.shape, generator=chance) < share) & (ids >= len(SPECIAL))
    return ids.masked_fill(hide, _UNKNOWN)


def write(model: Any, tokenizer: Any, out: Path) -> None:
    """Weights as float16 safetensors, with the processor that resizes as the training pictures were."""
    from transformers import BlipImageProcessor, BlipProcessor

    side = {"height": corpus.SIDE, "width": corpus.SIDE}
    images = BlipImageProcessor(size=side, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3)
    model.half().save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # written readable for its owner alone, and it ships
    BlipProcessor(images, tokenizer).save_pretrained(out)  # type: ignore[no-untyped-call]
