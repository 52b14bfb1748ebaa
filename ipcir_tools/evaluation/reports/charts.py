"""The charts of the HTML reports as inline SVG: the fusion curve, and the bars of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from ipcir_tools.evaluation.metrics.statistics import Estimate
from ipcir_tools.evaluation.reports.report import Round

Point = dict[str, float]
"""A ``weight``, and the percentages at it by the name of the measure."""

_WIDTH, _HEIGHT = 720, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 84, 18, 44
_NAME_WIDTH = 170
"""The space at the right for the names of composers."""
_BAR = 120
_LABEL_WIDTH, _LABEL_HEIGHT = 36.0, 14.0
"""The space that the label of a figure takes."""


def bar_svg(estimate: Estimate, *, strong: bool) -> Markup:
    """A mean in percent as a bar, with its interval as a whisker."""
    means = (estimate.mean, estimate.low, estimate.high)
    mean, low, high = (_BAR * min(max(value, 0.0), 100.0) / 100 for value in means)
    return Markup(
        '<svg class="{kind}" viewBox="0 0 {bar} 14" width="{bar}" height="14" aria-hidden="true">'
        '<rect class="track" width="{bar}" height="8" y="3" rx="2"/>'
        '<rect class="mean" width="{mean:.1f}" height="8" y="3" rx="2"/>'
        '<path class="whisker" d="M{low:.1f} 7H{high:.1f}M{low:.1f} 4.5V9.5M{high:.1f} 4.5V9.5"/></svg>'
    ).format(kind="bar strong" if strong else "bar", bar=_BAR, mean=mean, low=low, high=high)


def curve_svg(curve: Sequence[Point], weight: float | None) -> Markup:
    """Recall by the weight of the text, a line for each measure; ``weight`` is marked as the one that is used."""
    names = [name for name in curve[0] if name != "weight"]
    ends = _spread([_y(curve[-1][name]) for name in names])
    labels = _label_places(curve, names)
    ticks = [(w, f"{w:g}") for w in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    parts = [_grid(ticks, "image only", "text only"), _marker(weight) if weight is not None else Markup()]
    for i, (name, end, place) in enumerate(zip(names, ends, labels, strict=True)):
        best = _peak(curve, name)
        value = _text("value", *place, "middle", f"{best[name]:.1f}")
        parts.append(_line(curve, name, i, best, value + _text("name", _WIDTH - _RIGHT + 10, end + 4, "start", name)))
    peaks = ((name, _peak(curve, name)) for name in names)
    summary = "; ".join(f"{name} is highest, {best[name]:.1f} %, at {best['weight']:.2f}" for name, best in peaks)
    return Markup(
        '<svg class="curve" viewBox="0 0 {} {}" role="img" aria-label="Recall by the weight of the text. {}.">{}</svg>'
    ).format(_WIDTH, _HEIGHT, summary, Markup().join(parts))


def rounds_svg(rounds: Sequence[Round], names: Sequence[str], measure: str) -> Markup:
    """A measure after each round of dialogues, a line for each of up to four rows of the report in ``names``."""
    last = max(1, len(rounds) - 1)
    curve = [
        {"weight": i / last, **{name: each.figures[name][measure].mean for name in names}}
        for i, each in enumerate(rounds)
    ]
    ticks = [(point["weight"], f"{each.round}") for point, each in zip(curve, rounds, strict=True)]
    ends = _spread([_y(curve[-1][name]) for name in names])
    parts = [_grid(ticks, "round of the dialogue", "")]
    for i, (name, end) in enumerate(zip(names, ends, strict=True)):
        label = _text("name", _WIDTH - _RIGHT + 10, end + 4, "start", f"{name} {curve[-1][name]:.0f}")
        parts.append(_line(curve, name, i, curve[-1], label))
    found = "; ".join(f"{name} from {curve[0][name]:.1f} to {curve[-1][name]:.1f} %" for name in names)
    return Markup(
        '<svg class="curve" viewBox="0 0 {} {}" role="img" aria-label="{} after each round. {}.">{}</svg>'
    ).format(_WIDTH + _NAME_WIDTH - _RIGHT, _HEIGHT, measure, found, Markup().join(parts))


def _peak(curve: Sequence[Point], name: str) -> Point:
    """The point with the highest value of a measure."""
    return max(curve, key=lambda point: point[name])


def _x(weight: float) -> float:
    return _LEFT + weight * (_WIDTH - _LEFT - _RIGHT)


def _y(percent: float) -> float:
    return _TOP + (100 - percent) / 100 * (_HEIGHT - _TOP - _BOTTOM)


def _text(kind: str, x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)


def _grid(ticks: Sequence[tuple[float, str]], left: str, right: str) -> Markup:
    """Lines of the percentages; below them ``ticks``, places from 0 to 1 with their labels, and the ends' names."""
    lines = [
        Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(_LEFT, _y(percent), _WIDTH - _RIGHT)
        + _text("tick", _LEFT - 8, _y(percent) + 4, "end", f"{percent}")
        for percent in (0, 25, 50, 75, 100)
    ]
    labels = [_text("tick", _x(place), _HEIGHT - _BOTTOM + 20, "middle", label) for place, label in ticks]
    ends = [_text("end", _x(0), _HEIGHT - 6, "start", left), _text("end", _x(1), _HEIGHT - 6, "end", right)]
    return Markup().join([*lines, *labels, *ends])


