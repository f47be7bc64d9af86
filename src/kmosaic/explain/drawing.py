"""Points, centroids and curves as pictures for slides: 960 x 540 pixels, on light paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kmosaic.explain.points import Points, PointSet
from kmosaic.explain.trace import Step, Trace
from kmosaic.report.theme import LIGHT, new_figure, style_axes

WIDTH, HEIGHT = 960, 540

# As on the page: Okabe and Ito (2008) and shades beside them, each with a shape of its own.
_COLOURS = ("#0072b2", "#d55e00", "#00805d", "#a8478a", "#7d6a00", "#3f51b5", "#8a4b2d", "#4a4f57")
_SHAPES = ("o", "s", "^", "D", "P", "*", "v", "X")
_UNASSIGNED = "#868d98"  # as --unassigned on the page: of no cluster's colour
_EQUAL_UP_TO = 4  # columns whose ranges are less unlike are drawn with one scale
_POINT_AREA = 22.0
_LEFT, _RIGHT = 0.08, 0.97


def slide(title: str, words: str = "") -> Figure:
    """Return an empty slide with a title, and a sentence below it."""
    figure = new_figure(WIDTH, HEIGHT, LIGHT)
    figure.text(0.04, 0.925, title, fontsize=18, fontweight="bold", color=LIGHT.text)
    figure.text(0.04, 0.868, words, fontsize=11.5, color=LIGHT.muted)
    return figure


def panels(figure: Figure, n: int) -> list[Axes]:
    """Add ``n`` panels of equal width, side by side below the title."""
    gap = 0.075
    width = (_RIGHT - _LEFT - gap * (n - 1)) / n
    added = []
    for number in range(n):
        axes = figure.add_axes((_LEFT + number * (width + gap), 0.115, width, 0.67))
        style_axes(axes, LIGHT, grid=None)
        added.append(axes)
    return added


def draw_step(axes: Axes, data: PointSet, step: Step, *, lines: bool = False) -> None:
    """Draw points and centroids as one step of a fit left them; ``lines`` join each point to its centroid."""
    _set_limits(axes, data, step.centers)
    if lines and step.labels is not None:
        for point, label in zip(data.points, step.labels, strict=True):
            ends = np.stack([point, step.centers[label]])
            axes.plot(
                ends[:, 0], ends[:, 1], color=_colour(step.ids[label]), linewidth=0.6, alpha=0.4, zorder=1
            )
    if step.labels is None:
        _draw_points(axes, data.points, _UNASSIGNED, "o")
    else:
        for label, number in enumerate(step.ids):
            _draw_points(
                axes, data.points[step.labels == label], _colour(number), _SHAPES[number % len(_SHAPES)]
            )
    draw_centroids(axes, step.centers, step.ids)


def draw_centroids(axes: Axes, centers: NDArray[np.float64], ids: Sequence[int]) -> None:
    """Draw numbered discs."""
    for center, number in zip(centers, ids, strict=True):
        x, y = float(center[0]), float(center[1])
        axes.plot(
            x,
            y,
            "o",
            markersize=17,
            color=_colour(number),
            markeredgecolor="white",
            markeredgewidth=2,
            zorder=4,
            clip_on=False,
        )
        axes.text(
            x,
            y,
            str(number + 1),
            color="white",
            fontsize=10,
            fontweight="bold",
            ha="center",
            va="center_baseline",
            zorder=5,
        )


def draw_chances(axes: Axes, points: Points, squared_distances: NDArray[np.float64] | None) -> None:
    """Draw points whose area is their chance to be picked."""
    largest = 1.0 if squared_distances is None else float(squared_distances.max()) or 1.0
    areas = _POINT_AREA if squared_distances is None else 3 + 220 * squared_distances / largest
    axes.scatter(points[:, 0], points[:, 1], s=areas, color=_UNASSIGNED, alpha=0.75, linewidths=0, zorder=2)


def draw_curve(axes: Axes, fit: Trace, at: int) -> None:
    """Draw J after every half-step up to step ``at``, with room for those to come."""
    values = np.array([step.inertia for step in fit.steps[1:]], dtype=np.float64)
    axes.grid(visible=True, axis="y", color=LIGHT.grid, linewidth=0.8)
    numbers = np.arange(1, len(values) + 1)
    axes.plot(numbers[:at], values[:at], color=LIGHT.series[0], linewidth=2)
    for number, value in zip(numbers[:at], values[:at], strict=True):
        axes.plot(number, value, "o" if number % 2 else "D", color=LIGHT.series[0], markersize=6)
    axes.set(
        xlim=(0.5, len(values) + 0.5),
        ylim=(0, float(values.max()) * 1.06),
        xlabel="half-step (circle: assignment, diamond: update)",
    )
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_title("J", loc="left", fontsize=12, color=LIGHT.text)


def caption(axes: Axes, text: str) -> None:
    """Write ``text`` above a panel."""
    axes.set_title(text, loc="left", fontsize=11.5, fontweight="bold", color=LIGHT.text)


def _draw_points(axes: Axes, points: Points, colour: str, shape: str) -> None:
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=_POINT_AREA,
        c=colour,
        marker=shape,
        linewidths=0.4,
        edgecolors="white",
        zorder=2,
    )


def _set_limits(axes: Axes, data: PointSet, centers: NDArray[np.float64]) -> None:
    places = np.concatenate([data.points, centers])
    axes.set(xlabel=data.columns[0], ylabel=data.columns[1])
    set_limits(axes, places)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def set_limits(axes: Axes, places: Points) -> None:
    """Make room for ``places``, one unit as long across as up unless the columns are quite unlike."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle, span = (low + high) / 2, np.maximum(high - low, 1e-12) * 1.12
    box = axes.get_position()
    shape = box.width * WIDTH / (box.height * HEIGHT)
    if 1 / _EQUAL_UP_TO < span[0] / span[1] / shape < _EQUAL_UP_TO:
        span = np.array([max(span[0], span[1] * shape), max(span[1], span[0] / shape)])
    axes.set_xlim(middle[0] - span[0] / 2, middle[0] + span[0] / 2)
    axes.set_ylim(middle[1] - span[1] / 2, middle[1] + span[1] / 2)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
