"""Curves over the number of clusters, with their spread over seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from kmosaic.report.theme import LIGHT, Theme, finish, new_figure, set_title, style_axes
from kmosaic.report.wording import text_pixels
from kmosaic.text import scaled_units

if TYPE_CHECKING:
    from kmosaic.evaluate import StartingDocumentRow, SweepResult, SweepTableRow

WIDTH, HEIGHT = 820, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 112, 200, 64, 58  # pixels round the axes; lines are named at their right ends

_MARKS = {"o": "●", "s": "■", "D": "◆"}

CurveName = Literal["inertia", "scores", "time"]
CURVES: tuple[CurveName, ...] = ("inertia", "scores", "time")


@dataclass(frozen=True)
class CurveOptions:
    """What a sweep's curves show beside the measurements.

    Attributes
    ----------
    theme
        Light or dark.
    starting_document
        Rows of the starting document, the notebook project kmosaic began with, to draw dashed beside the
        measured ones, for MNIST; none by default.
    recommended
        A number of clusters to mark.
    units
        What J is in, for its axis.
    """

    theme: Theme = LIGHT
    starting_document: Sequence[StartingDocumentRow] = ()
    recommended: int | None = None
    units: str = scaled_units()


@dataclass(frozen=True)
class _Line:
    """One measured column as it is drawn."""

    column: str
    name: str
    colour: str
    marker: str


def sweep_curves(result: SweepResult, options: CurveOptions | None = None) -> Figure:
    """Return inertia, scores and time against the number of clusters, one below the other.

    Raises
    ------
    ValueError
        When ``result`` has no runs.
    """
    return _figure(result, [name for name in CURVES if name != "scores" or result.has_scores], options)


def sweep_curve(result: SweepResult, curve: CurveName, options: CurveOptions | None = None) -> Figure:
    """Return one of the curves of :func:`sweep_curves`: "inertia", "scores" or "time".

    Lines join the means over the seeds, bands reach from the least to the most, and every run is a point. The
    axis of the number of clusters is logarithmic and bears the numbers that were run.

    Raises
    ------
    ValueError
        When ``result`` has no runs, or none of the scores was measured.
    """
    if curve == "scores" and not result.has_scores:
        raise ValueError("this sweep measured no scores; draw 'inertia' or 'time'")
    return _figure(result, [curve], options)


def _figure(result: SweepResult, curves: Sequence[CurveName], options: CurveOptions | None) -> Figure:
    if not result.runs:
        raise ValueError("the sweep has no runs; run it for at least one number of clusters")
    options = options or CurveOptions()
    draw: dict[CurveName, Callable[[Axes, SweepResult, CurveOptions], None]] = {
        "inertia": _draw_inertia,
        "scores": _draw_scores,
        "time": _draw_time,
    }
    height = HEIGHT * len(curves)
    figure = new_figure(WIDTH, height, options.theme)
    for number, name in enumerate(curves):
        bottom = height - HEIGHT * (number + 1) + _BOTTOM
        box = (
            _LEFT / WIDTH,
            bottom / height,
            (WIDTH - _LEFT - _RIGHT) / WIDTH,
            (HEIGHT - _TOP - _BOTTOM) / height,
        )
        axes = figure.add_axes(box)
        style_axes(axes, options.theme)
        _cluster_axis(axes, [row.n_clusters for row in result.table()])
        draw[name](axes, result, options)
        _mark_recommended(axes, options)
    return finish(figure)


def _draw_inertia(axes: Axes, result: SweepResult, options: CurveOptions) -> None:
    table = result.table()
    line = _Line("inertia_scaled", "kmosaic", options.theme.series[0], "o")
    ends = [_draw_line(axes, result, line)]
    beside = _beside(table, options)
    if beside:
        values = [row.inertia for row in beside]
        ends.append(
            _draw_beside(axes, beside, values, _Line("", "starting document", options.theme.muted, "s"))
        )
    spreads = [spread for row in table if (spread := row["inertia_scaled"]) is not None]
    top = max([spread.max for spread in spreads] + [row.inertia for row in beside])
    axes.set_ylim(0, top * 1.08 or 1)
    unit = number_axis(axes, top)
    axes.set_ylabel(f"J{unit.words}\n{options.units}")
    set_title(axes, "Inertia J by number of clusters", options.theme, pad=24)
    _name_ends(axes, ends)


def _draw_scores(axes: Axes, result: SweepResult, options: CurveOptions) -> None:
    table = result.table()
    lines = _measured(table, _score_lines(options.theme))
    ends = [_draw_line(axes, result, line) for line in lines]
    beside = _beside(table, options)
    documents: dict[str, Callable[[StartingDocumentRow], float | None]] = {
        "homogeneity": lambda row: row.homogeneity,
        "accuracy_train": lambda row: row.accuracy_train,
    }
    for line in lines:
        if beside and line.column in documents:
            values = [documents[line.column](row) for row in beside]
            _draw_beside(axes, beside, values, _Line("", "", line.colour, line.marker))
    if beside:
        _explain_dashes(axes, options.theme)
    lowest = min((spread.min for row in table for line in lines if (spread := row[line.column])), default=0.0)
    axes.set_ylim(min(0.0, math.floor(lowest * 10) / 10), 1)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel("Score (1 is perfect)")
    set_title(axes, "Scores by number of clusters", options.theme, pad=24)
    _name_ends(axes, ends)


def _explain_dashes(axes: Axes, theme: Theme) -> None:
    """Say what dashed lines are, on the line of the title: within the axes a mark could cross the words."""
    axes.plot([], [], color=theme.muted, linestyle=(0, (4, 3)), label="dashed: starting document")
    height = HEIGHT - _TOP - _BOTTOM
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1 + (_RIGHT - 16) / (WIDTH - _LEFT - _RIGHT), 1 + 28 / height),
        borderaxespad=0,
        frameon=False,
        fontsize=9.5,
        labelcolor=theme.muted,
        handlelength=2.6,
    )


def _draw_time(axes: Axes, result: SweepResult, options: CurveOptions) -> None:
    end = _draw_line(axes, result, _Line("fit_seconds", "fit", options.theme.series[2], "D"))
    top = max(run.fit_seconds for run in result.runs)
    axes.set_ylim(0, top * 1.1 or 1)
    unit = number_axis(axes, top)
    axes.set_ylabel(f"Fit time{unit.words} (seconds)" if unit.words else "Fit time in seconds")
    set_title(axes, "Fit time by number of clusters", options.theme, pad=24)
    _name_ends(axes, [end])


def _score_lines(theme: Theme) -> tuple[_Line, ...]:
    return (
        _Line("homogeneity", "homogeneity", theme.series[0], "o"),
        _Line("accuracy_train", "accuracy, training", theme.series[1], "s"),
        _Line("accuracy_test", "accuracy, test", theme.series[2], "D"),
        _Line("stability", "stability over seeds", theme.series[0], "o"),
        _Line("silhouette", "silhouette, sampled", theme.series[1], "s"),
    )


def _measured(table: Sequence[SweepTableRow], lines: Sequence[_Line]) -> list[_Line]:
    return [line for line in lines if any(row[line.column] is not None for row in table)]


@dataclass(frozen=True)
class _End:
    """The right end of a line, and the name to write there."""

    name: str
    colour: str
    height: float


def _draw_line(axes: Axes, result: SweepResult, line: _Line) -> _End:
    """Draw the mean as a line, least to most as a band, every run as a point."""
    rows = [(row.n_clusters, spread) for row in result.table() if (spread := row[line.column]) is not None]
    ks = [k for k, _ in rows]
    means = [spread.mean for _, spread in rows]
    lows, highs = [spread.min for _, spread in rows], [spread.max for _, spread in rows]
    axes.fill_between(ks, lows, highs, color=line.colour, alpha=0.22, linewidth=0)
    axes.plot(ks, means, color=line.colour, linewidth=1.8, label=f"_{line.column}")
    runs = [
        (run.n_clusters, value) for run in result.runs if (value := getattr(run, line.column)) is not None
    ]
    axes.plot(
        [k for k, _ in runs],
        [value for _, value in runs],
        linestyle="none",
        marker=line.marker,
        markersize=5,
        color=line.colour,
        alpha=0.85,
        markeredgewidth=0,
        label=f"_{line.column} runs",
    )
    return _End(f"{_MARKS[line.marker]} {line.name}", line.colour, means[-1])


def _draw_beside(
    axes: Axes, beside: Sequence[StartingDocumentRow], values: Sequence[float | None], line: _Line
) -> _End:
    known = [(row.n_clusters, value) for row, value in zip(beside, values, strict=True) if value is not None]
    ks, heights = [k for k, _ in known], [value for _, value in known]
    axes.plot(
        ks,
        heights,
        color=line.colour,
        linewidth=1.3,
        linestyle=(0, (4, 3)),
        marker=line.marker,
        markersize=4,
        markerfacecolor="none",
        label="_starting document",
    )
    return _End(f"□ {line.name}", line.colour, heights[-1])


def _beside(table: Sequence[SweepTableRow], options: CurveOptions) -> list[StartingDocumentRow]:
    """The document's rows that lie within the numbers of clusters that were run."""
    low, high = table[0].n_clusters, table[-1].n_clusters
    return [row for row in options.starting_document if low <= row.n_clusters <= high]


