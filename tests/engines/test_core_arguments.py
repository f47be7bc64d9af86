"""The native module called directly with arguments that do not fit: an error each time, never a crash."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from kmosaic import _core

N, D, K = 40, 3, 4
Calls = dict[str, tuple[Callable[..., Any], list[Any]]]
REFUSED = (TypeError, ValueError, MemoryError)
_DTYPES = (
    "uint8",
    "uint16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex128",
    ">f8",
    "object",
)


def rows(dtype: str = "float64") -> np.ndarray:
    return np.arange(N * D).reshape(N, D).astype(dtype)


def centers() -> np.ndarray:
    return rows()[:K] + 0.5


def labels() -> np.ndarray:
    return (np.arange(N) % K).astype(np.int32)


def sums(spacings: tuple[float, ...] = (2.0**-20,)) -> _core.ClusterSums:
    made = _core.ClusterSums(K, np.zeros(D), list(spacings))
    made.add(rows(), None, labels(), 1)
    return made


def weighted() -> _core.ClusterSums:
    ends = [0.0] * D, [200.0] * D
    made = _core.ClusterSums(
        K, np.zeros(D), *_core.weighted_spacings(rows(), np.ones(N), np.zeros(D), ends, 1)
    )
    made.add(rows(), np.ones(N), labels(), 1)
    return made


def filled(changes: _core.LabelChanges, X: np.ndarray) -> _core.LabelChanges:
    _core.assign(X, centers(), labels(), 1, changes)
    return changes


def seeder() -> _core.Seeder:
    made = _core.Seeder(rows(), None, np.arange(N), None)
    made.add_best([3], 1)
    return made


def sparse(weights: np.ndarray | None = None) -> _core.SparseRows:
    starts = np.arange(N + 1) * D
    return _core.SparseRows(rows().ravel(), np.tile(np.arange(D, dtype=np.int32), N), starts, D, weights)


def begun() -> _core.Seeder:
    made = _core.Seeder.of_parts(D, None, np.arange(N))
    made.begin(centers(), 1)
    return made


def gradients() -> np.ndarray:
    return np.ones((N, 2, 4, 4), np.int8)


def calls() -> Calls:
    """Every function and method of the module, and arguments that fit it."""
    X, spacings = rows(), [2.0**-20]
    root = np.eye(1, K, dtype=np.int32)[0]
    distinct = _core.DistinctRows(rows("uint8"), 9, 1)
    exact = sums((2.0**-20,))
    changes = filled(_core.LabelChanges(X, None, exact), X)
    weights, zeros = np.ones(N), np.zeros(D)
    return {
        "assign": (_core.assign, [X, centers(), labels(), 2, None, None]),
        "int16_range": (_core.int16_range, [rows("uint16"), 2]),
        "widen_labels": (_core.widen_labels, [np.zeros(N, np.uint8), labels(), 2]),
        "squared_distances": (_core.squared_distances, [X, centers(), 2]),
        "own_squared_distances": (_core.own_squared_distances, [X, centers(), labels(), 2]),
        "hash_order": (_core.hash_order, [X, 2]),
        "exact_origin": (_core.exact_origin, [zeros, np.ones(D)]),
        "value_range": (_core.value_range, [X, 2]),
        "slice_spacings": (_core.slice_spacings, [X, zeros, zeros, np.full(D, 200.0), 2]),
        "weighted_spacings": (_core.weighted_spacings, [X, weights, zeros, ([0.0] * D, [200.0] * D), 2]),
        "nearest_within": (
            _core.nearest_within,
            [X, centers(), np.zeros(N, np.int32), np.full(N, K, np.int32), labels(), 2],
        ),
        "descend": (_core.descend, [X, centers(), root, (K - 1) * root, 2]),
        "nearest_rows": (_core.nearest_rows, [X, centers(), 2, None, np.full(N, 9.0), 2]),
        "distortions": (
            _core.distortions,
            [gradients(), gradients(), np.zeros((N, 2), np.int32), 1, 2, True, 2],
        ),
        "cpu": (_core.cpu, []),
        "select_cpu": (_core.select_cpu, [""]),
        "thread_limit": (_core.thread_limit, []),
        "possible_spacings": (_core.possible_spacings, [N, [0.0] * D, [0.0] * D, [9.0] * D]),
        "slices_needed": (_core.slices_needed, [X, [0.0] * D, spacings, 2]),
        "draw_rows": (_core.draw_rows, [7, N, np.ones(N, bool), (1, 2**63), 2]),
        "SparseRows": (
            lambda *a: _core.assign_sparse(_core.SparseRows(*a), centers(), labels(), 2),
            [X.ravel(), np.tile(np.arange(D, dtype=np.int32), N), np.arange(N + 1) * D, D, weights],
        ),
        "assign_sparse": (_core.assign_sparse, [sparse(), centers(), labels(), 2]),
        "hash_sparse": (_core.hash_sparse, [sparse(), 2]),
        "hash_rows": (_core.hash_rows, [X, 2]),
        "order_of_hashes": (_core.order_of_hashes, [np.arange(N, dtype=np.uint64), 2]),
        "exponent_and_bit": (_core.exponent_and_bit, [X, [0.0] * D, 2]),
        "spacings_for": (_core.spacings_for, [8, N, 0.5]),
        "SquaresInParts": (lambda *a: _core.SquaresInParts(*a).finish(), [sums()]),
        "SquaresInParts.add": (_core.SquaresInParts(weighted()).add, [X, weights, 2]),
        "SquaresInParts.add_sparse": (_core.SquaresInParts(sums()).add_sparse, [sparse(), 2]),
        "SquaresInParts.finish": (_core.SquaresInParts(sums()).finish, []),
        "ClusterSums.move_sparse": (weighted().move_sparse, [sparse(weights), labels(), labels(), 2]),
        "LabelChanges": (lambda *a: filled(_core.LabelChanges(*a), X), [X, None, exact]),
        "Assigner": (
            lambda X, *a: _core.Assigner(X, *a).assign(np.zeros((2, D)), labels()[: len(X)], 2),
            [rows("uint8"), np.ones(N, np.uint32), 2],
        ),
        "Assigner.assign": (_core.Assigner(X, None, 9).assign, [centers(), labels(), 2, None]),
        "ColourSpace": (lambda *a: _core.ColourSpace(*a).convert(rows("uint8"), 2), ["oklab"]),
        "ColourSpace.convert": (_core.ColourSpace("oklab").convert, [rows("uint8"), 2]),
        "ColourSpace.diffuse": (
            _core.ColourSpace("srgb").diffuse,
            [rows("uint8"), 8, rows("uint16")[:K], [48, 1000, 100], np.zeros(N, np.uint8), 2],
        ),
        "nearest_in_palette": (_core.nearest_in_palette, [rows("uint16"), rows("uint16")[:K], 2]),
        "merge_points": (_core.merge_points, [rows("uint16"), np.ones(N, np.int64), 9]),
        "superpixels": (
            _core.superpixels,
            [
                np.zeros((1, 5, 8, D), np.uint16),
                np.ones((1, 5, 8), np.uint8),
                np.array([[0, 1, 1], [0, 3, 5]]),
                [[1.0, 1.0, 1.0], [4.0, 4.0, 4.0]],
                [2.0, 0.0, 1.0, 40.0],
                2,
            ],
        ),
        "DistinctRows": (lambda *a: _core.DistinctRows(*a).rows(1), [rows("uint8"), 9, 2]),
        "DistinctRows.rows": (distinct.rows, [2]),
        "DistinctRows.counts": (distinct.counts, [2]),
        "DistinctRows.expand": (distinct.expand, [np.zeros(distinct.size, np.int32), labels(), 2]),
        "choose_plan": (_core.choose_plan, ["uint8", (N, D), K, 9]),
        "choose_seeding_plan": (_core.choose_seeding_plan, ["float32", (N, D), K]),
        "choose_merge_plan": (_core.choose_merge_plan, ["uint8", (N, D)]),
        "MergePlan.record_distinct": (_core.choose_merge_plan("uint8", (N, D)).record_distinct, [4]),
        "Seeder": (lambda *a: _core.Seeder(*a).add_best([0, N - 1], 2), [X, weights, np.arange(N), None]),
        "Seeder.of_parts": (_core.Seeder.of_parts, [D, weights, np.arange(N)]),
        "Seeder.of_sparse": (
            lambda *a: _core.Seeder.of_sparse(*a).add_best([0, 9], 2),
            [sparse(), np.arange(N)],
        ),
        "Seeder.begin": (begun().begin, [centers(), 2]),
        "Seeder.find": (begun().find, [X[:9], 4, 2]),
        "Seeder.lower": (begun().lower, [X[:9], 4, 2]),
        "Seeder.accept": (begun().accept, [2]),
        "Seeder.draw": (seeder().draw, [np.array([0.0, 0.5])]),
        "Seeder.gains": (seeder().gains, [[0, 1], 2]),
        "Seeder.add_best": (seeder().add_best, [[0, 1], 2]),
        "ClusterSums": (lambda *a: _core.ClusterSums(*a).means(centers()), [K, zeros, spacings, []]),
        "ClusterSums.add": (weighted().add, [X, weights, labels(), 2]),
        "ClusterSums.apply": (exact.apply, [changes, labels(), 2]),
        "ClusterSums.add_squares": (weighted().add_squares, [X, weights, 2]),
        "ClusterSums.merge": (sums().merge, [sums()]),
        "ClusterSums.emptied": (sums().emptied, [7]),
        "ClusterSums.move": (weighted().move, [X, weights, 1, (0, 1)]),
        "ClusterSums.outweighs": (sums().outweighs, [1, 2.0]),
        "ClusterSums.clear": (sums().clear, []),
        "ClusterSums.means": (sums().means, [centers(), 2]),
        "ClusterSums.update": (sums().update, [centers(), 2]),
        "ClusterSums.inertia": (sums().inertia, [centers(), 2]),
        "ClusterSums.equal_sums": (sums().equal_sums, [sums()]),
    }


def misaligned(array: np.ndarray) -> np.ndarray:
    moved = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def unlike(array: np.ndarray) -> Iterator[np.ndarray]:
    """Arrays that lie elsewhere, or have another dtype, layout or shape, or values that name nothing."""
    yield misaligned(array)
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    yield array[::-1]
    yield np.asfortranarray(array)
    yield from (array.astype(dtype) for dtype in _DTYPES)
    yield array.reshape(-1)
    yield array[None]
    yield array[()][..., 0]
    for axis in range(array.ndim):
        yield np.zeros([0 if i == axis else n for i, n in enumerate(array.shape)], array.dtype)
        yield np.concatenate([array, array], axis)
        yield np.ascontiguousarray(np.take(array, range(array.shape[axis] - 1), axis))
    extreme = [np.nan, np.inf, -1e308] if array.dtype.kind == "f" else [0, np.iinfo(array.dtype).max]
    if array.dtype.kind == "i":
        extreme += [-1, np.iinfo(array.dtype).min]
    yield from (np.full_like(array, value) for value in extreme)


def others(value: Any) -> Iterator[Any]:
    """What might be given instead of an argument."""
    yield from (None, "x", [], [1.5], (), {}, np.float32(3))
    if isinstance(value, np.ndarray) and value.dtype != bool:
        yield from unlike(value)
    elif isinstance(value, list):
        yield from (value[:-1], value * 2, value * 20, [float("nan")] * len(value), [2**40] * len(value))
    elif isinstance(value, tuple):
        yield from ((-1, 0), (0, 2**40), (K, K), (0, 2**64))
    elif isinstance(value, int):
        yield from (-1, 0, 1, 2**31, 2**62, 2**63, 2**64, 1.5)
    elif isinstance(value, _core.ClusterSums):
        yield from (_core.ClusterSums(K + 1, np.zeros(D)), _core.ClusterSums(K, np.zeros(D + 1)), weighted())
        yield from (sums((2.0**-20,)), sums((2.0**-20, 2.0**-40)), _core.ClusterSums(K, np.zeros(D)))
    elif isinstance(value, _core.LabelChanges):
        X = rows()
        for other in (sums((2.0**-20, 2.0**-40)), sums((2.0**-10,))):
            yield filled(_core.LabelChanges(X, None, other), X)


def exported() -> set[str]:
    names = {name for name in dir(_core) if not name.startswith("_") and callable(getattr(_core, name))}
    for name in sorted(names):
        made = getattr(_core, name)
        if isinstance(made, type):
            methods = (m for m in dir(made) if not m.startswith("_") and callable(getattr(made, m)))
            names |= {f"{name}.{method}" for method in methods}
    return names - {"Plan", "SeedingPlan", "MergePlan"}  # which choose_plan and its like make


def test_the_table_has_every_function_of_the_module() -> None:
    assert set(calls()) == exported()


def rooms() -> dict[str, list[str]]:
    """The methods of each class, and all functions."""
    found: dict[str, list[str]] = {"functions": []}
    for name in sorted(exported()):
        owner = name.partition(".")[0]
        room = owner if isinstance(getattr(_core, owner), type) else "functions"
        found.setdefault(room, []).append(name)
    return found


@pytest.mark.parametrize("room", rooms())
def test_arguments_that_do_not_fit_are_errors_and_no_crash(room: str) -> None:
    for name in rooms()[room]:
        check_refusals(name)


def check_refusals(name: str) -> None:
    call, arguments = calls()[name]
    call(*copy.copy(arguments))
    refused = (*REFUSED, RuntimeError) if name == "select_cpu" else REFUSED
    n_refused = 0
    for place, value in enumerate(arguments):
        for other in others(value):
            if isinstance(value, (int, bool)) and other == 2**62 and name == "draw_rows":
                continue  # so many positions can be asked for
            call, given = calls()[name]
            try:
                call(*given[:place], other, *given[place + 1 :])
            except refused:
                n_refused += 1
    assert n_refused > 0 or not arguments, name
    _core.select_cpu("")


def test_what_would_crash_is_refused() -> None:
    for refused in [
        lambda: _core.assign(np.zeros((4, 0)), np.zeros((2, 0)), np.zeros(4, np.int32), 1),
        lambda: _core.ClusterSums(2, np.zeros(0)),
        lambda: _core.ClusterSums(0, np.zeros(2)),
        lambda: sums().emptied(0),
        lambda: _core.slices_needed(np.zeros((4, 0)), [], [1.0], 1),
        lambda: _core.assign(misaligned(rows()), centers(), labels(), 1),
        lambda: _core.assign(rows(), misaligned(centers()), labels(), 1),
        lambda: _core.assign(rows(), centers(), misaligned(labels()), 1),
        lambda: _core.assign(rows(), centers(), labels().astype(np.int64), 1),
        lambda: _core.assign(rows(), centers(), np.repeat(labels(), 2)[::2], 1),
        lambda: _core.assign(rows(), centers() * np.nan, labels(), 1),
        lambda: _core.Assigner(rows()[:, :2], None, 1),
        lambda: _core.Seeder(rows(), None, np.zeros(N, np.int64), None),
        lambda: _core.Seeder(rows(), None, np.arange(N), _core.Assigner(rows()[:9].copy(), None, 1)),
        lambda: _core.nearest_rows(rows(), np.zeros((0, D)), 1, None, None, 1),
        lambda: _core.nearest_rows(rows(), np.zeros((2, D)), 1, None, np.ones(N - 1), 1),
        lambda: _core.draw_rows(-1, 3, None, (0, 9), 1),
        lambda: sums((2.0**-20, 2.0**-40)).apply(
            _core.LabelChanges(rows(), None, sums((2.0**-20,))), None, 1
        ),
        lambda: _core.ClusterSums.__new__(_core.ClusterSums).__setstate__((0,) * 11),
        lambda: _core.Seeder.of_parts(D, None, np.arange(N)).find(rows(), 0, 1),
        lambda: _core.Seeder.of_parts(D, None, np.arange(N)).add_best([0], 1),
        lambda: _core.Seeder.of_parts(D, None, np.arange(N)).accept(1),
        lambda: begun().find(rows(), 1, 1),
        lambda: begun().find(rows()[:, :2].copy(), 0, 1),
        lambda: seeder().find(rows(), 0, 1),
        lambda: sums().move_sparse(sparse(), labels(), labels() + 1, 1),
        lambda: _core.Seeder.of_sparse(sparse(), np.zeros(N, np.int64)),
    ]:
        with pytest.raises((TypeError, ValueError)):
            refused()


def test_a_damaged_state_is_refused() -> None:
    state = sums().__getstate__()
    for place, value in [(0, 0), (0, K + 1), (1, b""), (1, b"x"), (3, b"\0" * 80), (6, b""), (9, b"\0" * 8)]:
        damaged = (*state[:place], value, *state[place + 1 :])
        with pytest.raises((TypeError, ValueError)):
            _core.ClusterSums.__new__(_core.ClusterSums).__setstate__(damaged)
