"""Texts through a text tower of open_clip, without the padding where it has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def encode_text(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """The result of ``model.encode_text``, without computing the padding where it has no effect.

    In a causal tower that reads its feature at the end of the text, what follows has none: most of 77 tokens.
    """
    from torch.func import functional_call

    length = _used_length(tokens)
    if not is_causal(model):
        features: torch.Tensor = model.encode_text(tokens)
        return features
    cut = {
        "positional_embedding": model.positional_embedding[:length],
        "attn_mask": model.attn_mask[:length, :length],
    }
    output = functional_call(model, cut, (), {"text": tokens[:, :length]})
    features = output["text_features"] if isinstance(output, dict) else output[1]
    return features


def is_causal(model: Any) -> bool:
    """Whether a text's feature is read at its end, in a tower of open_clip where no token sees what follows it."""
    from open_clip.model import CLIP

    return type(model) is CLIP and model.attn_mask is not None and model.text_pool_type in ("argmax", "eos")


def _used_length(tokens: torch.Tensor) -> int:
    """The number of columns up to the end of the longest text; after it a row repeats its last token."""
    changing = (tokens != tokens[:, -1:]).any(dim=0).nonzero()
    last = int(changing.max()) if len(changing) else 0
    return min(tokens.shape[1], last + 2)  # the end of a text that fills its row is its last token
