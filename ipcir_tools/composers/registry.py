"""The composers by name: those of this package, those of others, and those that a program registers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points

from ipcir_tools.composers.composer import Composer
from ipcir_tools.errors import InvalidRequestError

ENTRY_POINTS = "ipcir_tools.composers"
"""The entry-point group in which another package names its composers, each as ``module:Class``."""


class ComposerRegistry(Mapping[str, Composer]):
    """Composers by name, in the order in which they were registered.

    The entry points of other packages are loaded when a name is not among the composers of this package, or when all
    are listed. One that cannot be loaded is left out with a warning.
    """

    def __init__(self, *composers: type[Composer]) -> None:
        self._composers = {each.name: each() for each in composers}
        self._complete = False

    def register(self, composer: type[Composer]) -> None:
        """Add a composer, with its default parameters. Raises InvalidRequestError for a name that is taken."""
        known = self._composers.get(composer.name)
        if known is not None and type(known) is not composer:
            raise InvalidRequestError(f"There is a composer {composer.name!r} already: choose another name.")
        if not composer.name or set(composer.name) & set(":,"):
            raise InvalidRequestError(f"{composer.name!r} is no name for a composer: leave colons and commas out.")
        self._composers[composer.name] = composer()

    def __getitem__(self, name: str) -> Composer:
        if name not in self._composers:
            self._load_entry_points()
        return self._composers[name]

    def __iter__(self) -> Iterator[str]:
        self._load_entry_points()
        return iter(tuple(self._composers))

    def __len__(self) -> int:
        self._load_entry_points()
        return len(self._composers)

    def _load_entry_points(self) -> None:
        if self._complete:
            return
        self._complete = True
        for entry in entry_points(group=ENTRY_POINTS):
            try:
                self.register(entry.load())
            except (ImportError, AttributeError, TypeError, InvalidRequestError) as error:
                warnings.warn(f"The composer {entry.value} is left out: {error}", stacklevel=2)


def parse_options(spec: str) -> dict[str, str]:
    """The parameters in ``discount:weight=0.8:b=0.5``. Raises InvalidRequestError for a malformed one."""
    pairs = [_parse_option(option, spec) for option in spec.split(":")[1:]]
    if len(dict(pairs)) < len(pairs):
        raise InvalidRequestError(f"{spec!r} sets a parameter twice: set each one once.")
    return dict(pairs)


def _parse_option(option: str, spec: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals:
        raise InvalidRequestError(
            f"{option!r} in {spec!r} sets nothing: write name:parameter=value, as discount:b=0.5."
        )
    return key.strip(), value.strip()
