"""Methods of composed retrieval, one a file, by name.

A new method is a subclass of :class:`Composer` (of :class:`TrainedComposer` where it needs a trained network) in a file
of its own and one line in :data:`COMPOSERS`. Another package names its class in the entry-point group
``ipcir_tools.composers``; a program calls ``COMPOSERS.register(Class)``.
"""

from __future__ import annotations

from ipcir_tools.composers.adast import AdaST
from ipcir_tools.composers.aligned import Aligned
from ipcir_tools.composers.baselines import Imagined, ImaginedReference, ModificationOnly, ReferenceOnly, Sum
from ipcir_tools.composers.caption_fusion import CaptionFusion
from ipcir_tools.composers.composer import Composer, Part, Parts
from ipcir_tools.composers.discount import Discount
from ipcir_tools.composers.edit import Edit
from ipcir_tools.composers.ensemble import Ensemble
from ipcir_tools.composers.paracosm import Paracosm
from ipcir_tools.composers.pic2word import Pic2Word
from ipcir_tools.composers.proxy_image import ProxyImage
from ipcir_tools.composers.registry import ComposerRegistry, parse_options
from ipcir_tools.composers.searle import Searle
from ipcir_tools.composers.semantic_delta import SemanticDelta
from ipcir_tools.composers.signed import Signed
from ipcir_tools.composers.trained import PseudoWordComposer, TrainedComposer
from ipcir_tools.errors import InvalidRequestError

COMPOSERS = ComposerRegistry(
    ModificationOnly,
    ReferenceOnly,
    Sum,
    Imagined,
    ImaginedReference,
    Edit,
    ProxyImage,
    Ensemble,
    SemanticDelta,
    Discount,
    Signed,
    AdaST,
    CaptionFusion,
    Paracosm,
    Pic2Word,
    Searle,
    Aligned,
)
"""Every composer by its name: the IP-CIR paper's ablation in its order, the default, other methods, trained ones."""

ABLATION: tuple[str, ...] = tuple(
    each.name for each in (ModificationOnly, ReferenceOnly, Sum, Imagined, ImaginedReference)
)
"""The rows of the IP-CIR paper's ablation; they need no more than an encoder and a captioner."""


def composer_named(spec: str) -> Composer:
    """The composer of that name, with parameters of its own where they are given: ``discount:weight=0.8:b=0.5``.

    The colons need no quotes in a shell and leave the comma to lists of composers. Raises InvalidRequestError, which
    lists the names there are, or the parameters that the composer has.
    """
    name = spec.partition(":")[0]
    if name not in COMPOSERS:
        raise InvalidRequestError(f"no composer is called {name!r}; there are: {', '.join(COMPOSERS)}")
    options = parse_options(spec)
    return COMPOSERS[name].with_options(options) if options else COMPOSERS[name]


def trained_composer(name: str) -> TrainedComposer:
    """The composer of that name. Raises InvalidRequestError where it needs no trained network, or there is none."""
    composer = composer_named(name)
    if isinstance(composer, TrainedComposer):
        return composer
    trained = [name for name, each in COMPOSERS.items() if isinstance(each, TrainedComposer)]
    raise InvalidRequestError(f"The composer {name!r} needs no trained network; those that do: {', '.join(trained)}")


__all__ = [
    "ABLATION",
    "COMPOSERS",
    "Composer",
    "Part",
    "Parts",
    "PseudoWordComposer",
    "TrainedComposer",
    "composer_named",
    "trained_composer",
]
