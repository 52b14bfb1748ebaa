"""Methods of composed retrieval, one class each, by name."""

from __future__ import annotations

from ipcir_tools.composers.composer import Composer, Part, Parts
from ipcir_tools.composers.fused import ImaginedReference, Sum
from ipcir_tools.composers.single import Imagined, ModificationOnly, ReferenceOnly
from ipcir_tools.errors import InvalidRequest

COMPOSERS: dict[str, Composer] = {
    composer.name: composer
    for composer in (ModificationOnly(), ReferenceOnly(), Sum(), Imagined(), ImaginedReference())
}
"""Every composer by its name, in the order of the seed paper's ablation."""


def composer_named(name: str) -> Composer:
    """The composer of that name; InvalidRequest lists the names there are."""
    try:
        return COMPOSERS[name]
    except KeyError:
        raise InvalidRequest(f"no composer is called {name!r}; there are: {', '.join(COMPOSERS)}") from None


__all__ = ["COMPOSERS", "Composer", "Part", "Parts", "composer_named"]
