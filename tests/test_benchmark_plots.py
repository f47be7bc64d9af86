"""The benchmarks' pictures say what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.measure import Result
from benchmarks.plots import convergence_bars, inertia_curves, scaling_curves, write_plots
from benchmarks.schedule import Run
from benchmarks.workloads import SCALING_ITERATIONS
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from kmosaic.report.theme import THEMES, Theme


def run(workload: str, library: str, seconds: float, point: str = "", **result: object) -> Run:
    return Run(workload, library, 0, point, "ok", result=Result(seconds, **result))


CONVERGED = [run("mnist-256", "FAISS", 20.0), run("mnist-256", "kmosaic", 0.5)]
CURVES = [
    run("curve", "kmosaic", 0.2, curve=[(0.1, 1100.0), (0.2, 1000.0)]),
    run("curve", "FAISS", 4.0, curve=[(1.0, 1200.0), (4.0, 1010.0)]),
]
SCALING = [
    *(run("scaling-n", "kmosaic", n * 1e-6, f"n={n}") for n in (100, 10, 1000)),
    *(run("scaling-n", "scikit-learn lloyd", n * 1e-5, f"n={n}") for n in (10, 100, 1000)),
    *(run("scaling-threads", "kmosaic", 1 / threads, f"threads={threads}") for threads in (1, 2)),
]


def lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]
        for line in axes.get_lines()
    }


@pytest.fixture(params=THEMES.values(), ids=THEMES)
def theme(request: pytest.FixtureRequest) -> Theme:
    chosen: Theme = request.param
    return chosen


def test_bars_are_as_long_as_the_seconds_the_quickest_on_top(theme: Theme) -> None:
    figure = convergence_bars(CONVERGED, theme)
    assert figure is not None
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.5, 20.0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["kmosaic", "FAISS"]
    assert axes.yaxis_inverted()
    assert to_hex(axes.patches[0].get_facecolor()) == to_hex(theme.series[0])


def test_curves_are_percent_above_the_lowest_inertia(theme: Theme) -> None:
    figure = inertia_curves(CURVES, theme)
    assert figure is not None
    drawn = lines(figure.axes[0])
    assert drawn["kmosaic"] == [(0.1, pytest.approx(10)), (0.2, 0)]
    assert drawn["FAISS"] == [(1.0, pytest.approx(20)), (4.0, pytest.approx(1))]


def test_scaling_is_milliseconds_an_iteration_beside_proportion(theme: Theme) -> None:
    figure = scaling_curves(SCALING, theme)
    assert figure is not None
    rows, _, _, threads = (lines(axes) for axes in figure.axes)
    ms = 1e3 / SCALING_ITERATIONS
    assert rows["kmosaic"] == [(n, pytest.approx(n * 1e-6 * ms)) for n in (10, 100, 1000)]
    assert rows["scikit-learn lloyd"][-1] == (1000, pytest.approx(1e-2 * ms))
    assert rows["in proportion"] == [(n, pytest.approx(n * 1e-6 * ms)) for n in (10, 100, 1000)]
    assert threads["in proportion"] == [(1, pytest.approx(ms)), (2, pytest.approx(ms / 2))]


def test_only_what_was_measured_is_drawn_light_and_dark(tmp_path: Path) -> None:
    written = write_plots([*CONVERGED, *SCALING], tmp_path / "new")
    names = [f"{name}-{theme}.png" for name in ("time-to-convergence", "scaling") for theme in THEMES]
    assert [path.name for path in written] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert write_plots([], tmp_path) == []
