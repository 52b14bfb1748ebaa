"""From body coordinates to pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ipcir_tools.demo.cloth import Point, Polygon


@dataclass(frozen=True)
class View:
    """Maps body coordinates to pixels: scale, turn, move."""

    scale: float
    angle: float
    x: float
    y: float
    middle: float

    def point(self, p: Point) -> Point:
        """One point in pixels."""
        x, y = p[0] * self.scale, (p[1] - self.middle) * self.scale
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + x * cos - y * sin, self.y + x * sin + y * cos

    def points(self, polygon: Polygon) -> list[Point]:
        """A polygon in pixels."""
        return [self.point(p) for p in polygon]
