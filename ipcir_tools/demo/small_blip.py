"""The small BLIP: transformers' captioning model, taught the canonical captions. It never hears of the scene.

Captions of one world are so regular that a decoder learns which words go together and stops looking: it would refuse
the combinations that the train part does not have. So a third of the words it is shown are hidden (word dropout, Bowman
et al. 2016, arXiv 1511.06349), and pictures are moved, mirrored and dimmed a little each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ipcir_tools.demo import corpus, learning, lexicon, words
from ipcir_tools.demo.corpus import Corpus

STEPS = 6000
_BATCH = 64
_RATE = 1.2e-3
_LENGTH = 40
_HIDDEN = 0.33
_UNKNOWN = 1
_SHIFT = 6


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
        hidden_dropout_prob=0.1,
        bos_token_id=2,
        eos_token_id=3,
        sep_token_id=3,
        pad_token_id=0,
    )
    return BlipForConditionalGeneration(BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))


def train_model(data: Corpus, work: Path, out: Path, steps: int, progress: Any) -> None:
    """Train (or go on training) and write a ``from_pretrained`` folder."""
    from transformers import AutoTokenizer

    learning.copy_tokenizer(work, out)
    data = corpus.with_partners(data, corpus.PAIRS, 0, work, progress)
    tokenizer = AutoTokenizer.from_pretrained(str(out))
    model = build()
    said = tokenizer(
        [words.caption(garment) for garment in data.garments],
        padding="max_length",
        truncation=True,
        max_length=_LENGTH,
        return_tensors="pt",
    ).input_ids
    order = torch.randperm(len(said), generator=torch.Generator().manual_seed(1)).tolist()

    def loss_of(step: int) -> torch.Tensor:
        indices = [order[(step * _BATCH + i) % len(order)] for i in range(_BATCH)]
        ids = said[indices]
        ids = ids[:, : int((ids != 0).sum(1).max())]
        mask = (ids != 0).long()
        labels = ids.masked_fill(mask == 0, -100)
        chance = torch.Generator().manual_seed(step)
        pixels = _varied(learning.pixels_of(data, indices), chance)
        shown = _hidden(ids, chance)
        value: torch.Tensor = model(pixel_values=pixels, input_ids=shown, attention_mask=mask, labels=labels).loss
        return value

    learning.fit(
        model,
        loss_of,
        steps,
        _RATE,
        work / "blip.ckpt",
        lambda n, v: progress("training BLIP", n, steps, f"loss {v:.3f}"),
    )
    write(model, tokenizer, out)


def _hidden(ids: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Token ids ``[n, length]`` with some of the words hidden; the begin, end and padding tokens stay."""
    hide = (torch.rand(ids.shape, generator=chance) < _HIDDEN) & (ids > len(lexicon.SPECIAL) - 1)
    return ids.masked_fill(hide, _UNKNOWN)


def _varied(pixels: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """The batch mirrored or not, moved by up to ``_SHIFT`` pixels, a little darker or lighter."""
    if torch.rand((), generator=chance) < 0.5:
        pixels = pixels.flip(3)
    across, down = (int(n) for n in torch.randint(-_SHIFT, _SHIFT + 1, (2,), generator=chance))
    gain = 0.9 + 0.2 * torch.rand((len(pixels), 1, 1, 1), generator=chance)
    return ((pixels.roll((down, across), (2, 3)) + 1) * gain - 1).clamp(-1, 1)


def write(model: Any, tokenizer: Any, out: Path) -> None:
    """Weights as float16 safetensors, with the processor that resizes as the training pictures were."""
    from transformers import BlipImageProcessor, BlipProcessor

    side = {"height": corpus.SIDE, "width": corpus.SIDE}
    images = BlipImageProcessor(size=side, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3)
    model.half().save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # it is written for its owner alone, and it ships
    BlipProcessor(images, tokenizer).save_pretrained(out)  # type: ignore[no-untyped-call]
