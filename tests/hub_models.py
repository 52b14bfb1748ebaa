"""Small models under the names of the real ones, in the folders of their repositories, for a hub on loopback."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_captioners import WORDS, tiny_blip, tiny_blip2

CLIP, BLIP, BLIP2 = (
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    "Salesforce/blip-image-captioning-base",
    "Salesforce/blip2-opt-2.7b",
)
TOKENIZER = "org/words"
"""The tokenizer of the encoder, in a repository of its own."""
MODEL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {
        **{"context_length": 16, "vocab_size": len(WORDS), "width": 32, "heads": 2, "layers": 2},
        "hf_tokenizer_name": TOKENIZER,
    },
}


def save_repositories(folder: Path) -> dict[str, Path]:
    """The folders by the names of their repositories: an encoder, its tokenizer, BLIP, and BLIP-2 in parts."""
    repos = {name: folder / name for name in (CLIP, TOKENIZER, BLIP, BLIP2)}
    _save_clip(repos[CLIP])
    _save_tokenizer(repos[TOKENIZER])
    for name, model, size in ((BLIP, tiny_blip(), "1GB"), (BLIP2, tiny_blip2(), "20KB")):
        model.save_pretrained(repos[name], max_shard_size=size)
        _save_tokenizer(repos[name])
        _save_processor(repos[name])
        (repos[name] / "README.md").write_text("what nobody loads")
    return repos


def _save_clip(folder: Path) -> None:
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    weights = open_clip.create_model(f"local-dir:{folder}", load_weights=False).state_dict()
    save_file({name: each.contiguous() for name, each in weights.items()}, folder / "open_clip_model.safetensors")
    torch.save(weights, folder / "open_clip_pytorch_model.bin")


def _save_tokenizer(folder: Path) -> None:
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(folder)


def _save_processor(folder: Path) -> None:
    from transformers import BlipImageProcessor

    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def save_true_size(folder: Path) -> dict[str, Path]:
    """The default's CLIP (605 MB) and BLIP-base (990 MB) in their true size, with random weights."""
    repos = {name: folder / name for name in (CLIP, BLIP)}
    _save_true_clip(repos[CLIP])
    _save_true_blip(repos[BLIP])
    return repos


def _save_true_clip(folder: Path) -> None:
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    weights = open_clip.create_model("ViT-B-32").state_dict()
    save_file({name: each.contiguous() for name, each in weights.items()}, folder / "open_clip_model.safetensors")


def _save_true_blip(folder: Path) -> None:
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    vision = {"image_size": 384, "initializer_range": 0.02}
    config = BlipConfig(text_config={"encoder_hidden_size": 768}, vision_config=vision)
    words = [*WORDS[:5], *(f"word{i}" for i in range(config.text_config.vocab_size - len(WORDS[:5])))]
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    BlipImageProcessor(size={"height": 384, "width": 384}).save_pretrained(folder)
