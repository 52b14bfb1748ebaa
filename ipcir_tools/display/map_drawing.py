"""The gallery's map for a notebook: pictures that look alike lie together; a turn's reference and hits stand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ipcir_tools.display.drawing import Drawing, styled
from ipcir_tools.display.notebook import picture_uri
from ipcir_tools.engine.gallery_map import GalleryMap, MapPoint, gallery_map
from ipcir_tools.types import Turn

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


MOST_PICTURES = 600
"""Pictures that are drawn as such; of a larger gallery only the typical ones of each group, and the others as dots."""
_WIDTH, _HEIGHT = 860, 560
_FILLED = 0.42
"""The share of the map that the pictures may fill."""
_SMALLEST, _LARGEST = 18, 40
_ROUNDS = 120
"""In which pictures that lie on each other are pushed apart."""
_HUES = (150, 30, 222, 285, 350, 190, 60, 255, 110, 320)
"""Of the groups, in degrees."""


def draw_map(engine: Engine, turn: Turn | None = None) -> Drawing:
    """The gallery as a map. Of ``turn`` the reference and the hits, with their ranks, stand out from the rest."""
    drawn = gallery_map(engine)
    if not drawn.points:
        return Drawing(styled(Markup("<div>fewer than three pictures: no map</div>")), "no map")
    marks = _marks(turn) if turn else {}
    typical = {id_ for group in drawn.groups for id_ in group.typical}
    shown = [point.id in marks or len(drawn.points) <= MOST_PICTURES or point.id in typical for point in drawn.points]
    sources = {id_: record.source for id_, record in engine.catalog.records(_chosen(drawn, shown)).items()}
    sides = _sides(drawn, shown, marks)
    places = apart(np.array([(point.x * _WIDTH, point.y * _HEIGHT) for point in drawn.points]), sides)
    tiles = [
        _Tile(point, sources.get(point.id, ""), marks.get(point.id, ""), float(x), float(y), float(side))
        for point, (x, y), side in zip(drawn.points, places, sides, strict=True)
    ]
    tiles.sort(key=lambda tile: (bool(tile.mark), bool(tile.source)))
    label = f"A map of {drawn.gallery:,} pictures: those that look alike lie together."
    body = Markup().join([*(tile.drawn(dim=bool(marks)) for tile in tiles), *(tile.label() for tile in tiles)])
    low, high = places.min(axis=0) - _LARGEST, places.max(axis=0) + _LARGEST
    svg = Markup("<svg viewBox='{:.0f} {:.0f} {:.0f} {:.0f}' role='img' aria-label='{}'>{}</svg>").format(
        *low, *(high - low), label, body
    )
    return Drawing(styled(svg, _legend(drawn)), label)


def _marks(turn: Turn) -> dict[str, str]:
    """What stands at the pictures of a turn, by their ids."""
    return {hit.id: str(hit.rank) for hit in turn.hits} | {each.id: "reference" for each in turn.query.references}


def _chosen(drawn: GalleryMap, shown: Sequence[bool]) -> list[str]:
    return [point.id for point, is_shown in zip(drawn.points, shown, strict=True) if is_shown]


def _sides(drawn: GalleryMap, shown: Sequence[bool], marks: Mapping[str, str]) -> NDArray[np.float64]:
    """The side ``[m]`` of each point's picture in units of the map; dots are small."""
    usual = min(_LARGEST, max(_SMALLEST, (_FILLED * _WIDTH * _HEIGHT / max(1, sum(shown))) ** 0.5))
    return np.array(
        [
            1.5 * usual if point.id in marks else usual if is_shown else 6.0
            for point, is_shown in zip(drawn.points, shown, strict=True)
        ]
    )


def apart(places: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places ``[m, 2]`` of squares with ``sides`` ``[m]``, moved a little so that few of them lie on each other."""
    if len(places) > MOST_PICTURES:
        return places
    places = places + np.random.default_rng(0).normal(0, 1, places.shape)  # equal places have no side to move to
    needed = (sides[:, None] + sides[None]) / 2 + 2
    np.fill_diagonal(needed, 0)
    for _ in range(_ROUNDS):
        steps = places[:, None] - places[None]
        lacking = np.maximum(needed[..., None] - np.abs(steps), 0)
        overlap = lacking.min(axis=2)  # squares lie on each other where they do in both directions
        shorter = lacking.argmin(axis=2)[..., None] == np.arange(2)
        moves = np.where(shorter, np.where(steps >= 0, 1, -1) * overlap[..., None], 0.0)
        places += 0.25 * moves.sum(axis=1) / np.maximum((overlap > 0).sum(axis=1), 1)[:, None] * 2
        if overlap.max() < 1:
            break
    return places


@dataclass(frozen=True)
class _Tile:
    """A point as it is drawn: its picture's file (empty: a dot), its mark (mostly empty), its middle and its side."""

    point: MapPoint
    source: str
    mark: str
    x: float
    y: float
    side: float

    def drawn(self, *, dim: bool) -> Markup:
        """The picture in a frame of its group's colour, or a dot."""
        uri = picture_uri(self.source, round(2 * self.side)) if self.source else ""
        faded = Markup(" opacity='.25'") if dim and not self.mark else Markup()
        colour = "var(--mark)" if self.mark else _colour(self.point.group)
        if not uri:
            dot = Markup("<circle cx='{:.1f}' cy='{:.1f}' r='3' style='fill:{}'{}/>")
            return dot.format(self.x, self.y, colour, faded)
        place = Markup("x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}'").format(
            self.x - self.side / 2, self.y - self.side / 2, self.side, self.side
        )
        frame = Markup("<rect {} fill='none' style='stroke:{}' stroke-width='{}' rx='3'/>")
        picture = Markup("<image {} href='{}' preserveAspectRatio='xMidYMid slice'/>").format(place, uri)
        return Markup("<g{}>{}{}</g>").format(faded, picture, frame.format(place, colour, 4 if self.mark else 2))

    def label(self) -> Markup:
        """The mark above the picture, with an outline in the theme's colour, so that it can be read over another."""
        if not self.mark:
            return Markup()
        style = "font-weight:700;paint-order:stroke;stroke:var(--ring);stroke-width:5px;stroke-linejoin:round"
        text = Markup("<text x='{:.1f}' y='{:.1f}' text-anchor='middle' style='{}'>{}</text>")
        return text.format(self.x, self.y - self.side / 2 + 4, style, self.mark)


def _colour(group: int) -> str:
    return f"hsl({_HUES[group % len(_HUES)]},48%,50%)"


def _legend(drawn: GalleryMap) -> Markup:
    """The groups: their colours, names and sizes."""
    names = [
        Markup("<span class='chip' style='border-color:{}'>{} <span class='faint'>{:,}</span></span>").format(
            _colour(i), group.name or f"group {i + 1}", group.pictures
        )
        for i, group in enumerate(drawn.groups)
    ]
    return Markup("<div class='chips' style='margin-top:8px'>{}</div>").format(Markup().join(names))