def _name_ends(axes: Axes, ends: Sequence[_End]) -> None:
    """Write each line's name beside its right end, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    pixels = HEIGHT - _TOP - _BOTTOM
    last = math.inf
    for end in sorted(ends, key=lambda end: -end.height):
        wanted = (end.height - low) / (high - low) * pixels
        last = min(wanted, last - 17)
        axes.annotate(
            end.name,
            (1, last / pixels),
            (8, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=10,
            color=end.colour,
        )


def _mark_recommended(axes: Axes, options: CurveOptions) -> None:
    if options.recommended is None:
        return
    axes.axvline(options.recommended, color=options.theme.muted, linewidth=1, linestyle=(0, (1, 2)), zorder=0)
    axes.annotate(
        f"recommended: {options.recommended:,}",
        (options.recommended, 1),
        (0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9.5,
        color=options.theme.muted,
    )


def _cluster_axis(axes: Axes, ks: Sequence[int]) -> None:
    """Make the x axis logarithmic, with a tick at every number of clusters and names where they have room."""
    margin = 1.35 if len(ks) == 1 else (ks[-1] / ks[0]) ** 0.03
    axes.set_xscale("log")
    axes.set_xlim(ks[0] / margin, ks[-1] * margin)
    pixels_per_log = (WIDTH - _LEFT - _RIGHT) / math.log(ks[-1] / ks[0] * margin**2)
    axes.xaxis.set_major_locator(FixedLocator([float(k) for k in ks]))
    axes.xaxis.set_major_formatter(FixedFormatter(tick_names(ks, pixels_per_log)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Number of clusters k (logarithmic)")


def tick_names(ks: Sequence[int], pixels_per_log: float) -> list[str]:
    """Return the name of each tick of a logarithmic axis, empty where it would touch another.

    >>> tick_names([10, 16, 36, 400], 150.0)
    ['10', '16', '36', '400']
    >>> tick_names([99, 100, 101], 150.0)
    ['99', '', '']
    """
    names = [f"{k:,}" for k in ks]
    places = [math.log(k) * pixels_per_log for k in ks]
    halves = [text_pixels(name, 10) / 2 + 4 for name in names]
    kept: list[int] = []
    for number in [0, len(ks) - 1, *range(1, len(ks) - 1)]:
        if all(abs(places[number] - places[other]) >= halves[number] + halves[other] for other in kept):
            kept.append(number)
    return [name if number in kept else "" for number, name in enumerate(names)]


@dataclass(frozen=True)
class Unit:
    """What an axis counts in: a divisor, and the words for the axis's label."""

    divisor: float = 1.0
    words: str = ""