def _marker(weight: float) -> Markup:
    x = _x(weight)
    line = Markup('<path class="marker" d="M{:.1f} {}V{}"/>').format(x, _TOP, _HEIGHT - _BOTTOM)
    return line + _text("end", x - 6, _y(0) - 8, "end", f"used: {weight:g}")


def _line(curve: Sequence[Point], name: str, series: int, marked: Point, labels: Markup) -> Markup:
    """The line of a measure with a dot at one of its points, and its labels."""
    return Markup('<g class="series-{}"><polyline points="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="4.5"/>{}</g>').format(
        series % 4,
        " ".join(f"{_x(point['weight']):.1f},{_y(point[name]):.1f}" for point in curve),
        _x(marked["weight"]),
        _y(marked[name]),
        labels,
    )


# --- labels that do not cover each other


def _label_places(curve: Sequence[Point], names: Sequence[str]) -> list[tuple[float, float]]:
    """The place of the figure of each line's peak: above or below it, and on no other figure or name."""
    placed: list[tuple[float, float]] = []
    for name in names:
        peak = _peak(curve, name)
        x = min(max(_x(peak["weight"]), _x(0) + _LABEL_WIDTH / 2), _x(1) - _LABEL_WIDTH / 2)
        y = _y(peak[name])
        steps = [_LABEL_HEIGHT * step for step in range(2 * len(names) + 1)]
        above, below = [y - 9 - step for step in steps], [y + 20 + step for step in steps]
        order = [*below, *above] if _is_crowded(peak, name) else [*above, *below]
        free = (each for each in order if _LABEL_HEIGHT / 2 < each < _y(0) and _is_free(x, each, placed))
        placed.append((x, next(free)))
    return placed


def _is_crowded(peak: Point, name: str) -> bool:
    """Whether another line runs just above the peak, where its figure would be."""
    gaps = [_y(peak[name]) - _y(value) for other, value in peak.items() if other not in ("weight", name)]
    return any(0 <= gap < 30 for gap in gaps)


def _is_free(x: float, y: float, placed: Sequence[tuple[float, float]]) -> bool:
    return all(abs(x - a) >= _LABEL_WIDTH or abs(y - b) >= _LABEL_HEIGHT for a, b in placed)


def _spread(heights: Sequence[float], gap: float = 17.0) -> list[float]:
    """The heights of labels, moved so that none covers another."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved = list(heights)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + gap)
    return moved
