"""The tokens of CLIP's own vocabulary, without open_clip, whose import takes seconds."""

from __future__ import annotations

import gzip
import html
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
"""open_clip's file of merges: the pairs of pieces that become one, the most frequent first."""
_MERGES = 49152 - 256 - 2
_START, _END = "<start_of_text>", "<end_of_text>"


class ClipTokens:
    """Texts to numbers of the vocabulary, as open_clip's ``SimpleTokenizer`` makes them; a test compares the two."""

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        spec = find_spec("open_clip")
        folder = Path(spec.origin).parent if spec and spec.origin else Path()
        lines = gzip.decompress((folder / VOCABULARY).read_bytes()).decode("utf-8").split("\n")
        pairs = (line.split() for line in lines[1 : _MERGES + 1])
        return {(first, second): rank for rank, (first, second) in enumerate(pairs)}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        letters = list(_letters().values())
        merged = [first + second for first, second in self._ranks]
        pieces = [*letters, *(f"{letter}</w>" for letter in letters), *merged, _START, _END]
        return {piece: number for number, piece in enumerate(pieces)}

    def encode(self, text: str, length: int) -> list[int]:
        """The tokens of a text between those of its start and its end, at most ``length`` in all."""
        import regex

        words = regex.findall(
            rf"{_START}|{_END}|'s|'t|'re|'ve|'m|'ll|'d|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}]+", _clean(text)
        )
        numbers = [self._numbers[_START], *(number for word in words for number in self._word(word))]
        return [*numbers[: length - 1], self._numbers[_END]]

    def _word(self, word: str) -> list[int]:
        if word in (_START, _END):
            return [self._numbers[word]]
        pieces = [_letters()[byte] for byte in word.encode()]
        pieces[-1] += "</w>"
        while len(pieces) > 1:
            pairs = [pair for pair in pairwise(pieces) if pair in self._ranks]
            if not pairs:
                break
            pieces = _merge(pieces, min(pairs, key=self._ranks.__getitem__))
        return [self._numbers[piece] for piece in pieces]


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """``pieces`` with each pair of neighbours that is ``pair`` made one, from the left."""
    merged: list[str] = []
    after = iter(range(len(pieces)))
    for i in after:
        if tuple(pieces[i : i + 2]) == pair:
            merged.append(pieces[i] + pieces[i + 1])
            next(after, None)
        else:
            merged.append(pieces[i])
    return merged


@lru_cache(maxsize=1)
def _letters() -> dict[int, str]:
    """A visible letter for each byte: its own where it has one, in the order of the vocabulary."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


def _clean(text: str) -> str:
    import ftfy

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()
