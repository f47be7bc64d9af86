"""The benchmark of random shapes: what it draws, and how it counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from benchmarks.measure import Result
from benchmarks.schedule import Run
from benchmarks.shapes import DATA, DTYPES, MAX_VALUES, Shape, draw_shapes, heat_map, ratios, report, rows_of

from kmosaic.report.theme import THEMES


def test_a_seed_draws_the_same_shapes_of_every_kind_within_the_limits() -> None:
    shapes = draw_shapes(3, 60)
    assert shapes == draw_shapes(3, 60) != draw_shapes(4, 60)
    assert {shape.data for shape in shapes} == set(DATA)
    assert [sum(shape.dtype == dtype for shape in shapes) for dtype in DTYPES] == [12] * 5
    for shape in shapes:
        assert 2_000 <= shape.n <= 2_000_000
        assert 1 <= shape.d <= 2_048
        assert 2 <= shape.k <= shape.n / 10
        assert shape.n * shape.d <= MAX_VALUES


def test_rows_are_of_the_shape_and_fill_their_dtype() -> None:
    for data in DATA:
        for dtype in DTYPES:
            rows = rows_of(Shape("", data, dtype, 2_000, 40, 5, seed=1))
            assert rows.shape == (2_000, 40)
            assert rows.dtype == dtype
            assert np.isfinite(rows).all()
            if rows.dtype.kind == "u":
                assert (rows.min(), rows.max()) == (0, np.iinfo(rows.dtype).max)


def test_ratios_are_of_the_fastest_peer() -> None:
    shapes = draw_shapes(1, 2)
    run = Run("shape-00", "kmosaic", 0, "", "ok", result=Result(2.0, inertia=10.0))
    peers = {"FAISS": 8.0, "scikit-learn lloyd": 3.0}
    runs = [
        run,
        *(replace(run, library=name, result=Result(time, inertia=11.0)) for name, time in peers.items()),
    ]
    found = ratios(shapes, runs)
    assert [(each.shape, each.peer.library, each.value) for each in found] == [
        (shapes[0], "scikit-learn lloyd", 1.5)
    ]
    assert "geometric mean 1.50, least 1.50, 0 below 1" in report(found)
    (axes, _) = heat_map(found, THEMES["light"]).axes
    assert axes.collections[0].get_offsets().tolist() == [[shapes[0].d, shapes[0].k]]
