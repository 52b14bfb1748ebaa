"""What a method of composed retrieval is: the parts that it needs, and how it makes a probe of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from ipcir_tools.types import FloatArray, Probe

Part = Literal["reference", "modification", "imagined"]
"""The reference picture's feature, the modification's text feature, the imagined target's text feature."""


@dataclass(frozen=True)
class Parts:
    """Features ``[d]`` float32 of unit norm. Those that the composer does not need are None."""

    weight: float
    """Weight of the text in a fusion, 0 to 1."""
    reference: FloatArray | None = None
    modification: FloatArray | None = None
    imagined: FloatArray | None = None

    def need(self, part: Part) -> FloatArray:
        """The named feature; LookupError where the engine did not compute what the composer declared."""
        feature: FloatArray | None = getattr(self, part)
        if feature is None:
            raise LookupError(f"the composer was not given its part {part!r}")
        return feature


class Composer(ABC):
    """One method. Subclasses say what they need, so that nothing else is computed."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Part]]
    weight: ClassVar[float] = 0.5
    """The weight that is used where the user names none."""

    @abstractmethod
    def compose(self, parts: Parts) -> Probe:
        """The probe for the gallery."""

    @property
    def text(self) -> Part | None:
        """Which text a hit's text score is taken against."""
        return next((part for part in ("imagined", "modification") if part in self.needs), None)
