"""What is known of an encoder on a gallery: the units of a composer's weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ipcir_tools.types import FloatArray, Probe


@dataclass(frozen=True, eq=False)
class Calibration:
    """Measured on a sample of a gallery's pictures and of texts that describe such pictures.

    In published CLIPs the cosines of two pictures spread several times as wide as those of a text with pictures, so
    that one fixed weight means another thing for each encoder. In units of these spreads it means the same for all.
    """

    image_spread: float = 1.0
    """Mean standard deviation of the cosines of one picture with the sample."""
    text_spread: float = 1.0
    """Mean standard deviation of the cosines of one text with the sample."""
    heard: float = 0.0
    """How well the encoder understands a modification, -1 to 1: the mean correlation, over the sample, of its cosines
    with those of the imagined target."""
    sample: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """``[n, d]`` float32 of unit norm, features of pictures of the gallery; none where it was not measured."""
    source: str = "not measured"
    """Which texts it was measured with."""

    @property
    def image_scale(self) -> float:
        """The factor that gives a picture's cosines the spread of a text's."""
        return self.text_spread / self.image_spread if self.image_spread > 1e-9 else 1.0

    def spread(self, probe: Probe) -> float:
        """The standard deviation of a probe's scores over the sample; 1 where there is none, or all are equal."""
        spread = float(np.std(probe.score(self.sample))) if len(self.sample) > 1 else 0.0
        return spread if spread > 1e-9 else 1.0


UNCALIBRATED = Calibration()
"""Pictures and texts are taken to spread alike, and nothing is known of how modifications are understood."""
