"""Tiny captioning models of random weights, in the architectures that transformers captions with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "red", "blue", "green", "dress", "shirt", "belt"]
TEXT = {
    **{"vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"intermediate_size": 32, "max_position_embeddings": 64},
}
VISION = {
    **{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"image_size": 32, "patch_size": 8, "initializer_range": 0.02},  # BLIP would begin at 1e-10: blind
}
KINDS = ["blip", "blip-2", "git", "vision-encoder-decoder"]


def tiny_blip():
    from transformers import BlipConfig, BlipForConditionalGeneration

    special = {"bos_token_id": 5, "sep_token_id": 3, "eos_token_id": 3, "pad_token_id": 0}
    text = {**TEXT, **special, "encoder_hidden_size": 16}
    return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=VISION))


def tiny_blip2():
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    special = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    opt = {
        **TEXT,
        **special,
        "model_type": "opt",
        "vocab_size": len(WORDS) + 1,
        "ffn_dim": 32,
        "word_embed_proj_dim": 16,
    }
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={**TEXT, "encoder_hidden_size": 16},
        text_config=opt,
        num_query_tokens=4,
        image_token_index=len(WORDS),  # a place for the picture that the tokenizer has no word for
    )
    return Blip2ForConditionalGeneration(config)


def tiny_blip2_t5():
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    t5 = {
        **{"model_type": "t5", "vocab_size": len(WORDS) + 1, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2},
        **{"num_heads": 2, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "decoder_start_token_id": 0},
    }
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={**TEXT, "encoder_hidden_size": 16},
        text_config=t5,
        num_query_tokens=4,
        image_token_index=len(WORDS),
    )
    return Blip2ForConditionalGeneration(config)


def tiny_git():
    from transformers import GitConfig, GitForCausalLM

    special = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    return GitForCausalLM(GitConfig(vision_config=VISION, **TEXT, **special))


def tiny_encoder_decoder():
    from transformers import (
        BertConfig,
        BertLMHeadModel,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTModel,
    )

    decoder = BertLMHeadModel(BertConfig(**TEXT, is_decoder=True, add_cross_attention=True))
    encoder = ViTModel(ViTConfig(**VISION))
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder.config)
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 2, 3, 0
    return VisionEncoderDecoderModel(config=config, encoder=encoder, decoder=decoder)


def save_model(kind: str, folder: Path) -> Path:
    """A folder as ``save_pretrained`` leaves it, the weights in float16 to save space."""
    import torch
    from transformers import BertTokenizerFast, BlipImageProcessor, BlipProcessor

    torch.manual_seed(1)
    makers = dict(zip(KINDS, [tiny_blip, tiny_blip2, tiny_git, tiny_encoder_decoder], strict=True))
    makers["blip-2 of t5"] = tiny_blip2_t5
    model = makers[kind]()
    for weights in model.parameters():
        if weights.ndim > 1:  # at their usual size, random weights say the same of every picture
            weights.data *= 10
    model.half().save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}, bos_token="[DEC]")
    images = BlipImageProcessor(size={"height": 32, "width": 32})
    if kind == "blip":
        BlipProcessor(images, tokenizer).save_pretrained(folder)
    else:  # as older checkpoints are: two parts and no processor
        images.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def pictures(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(1)
    return [Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(n)]
