"""The small BLIP: transformers' captioning model, taught the canonical captions. It never hears of the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ipcir_tools.demo import corpus, learning, words
from ipcir_tools.demo.corpus import Corpus

STEPS = 8000
_BATCH = 64
_RATE = 1.2e-3
_LENGTH = 40


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
    """Train (or go on training) and write a ``from_pretrained`` folder."""
    from transformers import AutoTokenizer

    learning.copy_tokenizer(work, out)
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
        value: torch.Tensor = model(
            pixel_values=learning.pixels_of(data, indices), input_ids=ids, attention_mask=mask, labels=labels
        ).loss
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


def write(model: Any, tokenizer: Any, out: Path) -> None:
    """Weights as float16 safetensors, with the processor that resizes as the training pictures were."""
    from transformers import BlipImageProcessor, BlipProcessor

    side = {"height": corpus.SIDE, "width": corpus.SIDE}
    images = BlipImageProcessor(size=side, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3)
    model.half().save_pretrained(out, safe_serialization=True)
    BlipProcessor(images, tokenizer).save_pretrained(out)  # type: ignore[no-untyped-call]
