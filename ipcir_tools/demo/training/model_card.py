"""Scores the small models on the test part, through the loaders that users load models with, and writes their card."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.training import corpus, small_blip, small_clip
from ipcir_tools.demo.world import captions
from ipcir_tools.demo.world import garments as world
from ipcir_tools.demo.world.garments import Garment
from ipcir_tools.evaluation.metrics.metrics import rank_of, recall_at
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.loading import load_captioner, load_encoder

_PICTURES = 1_000
_SEED = 7


def read_caption(caption: str) -> dict[str, Any]:
    """The attributes in a caption of the form of :func:`captions.caption`; absent ones are None or False."""
    words = re.findall(r"[\w-]+", caption)
    found: dict[str, Any] = {
        "kind": next((word for word in words if word in world.KINDS), None),
        "colour": next((word for word in words if word in world.COLOURS), None),
        "pattern": next((word for word in words if word in world.PATTERNS), None),
        "length": next((word for word in words[:3] if word in ("short", "cropped", "knee-length", "long")), ""),
        "neck": next((neck for neck in world.NECKS if f"a {neck}" in caption), None),
        "sleeve": next((sleeve for sleeve in ("short", "long") if f"{sleeve} sleeves" in caption), None),
    }
    found["sleeve"] = "sleeveless" if "sleeveless" in words else found["sleeve"]
    return found | {detail: detail in words for detail in world.DETAILS}


def score(folder: Path) -> dict[str, Any]:
    """Both models on drawn pictures of the test part: recall in percent, captions right in percent by attribute."""
    drawn = corpus.worlds("test", _PICTURES, _SEED)
    pictures = [render(garment, scene) for garment, scene in drawn]
    encoder = load_encoder(f"open_clip:local-dir:{folder / 'clip'}")
    images = encoder.embed_images(pictures)
    rng = random.Random(_SEED)
    full = [captions.loose_caption(rng, garment, scene, scene_share=1.0) for garment, scene in drawn]
    plain = [captions.caption(garment) for garment, _ in drawn]
    captioner = load_captioner(f"transformers:{folder / 'blip'}")
    generated = [several[0] for several in captioner.caption(pictures)]
    return {
        "pictures": _PICTURES,
        "text_to_image": {
            "garment and scene": _recall(encoder, full, images),
            "garment alone": _recall(encoder, plain, images),
        },
        "captions_right": _captions_right([garment for garment, _ in drawn], generated),
    }


def _recall(encoder: Encoder, texts: Sequence[str], images: Any) -> dict[str, float]:
    """The picture of each text among all pictures; another picture that fits the text as well counts as wrong."""
    scores = encoder.embed_texts(texts) @ images.T
    ranks = [rank_of(np.asarray(row), i) for i, row in enumerate(scores)]
    return {f"R@{k}": round(recall_at(ranks, k), 1) for k in (1, 10)}


def _captions_right(garments: Sequence[Garment], generated: Sequence[str]) -> dict[str, float]:
    truth = [captions.caption(garment) for garment in garments]
    read = [(read_caption(right), read_caption(caption)) for right, caption in zip(truth, generated, strict=True)]
    right = {name: [a[name] == b[name] for a, b in read] for name in read[0][0]}
    right["word for word"] = [a == b for a, b in zip(truth, generated, strict=True)]
    return {name: round(100.0 * float(np.mean(values)), 1) for name, values in right.items()}


def write(folder: Path, pictures: int, minutes: dict[str, float]) -> None:
    """Score the models in ``folder`` and write ``scores.json`` and the card ``README.md`` beside them."""
    scores = score(folder) | {"training_pictures": pictures, "minutes": {k: round(v, 1) for k, v in minutes.items()}}
    (folder / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")
    (folder / "README.md").write_text(card(scores, _megabytes(folder)))


def card(scores: dict[str, Any], megabytes: float) -> str:
    """The model card as Markdown."""
    recall = [f"| {name} | {row['R@1']} | {row['R@10']} |" for name, row in scores["text_to_image"].items()]
    right = [f"| {name} | {value} |" for name, value in scores["captions_right"].items()]
    minutes = scores["minutes"]
    return "\n".join(
        [
            "# The wardrobe's small CLIP and BLIP",
            "",
            "Two models that know drawn garments and nothing else. They make the demo, the tests and the notebooks run",
            "offline; for photographs use real CLIP and BLIP.",
            "",
            "## How they were made",
            "",
            "`python -m ipcir_tools.demo.training.train` drew the pictures, trained both models and wrote this card.",
            "",
            f"- Pictures: {scores['training_pictures']:,} of the train part, {corpus.SIDE} pixels square, seeded.",
            "- CLIP: open_clip (ResNet of width 24, text transformer of 3 layers, 128 dimensions), its contrastive",
            f"  loss, {small_clip.STEPS:,} steps, {minutes['clip']} minutes on two CPU cores. Half of its pictures are",
            "  partners of the other half: the same scene, one attribute changed.",
            f"- BLIP: transformers (vision 4 layers, text 3 layers, width 160), {small_blip.STEPS:,} steps and",
            f"  {small_blip.SECOND_STEPS:,} with hidden words, {minutes['blip']} minutes on two CPU cores.",
            "- Minutes are wall clock of all runs together, whatever else the machine was doing included.",
            "- CLIP's captions mention each property of the scene with probability 0.3, as web captions do now and",
            "  then; BLIP's never do.",
            f"- Weights: float16 safetensors, {megabytes:.1f} MB together. Licence: Apache-2.0, like the code.",
            "",
            "## What they score",
            "",
            f"On {scores['pictures']:,} pictures of the test part, which shares no combination of kind, colour and"
            " pattern with the train part.",
            "",
            "CLIP, text to image, percent:",
            "",
            "| text | R@1 | R@10 |",
            "|---|---|---|",
            *recall,
            "",
            "BLIP, captions right, percent:",
            "",
            "| attribute | right |",
            "|---|---|",
            *right,
            "",
        ]
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 1e6
