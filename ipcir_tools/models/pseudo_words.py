"""Pseudo words: a vector in the place of one word's token embedding, for any text tower of open_clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.text_features import encode_text

if TYPE_CHECKING:
    import threading

    import torch


PLACEHOLDER = "*"
"""The place of the pseudo word is the first one in a template. A later one is the user's own text."""

_PROBE_WORDS = (("dog", "it"), ("red", "coat"), ("blue", "man"), ("photo", "girl"))
"""Pairs of short words without a common letter, so that no tokenizer cuts both and keeps a piece of both."""

Tokenizer = Callable[[list[str]], "torch.Tensor"]


@dataclass(frozen=True)
class _Sentences:
    """Tokens ``[n, length]`` int64 and the position of the pseudo word in each row ``[n]``."""

    tokens: torch.Tensor
    places: torch.Tensor


class PseudoWords:
    """Text features of sentences in which a vector replaces one word.

    ``dim`` is the width of the vectors, ``std`` the spread of the vocabulary's own, ``scale`` the factor by which the
    model multiplies cosines before the softmax. Raises InvalidRequestError for a tower without a token embedding.
    """

    def __init__(self, model: Any, tokenizer: Tokenizer, device: str, lock: threading.RLock) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._lock = lock
        self._table = _token_embedding(model, tokenizer, device)
        self.device = device
        self.dim = int(self._table.embedding_dim)
        self.std = float(self._table.weight.detach().float().std())
        self.scale = float(model.logit_scale.detach().float().exp().mean())

    def features(self, templates: Sequence[str], words: torch.Tensor) -> torch.Tensor:
        """Features ``[n, d]`` float32 of any norm; ``words`` is ``[n, dim]``, one for each of ``templates``.

        Gradients reach ``words`` where they require them. Raises InvalidRequestError for a template whose
        placeholder is missing, or is beyond the end of the model's context.
        """
        sentences = tokenize_templates(self._tokenizer, templates, self.device)
        with self._lock, _WordsInPlace(self._table, sentences, words):
            return encode_text(self._model, sentences.tokens).float()


# ---- where the word goes -----------------------------------------------------------------------------
def tokenize_templates(tokenizer: Tokenizer, templates: Sequence[str], device: str) -> _Sentences:
    """The position of the placeholder is where the tokens of two sentences with different words for it differ.

    This works for every tokenizer, also for one that drops punctuation, and for any sentence.
    """
    _check_placeholders(templates)
    for one, other in _PROBE_WORDS:
        tokens, others = (tokenizer([each.replace(PLACEHOLDER, w, 1) for each in templates]) for w in (one, other))
        different = tokens != others
        lost = (different.sum(dim=1) != 1).tolist()
        if not any(lost):
            return _Sentences(tokens.to(device), different.int().argmax(dim=1).to(device))
    raise InvalidRequestError(
        f"The tokenizer loses the {PLACEHOLDER} of {templates[lost.index(True)]!r}: "
        "put spaces around it, and nearer to the beginning."
    )


def _check_placeholders(templates: Sequence[str]) -> None:
    for each in templates:
        if PLACEHOLDER not in each:
            raise InvalidRequestError(f"The template {each!r} has no {PLACEHOLDER} for the pseudo word.")


def _token_embedding(model: Any, tokenizer: Tokenizer, device: str) -> Any:
    """The embedding that looks up a text's tokens: open_clip's classes have it under different names."""
    import torch

    tokens, used = tokenizer(["a"]).to(device), list[Any]()

    def note(module: torch.nn.Module, given: tuple[Any, ...]) -> None:
        if given and given[0].shape == tokens.shape and torch.equal(given[0], tokens):
            used.append(module)

    tables = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    hooks = [table.register_forward_pre_hook(note) for table in tables]
    try:
        with torch.inference_mode():
            model.encode_text(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    if not used:
        raise InvalidRequestError(f"A text tower of {type(model).__name__} has no token embedding to put a word into.")
    return used[0]


# ---- encoding ----------------------------------------------------------------------------------------
class _WordsInPlace:
    """A context in which the embedding gives ``words`` at their positions."""

    def __init__(self, table: Any, sentences: _Sentences, words: torch.Tensor) -> None:
        self._table, self._sentences, self._words = table, sentences, words

    def __enter__(self) -> None:
        self._hook = self._table.register_forward_hook(self._with_words)

    def __exit__(self, *exception: object) -> None:
        self._hook.remove()

    def _with_words(self, module: torch.nn.Module, given: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        import torch

        columns = torch.arange(output.shape[1], device=output.device)
        there = columns[None, :, None] == self._sentences.places[:, None, None]
        return torch.where(there, self._words[:, None].to(output.device, output.dtype), output)
