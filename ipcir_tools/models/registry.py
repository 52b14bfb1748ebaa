"""The registry's mechanism: providers of one kind of model, own ones and those of other packages' entry points.

The providers themselves are in ``loading.py``.
"""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError, IPCIRError, ModelUnavailableError
from ipcir_tools.settings import Settings
from ipcir_tools.text import error_sentence

if TYPE_CHECKING:
    from ipcir_tools.models.downloads import Requirements


OWN = "ipcir-tools"
"""The name of this distribution."""
PYTHON = "python"


@dataclass(frozen=True)
class Provider:
    """A source of models of one kind."""

    factory: str
    """``module:attribute``, imported when a model of the provider is first loaded."""
    forms: tuple[str, ...]
    """How its names are written, for messages."""
    example: str = ""
    packages: tuple[str, ...] = ()
    """The packages that it imports."""
    pattern: str = ".*"
    """What may follow the provider's colon, as a regular expression."""
    distribution: str = OWN

    def load_factory(self) -> Any:
        """The factory itself."""
        return import_attribute(self.factory)

    def missing_packages(self) -> tuple[str, ...]:
        """The packages that are not installed; nothing is imported."""
        return tuple(package for package in self.packages if find_spec(package) is None)


@dataclass(frozen=True)
class ModelKind:
    """The providers of encoders, of captioners, of image generators or of chat models."""

    title: str
    group: str
    """The entry-point group through which other packages add providers."""
    interface: str
    """The class of the models, as ``module:attribute``."""
    own: dict[str, Provider]
    fallback: Provider | None = None
    """The provider of names with no known provider before the colon."""

    def providers(self) -> dict[str, Provider]:
        """All providers by name. Another package cannot replace one of this package."""
        found = {entry.name: _from_entry_point(entry) for entry in _entry_points(self.group, tuple(sys.path))}
        return self.own | {name: provider for name, provider in found.items() if name not in self.own}

    def find(self, name: str) -> tuple[Provider, str]:
        """The provider of a name, and the rest of the name. Raises InvalidRequestError, which lists what there is."""
        prefix, _, rest = name.partition(":")
        if prefix == PYTHON and all(rest.partition(":")):
            return Provider(rest, (name,), distribution=""), rest
        providers = self.providers()
        if prefix not in providers and self.fallback is not None and name.strip():
            return self.fallback, name
        if prefix not in providers or not re.fullmatch(providers[prefix].pattern, rest, re.DOTALL):
            raise InvalidRequestError(f"{name!r} names no {self.title}: use {self.forms()}.")
        return providers[prefix], rest

    def forms(self) -> str:
        """How names are written, for messages."""
        forms = [form for provider in self.providers().values() for form in provider.forms]
        return f"{', '.join(forms)} or {PYTHON}:MODULE:NAME"

    def identity(self, name: str, settings: Settings) -> str:
        """The identity of a model, without loading it."""
        provider, rest = self.find(name)
        if not provider.distribution:
            return name
        identify = getattr(provider.load_factory(), "identify", None)
        return identify(rest, settings) if identify else name

    def requirements(self, name: str, settings: Settings) -> Requirements | None:
        """What a model needs of the hub, without loading it; None: nothing, or nothing that is known ahead.

        Raises InvalidRequestError for a name that can never work, and ModelUnavailableError.
        """
        provider, rest = self.find(name)
        describe = getattr(provider.load_factory(), "requirements", None) if provider.distribution else None
        found: Requirements | None = describe(rest, settings) if describe else None
        return found

    def load(self, name: str, settings: Settings) -> Any:
        """The model of that name.

        Raises InvalidRequestError for a name that can never work, and ModelUnavailableError.
        """
        provider, rest = self.find(name)
        if provider.distribution == OWN:
            return provider.load_factory()(rest, settings)
        try:
            factory = provider.load_factory()
            model = factory(rest, settings) if provider.distribution else factory()
        except IPCIRError:
            raise
        except Exception as error:  # code of another package may raise anything; all of it means: no model
            raise ModelUnavailableError(
                f"Cannot load the {self.title} {name}: {error_sentence(error)} Choose another {self.title}."
            ) from error
        interface = import_attribute(self.interface)
        if not isinstance(model, interface):
            article = "an" if interface.__name__[0] in "AEIOU" else "a"
            raise ModelUnavailableError(
                f"{name} gives a {type(model).__name__}, not {article} {interface.__name__} of {interface.__module__}."
            )
        return model


def import_attribute(path: str) -> Any:
    """The object that ``module:attribute`` names."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


@lru_cache(maxsize=16)
def _entry_points(group: str, path: tuple[str, ...]) -> metadata.EntryPoints:
    """The entry points of a group on ``sys.path``, read once: every search asks for the provider of its encoder."""
    return metadata.entry_points(group=group)


def _from_entry_point(entry: metadata.EntryPoint) -> Provider:
    package = entry.module.partition(".")[0]
    distribution = entry.dist.name if entry.dist else package
    return Provider(entry.value, (entry.name,), entry.name, (package,), distribution=distribution)
