"""The base class of a method of composed retrieval: the parts that it needs, its parameters, and its probe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, ValidationError

from ipcir_tools.composers.calibration import UNCALIBRATED, Calibration
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import FloatArray, Lookup, Probe, Value

Part = Literal[
    "reference",
    "modification",
    "imagined",
    "caption",
    "before",
    "captions",
    "edits",
    "add",
    "keep",
    "remove",
    "drawn",
    "network",
    "gallery_captions",
    "counterparts",
]
"""The inputs of a composer; each is described in :class:`Parts`. Two are computed from others, which must be named too:
``drawn`` of ``imagined``, and ``network`` of what the composer's own network reads.
"""

_IMAGINED: frozenset[Part] = frozenset(
    {"imagined", "caption", "before", "captions", "edits", "add", "keep", "remove", "drawn"}
)
_TEXTS: tuple[Part, ...] = ("imagined", "edits", "modification", "network")
DEFAULT_WEIGHT = 0.5
"""The weight of composers that have none of their own; they ignore it."""


@dataclass(frozen=True)
class Parts:
    """Features float32 of unit norm. Those that the composer does not need are None."""

    weight: float
    """Weight of the text in a fusion, 0 to 1."""
    calibration: Calibration = UNCALIBRATED
    """What is known of the encoder and the gallery; weights are in its units."""
    reference: FloatArray | None = None
    """``[d]``, the reference picture."""
    modification: FloatArray | None = None
    """``[d]``, the modification as it was typed."""
    imagined: FloatArray | None = None
    """``[d]``, the imagined target's description."""
    caption: FloatArray | None = None
    """``[d]``, the reference's caption."""
    before: FloatArray | None = None
    """``[d]``, the caption, completed by what the modification removes; zeros without a caption."""
    kept: float = 1.0
    """The share of the caption's words that the description still has, 0 to 1; 1 without a caption."""
    captions: FloatArray | None = None
    """``[m, d]``, the caption that the edit in the same row was imagined from; one with two edits is there twice."""
    edits: FloatArray | None = None
    """``[m, d]``, the descriptions and alternatives imagined from several captions of the reference."""
    add: FloatArray | None = None
    """``[d]``, the additions of the target as one text; zeros where there are none. So are ``keep`` and ``remove``."""
    keep: FloatArray | None = None
    remove: FloatArray | None = None
    drawn: FloatArray | None = None
    """``[p, d]``, pictures drawn of the description."""
    network: FloatArray | None = None
    """``[d]``, what the composer's trained network makes of the request."""
    gallery_captions: Lookup | None = None
    """The captions of the gallery's pictures, by id."""
    counterparts: Lookup | None = None
    """Pictures of the gallery, each together with one drawn of its caption, by id; drawn when they are looked up."""

    def need(self, part: Part) -> FloatArray:
        """The named feature; LookupError where the engine did not compute what the composer declared."""
        feature: FloatArray | None = getattr(self, part)
        if feature is None:
            raise LookupError(f"the composer was not given its part {part!r}")
        return feature

    def need_lookup(self, part: Literal["gallery_captions", "counterparts"]) -> Lookup:
        """The named lookup; LookupError as above."""
        lookup: Lookup | None = getattr(self, part)
        if lookup is None:
            raise LookupError(f"the composer was not given its part {part!r}")
        return lookup


LARGEST = 1e6
"""The largest value of any parameter, so that float32 scores stay finite."""


class Composer(Value, ABC):
    """One method. Subclasses name the parts that they need, so that nothing else is computed; fields are parameters.

    A method with a weight has a field ``weight``, the text's share, which a query may override. One that works with
    several captions has a field ``captions``, their number.
    """

    model_config = ConfigDict(allow_inf_nan=False)
    name: ClassVar[str]
    """How a query names the method."""
    needs: ClassVar[frozenset[Part]]
    """The parts that :meth:`compose` reads."""

    @abstractmethod
    def compose(self, parts: Parts) -> Probe:
        """The probe for the gallery. Its scores are finite for any features."""

    def compose_for_verification(self, parts: Parts) -> Probe:
        """The probe whose scores stand beside the likelihood of the description, where hits are verified.

        It is that of :meth:`compose`, unless the likelihood says the same as one of its terms, only better.
        """
        return self.compose(parts)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by name: numbers, and names of rules."""
        return self.model_dump()

    @property
    def spec(self) -> str:
        """The name with the parameters that are not at their defaults, for ``composer_named``: ``discount:b=0.5``."""
        changed = self.model_dump(exclude_defaults=True)
        return ":".join([self.name, *(f"{key}={value}" for key, value in changed.items())])

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The same method with other parameters. Raises InvalidRequestError that names those it has."""
        try:
            changed = type(self).model_validate({**self.parameters, **options})
            numbers = {key: value for key, value in changed.parameters.items() if not isinstance(value, str)}
            if beyond := [key for key, value in numbers.items() if abs(float(value)) > LARGEST]:
                raise InvalidRequestError(
                    f"{beyond[0]} of {self.name} is beyond {LARGEST:,.0f}, the largest value with finite scores."
                )
            return changed
        except ValidationError as error:
            fault = error.errors()[0]
            known = ", ".join(f"{key}={value}" for key, value in self.parameters.items()) or "none"
            place = ".".join(map(str, fault["loc"]))
            raise InvalidRequestError(
                f"Not valid for the composer {self.name} ({place}: {fault['msg']}): its parameters are {known}."
            ) from None

    @property
    def imagines(self) -> bool:
        """Whether a target is imagined for it."""
        return bool(_IMAGINED & self.needs)

    @property
    def mixes(self) -> bool:
        """Whether it weighs features against each other, so that its weights need the calibration."""
        return bool({"reference", "drawn"} & self.needs) and len(self.needs) > 1

    @property
    def scores_captions(self) -> bool:
        """Whether it scores pictures by their own captions, so that the gallery must have some."""
        return "gallery_captions" in self.needs

    @property
    def text(self) -> Part | None:
        """Which text a hit's text score is taken against; of several texts their mean."""
        return next((part for part in _TEXTS if part in self.needs), None)
