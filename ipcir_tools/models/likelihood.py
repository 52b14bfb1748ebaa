"""How likely a text is under a captioner of transformers, given an image: teacher forcing for each kind of model.

A model reads the image, then a fixed *start*, the tokens of the text and an *end* token; its next-token distributions
give the probabilities of the text's tokens and of the end. The start is what generation begins with and does not count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.models.captioner import VisionFeatures
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor


MAX_LOGITS = 2**25
"""Logits of one batch at most, 128 MB in float32: a batch of pairs has as many pairs as that allows."""
LONGEST = 512
"""Tokens of a text for models whose positions have no end."""


class TextDecoder(ABC):
    """One kind of captioning model, read token by token.

    ``start`` and ``end`` are token ids; a sequence from start to end has at most ``limit`` tokens.
    """

    def __init__(self, model: Any, start: int, end: int, limit: int) -> None:
        self.model, self.start, self.end, self.limit = model, start, end, limit

    @abstractmethod
    def image_features(self, pixels: Tensor) -> Tensor:
        """``[n, l, d]``: what the text is conditioned on, for pixels ``[n, 3, h, w]``."""

    @abstractmethod
    def logits(self, features: Tensor, ids: Tensor) -> Tensor:
        """``[p, t, vocabulary]``: the next token's logits after each of ``ids`` ``[p, t]``, for features ``[p, l, d]``.

        Texts are padded at their ends, and a causal model's earlier tokens do not see later ones: no mask is needed.
        """


class BlipDecoder(TextDecoder):
    """BLIP: the text attends to the patches by cross-attention."""

    def __init__(self, model: Any) -> None:
        text = model.config.text_config
        super().__init__(model, text.bos_token_id, text.sep_token_id, text.max_position_embeddings)

    def image_features(self, pixels: Tensor) -> Tensor:
        """The patches of the vision model."""
        features: Tensor = self.model.vision_model(pixel_values=pixels).last_hidden_state
        return features

    def logits(self, features: Tensor, ids: Tensor) -> Tensor:
        """The text decoder's logits."""
        logits: Tensor = self.model.text_decoder(input_ids=ids, encoder_hidden_states=features, use_cache=False).logits
        return logits


class Blip2Decoder(TextDecoder):
    """BLIP-2: the image's query tokens stand before the text (OPT) or in the encoder (T5)."""

    def __init__(self, model: Any) -> None:
        text, generation = model.config.text_config, model.language_model.generation_config
        self._bos: int = text.bos_token_id
        self._decoder_only: bool = model.config.use_decoder_only_language_model
        start = self._bos if self._decoder_only else _first(generation.decoder_start_token_id, text, "pad_token_id")
        limit = getattr(text, "max_position_embeddings", None)
        limit = limit - model.config.num_query_tokens if limit and self._decoder_only else LONGEST
        super().__init__(model, start, _first(generation.eos_token_id, text, "eos_token_id"), limit)

    def image_features(self, pixels: Tensor) -> Tensor:
        """The query tokens, projected for the language model."""
        features: Tensor = self.model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output
        return features

    def logits(self, features: Tensor, ids: Tensor) -> Tensor:
        """The language model's logits at the text."""
        import torch

        embed, model = self.model.get_input_embeddings(), self.model.language_model
        if self._decoder_only:
            logits: Tensor = model(inputs_embeds=torch.cat([features, embed(ids)], dim=1), use_cache=False).logits
            return logits[:, features.shape[1] :]
        prompt = embed(torch.full((len(ids), 1), self._bos, device=ids.device))
        read = torch.cat([features, prompt], dim=1)
        logits = model(inputs_embeds=read, decoder_input_ids=ids, use_cache=False).logits
        return logits


class GitDecoder(TextDecoder):
    """GIT: the patches stand before the text, see each other, and no text."""

    def __init__(self, model: Any) -> None:
        config, generation = model.config, model.generation_config
        start = _first(generation.bos_token_id, config, "bos_token_id")
        end = _first(generation.eos_token_id, config, "eos_token_id")
        super().__init__(model, start, end, config.max_position_embeddings)

    def image_features(self, pixels: Tensor) -> Tensor:
        """The projected patches."""
        git = self.model.git
        features: Tensor = git.visual_projection(git.image_encoder(pixels).last_hidden_state)
        return features

    def logits(self, features: Tensor, ids: Tensor) -> Tensor:
        """The logits at the text. The model's own forward takes pixels only, so that its parts are called here."""
        import torch

        git, patches = self.model.git, features.shape[1]
        hidden = torch.cat([features, git.embeddings(input_ids=ids)], dim=1)
        length = hidden.shape[1]
        hidden_from = torch.ones(length, length, dtype=torch.bool, device=ids.device).triu(1)
        hidden_from[:patches, :patches] = False
        mask = torch.zeros(length, length, dtype=hidden.dtype, device=ids.device)
        mask.masked_fill_(hidden_from, torch.finfo(hidden.dtype).min)
        states = git.encoder(hidden, attention_mask=mask[None, None]).last_hidden_state
        logits: Tensor = self.model.output(states[:, patches:])
        return logits