_UNITS = (Unit(1e12, " in trillions"), Unit(1e9, " in billions"), Unit(1e6, " in millions"))


def number_axis(axes: Axes, largest: float) -> Unit:
    """Number the y axis of ``axes`` in ones, millions, billions or trillions, and return which.

    >>> from matplotlib.figure import Figure
    >>> number_axis(Figure().add_subplot(), 2.4e6)
    Unit(divisor=1000000.0, words=' in millions')
    """
    unit = next((unit for unit in _UNITS if largest >= unit.divisor), Unit())
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))

    def text(value: float, _: int | None) -> str:
        return _tick_text([tick / unit.divisor for tick in axes.get_yticks()], value / unit.divisor)

    axes.yaxis.set_major_formatter(FuncFormatter(text))
    return unit


def _tick_text(ticks: Sequence[float], value: float) -> str:
    """Write ``value`` with as many decimals as tell all ``ticks`` apart."""
    step = min((after - before for before, after in itertools.pairwise(ticks)), default=0.0)
    if step <= 0:
        return plain_number(value)
    exact = (n for n in range(12) if abs(round(step, n) - step) < step / 1000)
    return f"{value:,.{next(exact, 12)}f}"


def plain_number(value: float) -> str:
    """Return a tick's number, with commas from a thousand.

    >>> plain_number(25_000), plain_number(0), plain_number(0.25)
    ('25,000', '0', '0.25')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
