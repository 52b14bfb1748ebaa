"""Small CLIPs of random weights, in folders as open_clip's ``local-dir:`` wants them, and pictures of noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_encoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "dress", "with", "belt"]
MODEL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {
        **{"context_length": 8, "vocab_size": len(WORDS), "width": 32, "heads": 2, "layers": 2},
        "hf_tokenizer_name": "in this folder",
    },
}


def save_model(folder: Path, *, half: bool = False, seed: int = 0, mean: float = 0.5) -> Path:
    """A folder as open_clip's ``local-dir:`` wants it: configuration, safetensors, a WordPiece tokenizer."""
    import open_clip
    import torch
    from safetensors.torch import save_file
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True)
    preprocess = {"mean": [mean] * 3, "std": [0.25] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": preprocess}))
    torch.manual_seed(seed)
    weights = open_clip.create_model(f"local-dir:{folder}", load_weights=False).state_dict()
    save_file(
        {k: (v.half() if half else v).contiguous() for k, v in weights.items()}, folder / "open_clip_model.safetensors"
    )
    BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(folder)
    return folder


def pictures(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(1)
    return [Image.fromarray(rng.integers(0, 256, (40 + i % 7, 50, 3), dtype=np.uint8)) for i in range(n)]


def save_light_model(folder: Path, *, quick_gelu: bool = False) -> Path:
    """A small model with CLIP's own tokenizer."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3}
    model = MODEL | {"text_cfg": text, "quick_gelu": quick_gelu}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": {}}))
    torch.manual_seed(3)
    made = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    weights = {name: (5 * each).contiguous() for name, each in made.state_dict().items()}  # the activation shows
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


def load(folder: Path, dtype: str) -> Encoder:
    """The encoder of such a folder, in one number type."""
    return load_encoder(f"open_clip:local-dir:{folder}", device="cpu", dtype=dtype)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cosine of each row with the same one of ``other``, both of unit norm."""
    return (one.astype(np.float64) * other).sum(axis=1)
