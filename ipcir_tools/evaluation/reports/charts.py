"""The drawings of the HTML report: the fusion curve and the bars of the table, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ipcir_tools.evaluation.metrics.statistics import Estimate

_WIDE, _HIGH = 720, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 84, 18, 44
_BAR = 120
_VALUE = (36.0, 14.0)
"""The room that a figure takes, wide and high."""


def curve_svg(curve: Sequence[dict[str, float]], marked: float | None) -> str:
    """Recall by the weight of the text, a line for each cut; ``marked`` is the weight that the table uses."""
    names = [name for name in curve[0] if name != "weight"]
    parts = [_grid(), _marker(marked) if marked is not None else ""]
    ends = _apart([_y(curve[-1][name]) for name in names])
    values = _values(curve, names)
    for i, (name, end, value) in enumerate(zip(names, ends, values, strict=True)):
        parts.append(_line(curve, name, i, end, value))
    said = "; ".join(f"{name} is highest, {best[name]:.1f} %, at {best['weight']:.2f}" for name, best in _bests(curve))
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="Recall by the weight of the text. '
        f'{said}.">{"".join(parts)}</svg>'
    )


def _bests(curve: Sequence[dict[str, float]]) -> list[tuple[str, dict[str, float]]]:
    """For each name the point where it is highest."""
    return [(name, max(curve, key=lambda point: point[name])) for name in curve[0] if name != "weight"]


def bar_svg(figure: Estimate, *, strong: bool) -> str:
    """A mean in percent as a bar, with its interval as a whisker."""
    mean, low, high = (_BAR * min(max(value, 0.0), 100.0) / 100 for value in (figure.mean, figure.low, figure.high))
    kind = "bar strong" if strong else "bar"
    return (
        f'<svg class="{kind}" viewBox="0 0 {_BAR} 14" width="{_BAR}" height="14" aria-hidden="true">'
        f'<rect class="track" width="{_BAR}" height="8" y="3" rx="2"/>'
        f'<rect class="mean" width="{mean:.1f}" height="8" y="3" rx="2"/>'
        f'<path class="whisker" d="M{low:.1f} 7H{high:.1f}M{low:.1f} 4.5V9.5M{high:.1f} 4.5V9.5"/></svg>'
    )


def _x(weight: float) -> float:
    return _LEFT + weight * (_WIDE - _LEFT - _RIGHT)


def _y(percent: float) -> float:
    return _TOP + (100 - percent) / 100 * (_HIGH - _TOP - _BOTTOM)


def _grid() -> str:
    rows = "".join(
        f'<path class="grid" d="M{_LEFT} {_y(p):.1f}H{_WIDE - _RIGHT}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{_y(p) + 4:.1f}" text-anchor="end">{p}</text>'
        for p in (0, 25, 50, 75, 100)
    )
    columns = "".join(
        f'<text class="tick" x="{_x(w):.1f}" y="{_HIGH - _BOTTOM + 20}" text-anchor="middle">{w:g}</text>'
        for w in (0, 0.2, 0.4, 0.6, 0.8, 1.0)
    )
    ends = (
        f'<text class="side" x="{_x(0):.1f}" y="{_HIGH - 6}" text-anchor="start">the picture alone</text>'
        f'<text class="side" x="{_x(1):.1f}" y="{_HIGH - 6}" text-anchor="end">the words alone</text>'
    )
    return rows + columns + ends


def _marker(weight: float) -> str:
    x = _x(weight)
    return (
        f'<path class="marker" d="M{x:.1f} {_TOP}V{_HIGH - _BOTTOM}"/>'
        f'<text class="side" x="{x - 6:.1f}" y="{_y(0) - 8:.1f}" text-anchor="end">used: {weight:g}</text>'
    )


def _crowded(curve: Sequence[dict[str, float]], name: str) -> bool:
    """Whether another line runs just above the highest point of this one, where its figure would stand."""
    best = max(curve, key=lambda point: point[name])
    gaps = [_y(best[name]) - _y(value) for other, value in best.items() if other not in ("weight", name)]
    return any(0 <= gap < 30 for gap in gaps)


def _values(curve: Sequence[dict[str, float]], names: Sequence[str]) -> list[tuple[float, float]]:
    """Where the figure of each line's highest point stands: above or below it, and on no other figure or name."""
    placed: list[tuple[float, float]] = []
    for name in names:
        best = max(curve, key=lambda point: point[name])
        x = min(max(_x(best["weight"]), _x(0) + _VALUE[0] / 2), _x(1) - _VALUE[0] / 2)
        y = _y(best[name])
        steps = [_VALUE[1] * step for step in range(2 * len(names) + 1)]
        above, below = [y - 9 - step for step in steps], [y + 20 + step for step in steps]
        order = [*below, *above] if _crowded(curve, name) else [*above, *below]
        placed.append(next((x, each) for each in order if _VALUE[1] / 2 < each < _y(0) and _free(x, each, placed)))
    return placed


def _free(x: float, y: float, placed: Sequence[tuple[float, float]]) -> bool:
    return all(abs(x - a) >= _VALUE[0] or abs(y - b) >= _VALUE[1] for a, b in placed)


def _line(curve: Sequence[dict[str, float]], name: str, i: int, end: float, value: tuple[float, float]) -> str:
    points = " ".join(f"{_x(point['weight']):.1f},{_y(point[name]):.1f}" for point in curve)
    best = max(curve, key=lambda point: point[name])
    x, y = _x(best["weight"]), _y(best[name])
    return (
        f'<g class="line l{i % 4}"><polyline points="{points}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        f'<text class="value" x="{value[0]:.1f}" y="{value[1]:.1f}" text-anchor="middle">{best[name]:.1f}</text>'
        f'<text class="name" x="{_WIDE - _RIGHT + 10}" y="{end + 4:.1f}">{name}</text></g>'
    )


def _apart(heights: Sequence[float], gap: float = 17.0) -> list[float]:
    """The heights of labels moved so that none covers another."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved = list(heights)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + gap)
    return moved
