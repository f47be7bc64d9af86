"""Pictures for light and for dark pages: time to convergence, inertia against time, scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.libraries import KMOSAIC, is_peer
from benchmarks.schedule import Run
from benchmarks.table import Summary, summaries
from benchmarks.workloads import SCALING_ITERATIONS, WORKLOADS
from kmosaic.report.theme import DPI, THEMES, Theme, finish, new_figure, set_title, style_axes

_BARS = "mnist-256"
_SCALING = {
    "scaling-n": "rows",
    "scaling-k": "clusters",
    "scaling-d": "features",
    "scaling-threads": "threads",
}
_PANELS = {
    "scaling-n": "rows of 16 features, k = 64",
    "scaling-k": "100,000 x 64, by clusters",
    "scaling-d": "50,000 rows, k = 64, by features",
    "scaling-threads": "500,000 x 64, k = 256, by threads",
}
_MARKERS = ("s", "D", "^", "v", "P", "X")
# Twice the pixels the layout counts in, for dense screens.
_SAVED_DPI = 2 * DPI


def write_plots(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write NAME-light.png and NAME-dark.png of every picture there are runs for; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Callable[[Sequence[Run], Theme], Figure | None]] = {
        "time-to-convergence": convergence_bars,
        "inertia-against-time": inertia_curves,
        "scaling": scaling_curves,
    }
    written = []
    for name, draw in pictures.items():
        for theme in THEMES.values():
            figure = draw(runs, theme)
            if figure is not None:
                written.append(folder / f"{name}-{theme.name}.png")
                finish(figure).savefig(written[-1], dpi=_SAVED_DPI)
    return written


def convergence_bars(runs: Sequence[Run], theme: Theme) -> Figure | None:
    """Seconds until no label changes, a bar a library, the quickest on top."""
    rows = sorted((row for row in summaries(runs) if row.workload == _BARS), key=lambda row: row.seconds)
    if not rows:
        return None
    figure = new_figure(820, 110 + 38 * len(rows), theme)
    axes = figure.add_axes(_box(figure, left=210, right=60, top=56, bottom=16))
    style_axes(axes, theme, grid=None)
    colours = [theme.muted if is_peer(row.library) else theme.series[0] for row in rows]
    # From zero: on a logarithmic axis the length of a bar would mean nothing.
    axes.barh(range(len(rows)), [row.seconds for row in rows], color=colours, height=0.62)
    for place, row in enumerate(rows):
        axes.annotate(
            f"{row.seconds:.3g} s",
            (row.seconds, place),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=theme.text,
            fontsize=10,
        )
    axes.set_yticks(range(len(rows)), [row.library for row in rows])
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    set_title(axes, f"Seconds: {WORKLOADS[_BARS].title}", theme)
    return figure


@dataclass(frozen=True)
class _Line:
    name: str
    x: list[float]
    y: list[float]


def inertia_curves(runs: Sequence[Run], theme: Theme) -> Figure | None:
    """How far above the lowest inertia seen each library is after so many seconds."""
    measured = [run for run in runs if run.workload == "curve" and run.result is not None]
    if not measured:
        return None
    lowest = min(value for run in measured if run.result for _, value in run.result.curve)
    lines = [
        _Line(
            run.library,
            [seconds for seconds, _ in run.result.curve],
            [100 * (value / lowest - 1) for _, value in run.result.curve],
        )
        for run in measured
        if run.result
    ]
    figure = new_figure(820, 440, theme)
    axes = figure.add_axes(_box(figure, left=80, right=190, top=56, bottom=58))
    style_axes(axes, theme, grid="both")
    _draw(axes, lines, theme)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds (logarithmic)", color=theme.text)
    axes.set_ylabel("inertia above the lowest seen, %", color=theme.text)
    set_title(axes, f"Inertia against time: {WORKLOADS['curve'].title.split(', ', 1)[1]}", theme)
    _legend(axes, theme)
    return figure


def scaling_curves(runs: Sequence[Run], theme: Theme) -> Figure | None:
    """Time an iteration against rows, clusters, features and threads; both axes logarithmic."""
    rows = [row for row in summaries(runs) if row.workload in _SCALING]
    if not rows:
        return None
    figure = new_figure(900, 700, theme)
    for place, (workload, counted) in enumerate(_SCALING.items()):
        left, bottom = (80, 530)[place % 2], (405, 70)[place // 2]
        axes = figure.add_axes((left / 900, bottom / 700, 330 / 900, 235 / 700))
        style_axes(axes, theme, grid="both")
        _scaling_panel(axes, [row for row in rows if row.workload == workload], theme)
        axes.set_xlabel(counted, color=theme.text)
        axes.set_ylabel("ms an iteration", color=theme.text)
        axes.set_title(_PANELS[workload], loc="left", pad=10, fontsize=10, color=theme.text)
        if place == 0:
            _legend(axes, theme, outside=False)
    return figure


def _scaling_panel(axes: Axes, rows: Sequence[Summary], theme: Theme) -> None:
    lines = []
    for library in dict.fromkeys(row.library for row in rows):
        points = sorted(
            (float(row.point.split("=")[1]), 1e3 * row.seconds / (row.n_iter or SCALING_ITERATIONS))
            for row in rows
            if row.library == library
        )
        lines.append(_Line(library, [x for x, _ in points], [y for _, y in points]))
    own = next((line for line in lines if line.name == KMOSAIC), None)
    threads = bool(rows) and rows[0].point.startswith("threads")
    if own is not None and len(own.x) > 1:
        # Through the largest point, where fixed costs count least; for threads, through one thread.
        ideal = [own.y[0] / x if threads else own.y[-1] * x / own.x[-1] for x in own.x]
        axes.plot(own.x, ideal, color=theme.muted, linestyle=":", linewidth=1.2, label="in proportion")
    _draw(axes, lines, theme)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    if own is not None:
        axes.set_xticks(own.x)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_count))
        axis.set_minor_locator(NullLocator())


def _count(value: float, _: object = None) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e4 else f"{value:,.4g}"


def _draw(axes: Axes, lines: Iterable[_Line], theme: Theme) -> None:
    colours = [theme.series[1], theme.series[2], theme.muted, theme.wrong, theme.text]
    peers = 0
    for line in lines:
        own = line.name == KMOSAIC
        axes.plot(
            line.x,
            line.y,
            color=theme.series[0] if own else colours[peers % len(colours)],
            marker="o" if own else _MARKERS[peers % len(_MARKERS)],
            markersize=4.5,
            linewidth=2.6 if own else 1.4,
            zorder=5 if own else 3,
            label=line.name,
        )
        peers += not own


def _legend(axes: Axes, theme: Theme, *, outside: bool = True) -> None:
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02)} if outside else {"loc": "upper left"}
    legend = axes.legend(frameon=False, labelcolor=theme.text, fontsize=9.5, **place)
    legend.set_zorder(6)


def _box(figure: Figure, left: int, right: int, top: int, bottom: int) -> tuple[float, float, float, float]:
    width, height = (inches * DPI for inches in figure.get_size_inches())
    return left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height
