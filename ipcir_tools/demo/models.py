"""Where the small trained models are, by the names that the real loaders take."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "models"


def encoder_name() -> str:
    """The small CLIP, as :func:`ipcir_tools.encoder.load_encoder` takes it."""
    return f"open_clip:local-dir:{FOLDER / 'clip'}"


def captioner_name() -> str:
    """The small BLIP, as :func:`ipcir_tools.captioner.load_captioner` takes it."""
    return f"transformers:{FOLDER / 'blip'}"
