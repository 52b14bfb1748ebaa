"""The small CLIP: open_clip's ResNet and text transformer, trained with open_clip's contrastive loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ipcir_tools.demo.training import corpus, loop
from ipcir_tools.demo.training.corpus import Corpus
from ipcir_tools.demo.world import captions

STEPS = 2000
_BATCH = 192
_SAME = 4
_RATE = 1.5e-3
CONTEXT = 48
CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": corpus.SIDE, "layers": [1, 1, 1, 1], "width": 24, "head_width": 32},
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 1200,
        "width": 128,
        "heads": 4,
        "layers": 3,
        "hf_tokenizer_name": "tokenizer",
        "pool_type": "eos",
        "eos_id": 3,
    },
}
PREPROCESS = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def build() -> Any:
    """The model with random weights."""
    from open_clip.model import CLIP, CLIPTextCfg

    config = dict(CONFIG)
    return CLIP(config["embed_dim"], config["vision_cfg"], CLIPTextCfg(**config["text_cfg"]), output_dict=True)


def train_model(data: Corpus, work: Path, out: Path, steps: int, progress: Any) -> None:
    """Train (or continue) and write an open_clip ``local-dir`` folder."""
    from open_clip.loss import ClipLoss
    from transformers import AutoTokenizer

    loop.copy_tokenizer(work, out)
    tokenizer = AutoTokenizer.from_pretrained(str(out))
    model, loss = build().to(memory_format=torch.channels_last), ClipLoss()
    data = corpus.paired(data, corpus.PAIRS, 0, work, progress)

    def loss_of(step: int) -> torch.Tensor:
        indices, rng = corpus.batch_of(data, step, _BATCH, _SAME)
        texts = [captions.loose_caption(rng, data.garments[i], data.scenes[i]) for i in indices]
        tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
        output = model(loop.pixels_of(data, indices), tokens.input_ids)
        value: torch.Tensor = loss(output["image_features"], output["text_features"], output["logit_scale"])
        return value

    loop.fit(
        model,
        loss_of,
        steps,
        _RATE,
        work / "clip.ckpt",
        lambda n, v: progress("training CLIP", n, steps, f"loss {v:.3f}"),
    )
    write(model, out)


def write(model: torch.nn.Module, out: Path) -> None:
    """Weights as float16 safetensors beside the configuration that open_clip reads."""
    from safetensors.torch import save_file

    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items() if k != "attn_mask"}
    weights = out / "open_clip_model.safetensors"
    save_file({k: v.contiguous() for k, v in state.items()}, weights, {"format": "pt"})
    weights.chmod(0o644)  # safetensors makes it readable for its owner alone, and it ships
    text = json.dumps({"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS}, indent=2)
    (out / "open_clip_config.json").write_text(text + "\n")
