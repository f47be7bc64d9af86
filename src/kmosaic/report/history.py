"""The course of one fit: inertia after every half step of Lloyd's algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from kmosaic.report.curves import number_axis
from kmosaic.report.theme import LIGHT, Theme, finish, new_figure, style_axes

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary

_FIRST_ITERATIONS = 10
_MOST_IN_ONE_PANEL = 30
_WIDTH, _HEIGHT = 820, 400
_LEFT = 116  # room for numbers up to 999,999 and two lines of label


def inertia_history(
    history: ClusterSummary | ArrayLike,
    *,
    half_steps: bool = True,
    units: str = "squared pixel values",
    theme: Theme = LIGHT,
) -> Figure:
    """Return J after every assignment step (circles) and every update step (diamonds).

    A fit of more than 15 iterations is shown twice: its first ten, where the steps can be told apart, and all
    of it. The axis of J does not start at 0, and says where it starts.

    Parameters
    ----------
    history
        A summary with ``inertia_history``, or that array itself: J in ``units`` after assignment, update,
        assignment, and so on.
    half_steps
        False for :class:`kmosaic.MiniBatchKMeans`, whose history is the mean squared distance of each batch.
    units
        What J is in, for its axis.

    Raises
    ------
    ValueError
        When there is no history.
    """
    values = np.asarray(getattr(history, "inertia_history", history), dtype=np.float64).ravel()
    if values.size == 0:
        raise ValueError("the fit has no inertia history; give one value of J after every half step")
    iterations = 1 + np.arange(values.size) / (2 if half_steps else 1)
    course = _Course(iterations, values, half_steps, float(values.max()), units)
    figure = new_figure(_WIDTH, _HEIGHT, theme)
    axes = _panels(figure, course, theme)
    title = "Inertia J after every half step" if half_steps else "Mean squared distance, batch by batch"
    place = (axes.get_position().x0, 1 - 16 / _HEIGHT)
    figure.text(*place, title, fontsize=12, fontweight="bold", color=theme.text, va="top")
    if half_steps:
        _legend(figure, axes, theme)
    return finish(figure)


@dataclass(frozen=True, eq=False)
class _Course:
    """J against the iteration; or, not in half steps, a batch's mean squared distance against its number.

    ``largest`` is that of the whole course: all its parts are counted in one unit.
    """

    iterations: NDArray[np.float64]
    values: NDArray[np.float64]
    half_steps: bool
    largest: float
    units: str

    def part(self, chosen: slice) -> _Course:
        return _Course(
            self.iterations[chosen], self.values[chosen], self.half_steps, self.largest, self.units
        )


def _panels(figure: Figure, course: _Course, theme: Theme) -> Axes:
    """Draw the whole course in one panel, or its beginning beside all of it; return the first panel."""
    height = _HEIGHT - 56 - 86
    if not course.half_steps or course.values.size <= _MOST_IN_ONE_PANEL:
        axes = _axes(figure, (_LEFT, 56, _WIDTH - _LEFT - 24, height), theme)
        _draw(axes, course, theme)
        return axes
    half = (_WIDTH - _LEFT - 24 - 90) / 2
    axes = _axes(figure, (_LEFT, 56, half, height), theme)
    _draw(axes, course.part(slice(0, 2 * _FIRST_ITERATIONS)), theme)
    axes.set_xlabel(f"Iteration, the first {_FIRST_ITERATIONS}")
    rest = _axes(figure, (_LEFT + half + 90, 56, half, height), theme)
    # From the second iteration on: the fall of the first would flatten all others.
    _draw(rest, course.part(slice(2, None)), theme)
    rest.set_xlabel(f"Iteration, 2 to {int(course.iterations[-1]):,}")
    rest.set_ylabel("")
    return axes


def _axes(figure: Figure, pixels: Sequence[float], theme: Theme) -> Axes:
    left, bottom, width, height = pixels
    axes = figure.add_axes((left / _WIDTH, bottom / _HEIGHT, width / _WIDTH, height / _HEIGHT))
    style_axes(axes, theme)
    return axes


def _draw(axes: Axes, course: _Course, theme: Theme) -> None:
    values = course.values
    axes.plot(course.iterations, values, color=theme.muted, linewidth=1, zorder=2, label="_J")
    if course.half_steps:
        _mark_steps(axes, course, theme)
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.07 or abs(high) * 0.05 or 1.0
    unit = number_axis(axes, course.largest)
    axes.set_ylim(_start(axes, low - room / 3, high + room), high + room)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("Iteration" if course.half_steps else "Batch")
    axes.set_ylabel(f"{'J' if course.half_steps else 'Mean'}{unit.words}\n{course.units}")
    _state_start(axes, axes.get_ylim()[0] / unit.divisor, theme)


def _start(axes: Axes, low: float, high: float) -> float:
    """Return the tick next below ``low``: an axis that starts there starts at a round number."""
    ticks = axes.yaxis.get_major_locator().tick_values(low, high)
    return max(0.0, max((float(tick) for tick in ticks if tick <= low), default=low))


def _mark_steps(axes: Axes, course: _Course, theme: Theme) -> None:
    size = 6 if course.values.size <= 40 else 3
    steps = ((0, "o", theme.series[0], "assignment"), (1, "D", theme.series[1], "update"))
    for offset, marker, colour, name in steps:
        axes.plot(
            course.iterations[offset::2],
            course.values[offset::2],
            linestyle="none",
            marker=marker,
            markersize=size,
            color=colour,
            markeredgewidth=0,
            zorder=3,
            label=f"after the {name} step",
        )


def _state_start(axes: Axes, start: float, theme: Theme) -> None:
    # Above the axes: the course of mini-batches may pass anywhere within.
    axes.annotate(
        f"axis starts at {start:,.10g}",
        (1, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=9.5,
        color=theme.muted,
    )


def _legend(figure: Figure, axes: Axes, theme: Theme) -> None:
    handles, names = axes.get_legend_handles_labels()
    box = axes.get_position()
    figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(box.x0 - 0.008, 1 - 34 / _HEIGHT),
        ncols=2,
        frameon=False,
        fontsize=10,
        labelcolor=theme.text,
        borderaxespad=0,
        handletextpad=0.3,
    )
