"""The tokenizer that both small models share: a lower-case WordPiece over the wardrobe's own texts."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable
from pathlib import Path

SPECIAL = PAD, UNK, BEGIN, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
"""The ids are the positions in this tuple."""
VOCABULARY = 1200


def write_tokenizer(texts: Iterable[str], folder: Path) -> None:
    """Learn the word pieces of ``texts`` and write ``tokenizer.json`` and its configuration into ``folder``.

    Every two letters are a word of the training texts, so that words from outside the wardrobe have word pieces too.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=UNK))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    words = pre_tokenizers.Split(Regex(r"[\w-]+|[^\w\s]"), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=list(string.printable.strip()),
        show_progress=False,
    )
    letters = " ".join(a + b for a in string.ascii_lowercase for b in string.ascii_lowercase)
    tokenizer.train_from_iterator([*texts, letters], trainer)
    tokenizer.post_processor = processors.BertProcessing((END, SPECIAL.index(END)), (BEGIN, SPECIAL.index(BEGIN)))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "unk_token": UNK,
        "cls_token": BEGIN,
        "sep_token": END,
        "bos_token": BEGIN,
        "eos_token": END,
        "model_max_length": 64,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
