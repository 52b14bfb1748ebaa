"""Methods of composed retrieval, one class each, by name."""

from __future__ import annotations

from functools import lru_cache

from ipcir_tools.composers.adast import Ast
from ipcir_tools.composers.aligned import Aligned
from ipcir_tools.composers.baselines import Imagined, ImaginedReference, ModificationOnly, ReferenceOnly, Sum
from ipcir_tools.composers.composer import Composer, Part, Parts
from ipcir_tools.composers.discount import Discount
from ipcir_tools.composers.ensemble import Ensemble
from ipcir_tools.composers.pic2word import Pic2Word
from ipcir_tools.composers.proxy_image import ProxyImage
from ipcir_tools.composers.searle import Searle
from ipcir_tools.composers.semantic_delta import SemanticDelta
from ipcir_tools.composers.signed import Signed
from ipcir_tools.errors import InvalidRequestError

_SEED: tuple[Composer, ...] = (ModificationOnly(), ReferenceOnly(), Sum(), Imagined(), ImaginedReference())
_FIELD: tuple[Composer, ...] = (ProxyImage(), Ensemble(), SemanticDelta(), Discount(), Signed(), Ast())
_TRAINED: tuple[Composer, ...] = (Pic2Word(), Searle(), Aligned())

COMPOSERS: dict[str, Composer] = {composer.name: composer for composer in (*_SEED, *_FIELD, *_TRAINED)}
"""Every composer by its name: the seed paper's ablation in its order, the field's other methods, the trained ones."""

ABLATION: tuple[str, ...] = tuple(composer.name for composer in _SEED)
"""The rows of the seed paper's ablation; they need no more than an encoder and a captioner."""


@lru_cache(maxsize=256)
def composer_named(spec: str) -> Composer:
    """The composer of that name, with parameters of its own where they are spelled: ``discount:weight=0.8:b=0.5``.

    The colons need no quotes in a shell and leave the comma to lists of composers. Raises InvalidRequestError, which
    lists the names there are, or the parameters that the composer has.
    """
    name, *options = spec.split(":")
    if name not in COMPOSERS:
        raise InvalidRequestError(f"no composer is called {name!r}; there are: {', '.join(COMPOSERS)}")
    pairs = [_pair(each, spec) for each in options]
    if len(dict(pairs)) < len(pairs):
        raise InvalidRequestError(f"{spec!r} sets a parameter twice: say once what it is.")
    return COMPOSERS[name].with_options(dict(pairs)) if pairs else COMPOSERS[name]


def _pair(option: str, spec: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals:
        raise InvalidRequestError(
            f"{option!r} in {spec!r} sets nothing: write name:parameter=value, as discount:b=0.5."
        )
    return key.strip(), value.strip()


__all__ = ["ABLATION", "COMPOSERS", "Composer", "Part", "Parts", "composer_named"]