class EncoderDecoder(TextDecoder):
    """A vision-encoder-decoder: any vision model, and any text model with cross-attention."""

    def __init__(self, model: Any) -> None:
        config, generation = model.config, model.generation_config
        start = _first(generation.decoder_start_token_id, config, "decoder_start_token_id")
        end = _first(generation.eos_token_id, config, "eos_token_id")
        limit = getattr(model.decoder.config, "max_position_embeddings", LONGEST)
        super().__init__(model, start, end, limit)

    def image_features(self, pixels: Tensor) -> Tensor:
        """The vision model's states."""
        features: Tensor = self.model.encoder(pixel_values=pixels).last_hidden_state
        return features

    def logits(self, features: Tensor, ids: Tensor) -> Tensor:
        """The decoder's logits; the states are projected on the way where the two sizes differ."""
        logits: Tensor = self.model(encoder_outputs=(features,), decoder_input_ids=ids, use_cache=False).logits
        return logits


DECODERS: dict[str, type[Any]] = {
    "blip": BlipDecoder,
    "blip-2": Blip2Decoder,
    "git": GitDecoder,
    "vision-encoder-decoder": EncoderDecoder,
}
"""By transformers' model type."""


def text_decoder(model: Any) -> TextDecoder:
    """The decoder view of a captioning model of transformers."""
    decoder: TextDecoder = DECODERS[model.config.model_type](model)
    return decoder


def token_ids(decoder: TextDecoder, tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text with start and end; a text that is too long loses its last words."""
    most = min(decoder.limit, int(getattr(tokenizer, "model_max_length", LONGEST))) - 2
    options = {"add_special_tokens": False, "truncation": True, "max_length": most}
    rows = tokenizer(list(texts), **options)["input_ids"] if texts else []
    return [[decoder.start, *row, decoder.end] for row in rows]


def score_pairs(
    decoder: TextDecoder, features: Sequence[VisionFeatures], rows: Sequence[Sequence[int]], batch_size: int, to: Any
) -> FloatArray:
    """The log-likelihood ``[p]`` in nats of each row of tokens, from start to end, given the features beside it.

    ``to``: a tensor of the model's device and dtype. Pairs of like length are scored together.
    """
    import torch

    scores = np.zeros(len(rows), np.float32)
    vocabulary = int(decoder.model.config.get_text_config(decoder=True).vocab_size)
    for places in batches(rows, batch_size, vocabulary):
        length = max(len(rows[place]) for place in places)
        ids = torch.tensor([[*rows[place], *[decoder.end] * (length - len(rows[place]))] for place in places])
        ids, counted = ids.to(to.device), torch.tensor([len(rows[place]) - 1 for place in places]).to(to.device)
        given = torch.from_numpy(np.stack([features[place] for place in places])).to(to.device, to.dtype)
        with torch.inference_mode():
            logits = decoder.logits(given, ids[:, :-1]).float()
            picked = logits.gather(2, ids[:, 1:, None])[..., 0] - logits.logsumexp(2)
            picked *= torch.arange(length - 1, device=to.device) < counted[:, None]
            scores[places] = picked.sum(1).cpu().numpy()
    return scores


def batches(rows: Sequence[Sequence[int]], batch_size: int, vocabulary: int) -> Iterator[list[int]]:
    """The places of ``rows`` in batches of like length whose logits are at most :data:`MAX_LOGITS`."""
    order = sorted(range(len(rows)), key=lambda place: -len(rows[place]))
    while order:
        size = max(1, min(batch_size, MAX_LOGITS // (vocabulary * len(rows[order[0]]))))
        yield order[:size]
        order = order[size:]


def _first(value: Any, config: Any, name: str) -> int:
    """A token id of a generation config, the first where it has several; from ``config`` where it has none."""
    value = getattr(config, name, None) if value is None else value
    return int(value[0] if isinstance(value, list | tuple) else value)
