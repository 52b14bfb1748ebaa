"""What a method of composed retrieval is: the parts that it needs, its parameters, and how it makes a probe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, ValidationError

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import FloatArray, Probe, Value

Part = Literal[
    "reference",
    "modification",
    "imagined",
    "caption",
    "captions",
    "edits",
    "add",
    "keep",
    "remove",
    "drawn",
    "network",
]
"""What a composer may need; each is described in :class:`Parts`. Two are made of others, which must be named as well:
``drawn`` of ``imagined``, and ``network`` of what the composer's own network reads.
"""

_IMAGINED: frozenset[Part] = frozenset({"imagined", "caption", "captions", "edits", "add", "keep", "remove", "drawn"})
_TEXTS: tuple[Part, ...] = ("imagined", "edits", "modification", "network")
DEFAULT_WEIGHT = 0.5
"""The weight of composers that have none of their own; they do not look at it."""


@dataclass(frozen=True)
class Parts:
    """Features float32 of unit norm. Those that the composer does not need are None."""

    weight: float
    """Weight of the text in a fusion, 0 to 1."""
    reference: FloatArray | None = None
    """``[d]``, the reference picture."""
    modification: FloatArray | None = None
    """``[d]``, the modification as it was typed."""
    imagined: FloatArray | None = None
    """``[d]``, the imagined target's description."""
    caption: FloatArray | None = None
    """``[d]``, the reference's caption."""
    captions: FloatArray | None = None
    """``[m, d]``, row for row the caption that an edit was imagined from; a caption with two edits stands twice."""
    edits: FloatArray | None = None
    """``[m, d]``, the descriptions and alternatives imagined from several captions of the reference."""
    add: FloatArray | None = None
    """``[d]``, what the target shows anew, as one text; zeros where that is nothing. So are ``keep`` and ``remove``."""
    keep: FloatArray | None = None
    remove: FloatArray | None = None
    drawn: FloatArray | None = None
    """``[p, d]``, pictures drawn of the description."""
    network: FloatArray | None = None
    """``[d]``, what the composer's trained network makes of the request."""

    def need(self, part: Part) -> FloatArray:
        """The named feature; LookupError where the engine did not compute what the composer declared."""
        feature: FloatArray | None = getattr(self, part)
        if feature is None:
            raise LookupError(f"the composer was not given its part {part!r}")
        return feature


LARGEST = 1e6
"""Of any parameter: float32 scores must stay finite."""


class Composer(Value, ABC):
    """One method. Subclasses say what they need, so that nothing else is computed; their fields are parameters.

    A method with a weight has a field ``weight``, the text's share, for which a query may name another. One that works
    with several captions has a field ``captions``: how many.
    """

    model_config = ConfigDict(allow_inf_nan=False)
    name: ClassVar[str]
    needs: ClassVar[frozenset[Part]]

    @abstractmethod
    def compose(self, parts: Parts) -> Probe:
        """The probe for the gallery. All that it scores is finite, whatever the features are."""

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by name, as they are set."""
        return self.model_dump()

    @property
    def spec(self) -> str:
        """The name with every parameter that is not at its default: ``discount:b=0.5``. ``composer_named`` reads it."""
        changed = self.model_dump(exclude_defaults=True)
        return ":".join([self.name, *(f"{key}={value}" for key, value in changed.items())])

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The same method with other parameters. Raises InvalidRequestError that names those it has."""
        try:
            made = type(self).model_validate({**self.parameters, **options})
            if beyond := [key for key, value in made.parameters.items() if abs(float(value)) > LARGEST]:
                raise InvalidRequestError(
                    f"{beyond[0]} of {self.name} is beyond {LARGEST:,.0f}: no score can be told then."
                )
            return made
        except ValidationError as error:
            fault = error.errors()[0]
            known = ", ".join(f"{key}={value}" for key, value in self.parameters.items()) or "none"
            place = ".".join(map(str, fault["loc"]))
            raise InvalidRequestError(
                f"The composer {self.name} cannot be set so ({place}: {fault['msg']}): its parameters are {known}."
            ) from None

    @property
    def imagines(self) -> bool:
        """Whether a target is imagined for it."""
        return bool(_IMAGINED & self.needs)

    @property
    def text(self) -> Part | None:
        """Which text a hit's text score is taken against; of several texts their mean."""
        return next((part for part in _TEXTS if part in self.needs), None)
