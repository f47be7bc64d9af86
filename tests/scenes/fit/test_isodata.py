"""Splitting and merging: as many classes as a scene has land covers, the same bits in every way."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines import Block, BlockEngine, LloydOptions, MemoryEngine, mean_squared_deviations
from kmosaic.errors import DataError
from kmosaic.scenes import segment
from kmosaic.scenes.fit.fitting import FitOptions, SceneFit, fit_scene
from kmosaic.scenes.fit.isodata import MAX_CLASSES, IsodataOptions, isodata
from kmosaic.scenes.passes.memory_plan import MemoryPlan
from kmosaic.scenes.scaling import Scaling

from .test_fitting import PLANS, HeldScene, bits, planned

COVERS = np.array([[30, 40, 20, 10], [60, 70, 50, 120], [120, 110, 100, 90], [200, 190, 180, 200]])
ASKED = IsodataOptions(50, 12, 30)


def land(dtype: str = "uint8", shape: tuple[int, int] = (60, 50)) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Four land covers, one of them a tenth of the scene."""
    random = np.random.default_rng(0)
    cover = random.choice(4, shape, p=[0.5, 0.2, 0.2, 0.1])
    values = np.clip(COVERS[cover] + random.normal(0, 5, (*shape, 4)), 0, 255)
    return np.rint(values).astype(dtype) if dtype[0] == "u" else values.astype(dtype), cover


def fitted(values: NDArray[Any], n_clusters: int, isodata: IsodataOptions, **options: Any) -> SceneFit:
    n_bands = values.shape[2]
    asked = FitOptions(n_clusters, isodata=isodata, **options)
    return fit_scene(HeldScene(values), Scaling.none(n_bands), asked)


def test_from_too_few_or_too_many_to_the_land_covers() -> None:
    for n_clusters, sample in product([1, 2, 4, 9, 40], [None, 1500]):
        values, cover = land()
        fit = fitted(values, n_clusters, ASKED, sample=sample)

        order = np.argsort(fit.centers[:, 0])
        np.testing.assert_allclose(fit.centers[order], COVERS, atol=1.5)
        assert fit.counts[order].tolist() == np.bincount(cover.ravel()).tolist()
        assert fit.converged
        assert fit.n_wide == 0
        assert fit.rounds[0].n_classes == n_clusters
        assert fit.rounds[-1].n_classes == 4
        assert sum(done.n_steps for done in fit.rounds) == len(fit.history)
        assert (n_clusters < 4) == any(done.split for done in fit.rounds)
        assert (n_clusters > 4) == any(done.merged + done.dissolved for done in fit.rounds)


# Every dtype as asked for; where more is split or merged, an integer and a float.
def test_the_plan_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    for dtype, asked in [
        *((dtype, ASKED) for dtype in ("uint8", "uint16", "float32", "float64")),
        *((dtype, IsodataOptions(9, 4, 9)) for dtype in ("uint8", "float32")),
        *((dtype, IsodataOptions(200, 6, 4)) for dtype in ("uint16", "float64")),
    ]:
        values, _ = land(dtype, (12, 150))
        results = []
        for number, (n_lines, holds) in enumerate(PLANS):
            planned(monkeypatch, MemoryPlan(n_lines, "l" in holds, "r" in holds, "b" in holds))
            fit = fitted(values, 7, asked, n_threads=1 + number % 2)
            results.append([*bits(fit), fit.rounds, fit.n_wide])
        assert all(result == results[0] for result in results)


def test_three_bands_of_bytes_are_split_and_merged_as_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.ascontiguousarray(land()[0][..., :3] // 4 * 4)
    results = []
    for bounds in (False, True):
        planned(monkeypatch, MemoryPlan(8, True, True, bounds))
        results.append(bits(fitted(np.repeat(values, 4, axis=1), 7, ASKED)))
    assert results[0] == results[1]


def slow_lloyd(X: NDArray[np.float64], centers: NDArray[np.float64], most: int) -> tuple[Any, Any, bool]:
    """Centres and labels after ``most`` steps at most, and whether nothing was left to move."""
    labels = np.full(len(X), -1)
    for _ in range(most):
        new = np.square(X[:, None] - centers).sum(axis=2).argmin(axis=1)
        if (new == labels).all():
            return centers, labels, True
        labels = new
        centers = np.array([X[labels == j].mean(axis=0) for j in range(len(centers))])
    labels = np.square(X[:, None] - centers).sum(axis=2).argmin(axis=1)
    return centers, labels, False


def slow_change(
    X: NDArray[np.float64], centers: NDArray[np.float64], labels: NDArray[np.int64], asked: IsodataOptions
) -> NDArray[np.float64] | None:
    """Centres to go on from; None where there is nothing to change."""
    k = len(centers)
    counts = np.bincount(labels, minlength=k)
    small = sorted((int(counts[j]), j) for j in range(k))[: k // 2]
    gone = [j for n, j in small if n < asked.min_size]
    if gone:
        return np.delete(centers, gone, axis=0)
    spreads = np.array([np.sqrt(np.square(X[labels == j] - centers[j]).mean(axis=0)) for j in range(k)])
    wide = [j for j in range(k) if spreads[j].max() > asked.max_spread and counts[j] >= 2 * asked.min_size]
    gaps = sorted((float(np.linalg.norm(centers[i] - centers[j])), i, j) for j in range(k) for i in range(j))
    taken, new, halves = set(wide), dict(enumerate(centers)), []
    for j in sorted(wide, key=lambda j: -spreads[j].max()):
        step = np.zeros(centers.shape[1])
        step[spreads[j].argmax()] = spreads[j].max() / 2
        new[j], half = centers[j] - step, centers[j] + step
        halves.append(half)
    for gap, i, j in gaps:
        if gap < asked.min_distance and not {i, j} & taken:
            taken |= {i, j}
            new[i] = np.average(centers[[i, j]], axis=0, weights=counts[[i, j]])
            del new[j]
    return None if not taken else np.array([*new.values(), *halves])


def test_a_slow_oracle_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[NDArray[np.float64]] = []
    from kmosaic.scenes.fit import isodata as module

    run = module.lloyd
    monkeypatch.setattr(module, "lloyd", lambda *given: (starts.append(given[1]), run(*given))[1])
    values, _ = land("float64")
    for asked, n_clusters in product(
        [ASKED, IsodataOptions(20, 20, 25), IsodataOptions(100, 8, 40)], [1, 3, 12]
    ):
        starts.clear()
        fit = fitted(values, n_clusters, asked)
        check_rounds(fit, values.reshape(-1, 4), starts[0], asked)


def check_rounds(
    fit: SceneFit, X: NDArray[np.float64], centers: NDArray[np.float64], asked: IsodataOptions
) -> None:

    n_rounds = 0
    while True:
        centers, labels, done = slow_lloyd(X, centers, 10)
        changed = slow_change(X, centers, labels, asked)
        n_rounds += 1
        if changed is None and not done:
            centers, labels, _ = slow_lloyd(X, centers, 1000)
            changed = slow_change(X, centers, labels, asked)
            n_rounds += 1
        if changed is None:
            break
        centers = changed
    assert n_rounds == len(fit.rounds)
    np.testing.assert_allclose(fit.centers, centers, rtol=1e-9)
    assert fit.counts.tolist() == np.bincount(labels).tolist()


class SentAway:
    """Rows in blocks of which each goes to another process, and its result back."""

    def __init__(self, X: NDArray[Any]) -> None:
        self._X, self.n_features, self.dtype = X, X.shape[1], X.dtype

    def map(self, task: Callable[[Block], Any]) -> Iterator[Any]:
        for first in range(0, len(self._X), 700):
            there = pickle.loads(pickle.dumps(task))
            yield pickle.loads(pickle.dumps(there(Block(self._X[first : first + 700], first))))

    def merged(self, task: Callable[[Block], _core.ClusterSums]) -> _core.ClusterSums:
        total, *others = self.map(task)
        for other in others:
            total.merge(other)
        return total


def test_other_processes_find_the_same() -> None:
    for dtype in ["uint8", "float32"]:
        X = land(dtype)[0].reshape(-1, 4)
        steps = LloydOptions(300, 0.0, "relocate", np.random.RandomState(0), lambda *_: None)
        away = BlockEngine(SentAway(X), 1)
        results = [
            isodata(engine, partial(mean_squared_deviations, away), X[:9].astype(np.float64), ASKED, steps)
            for engine in (away, MemoryEngine(X, None, 2, keeps_bounds=True))
        ]
        assert results[0].last.centers.tobytes() == results[1].last.centers.tobytes()
        assert [r.n_classes for r in results[0].rounds] == [r.n_classes for r in results[1].rounds]
        assert len(results[0].last.centers) == 4


def test_what_cannot_be_had_together_ends_all_the_same() -> None:
    """Halves of a wide class are nearer than merged classes are left; sizes and distances are kept to."""
    random = np.random.default_rng(1)
    values = random.integers(0, 256, (60, 50, 2), dtype=np.uint8)
    asked = IsodataOptions(60, 10, 60)
    fit = fitted(values, 5, asked)
    gaps = np.linalg.norm(fit.centers[:, None] - fit.centers, axis=2)[np.triu_indices(len(fit.centers), 1)]
    assert fit.converged
    assert fit.n_wide > 0
    assert fit.counts.min() >= 60
    assert gaps.min() >= 60
    assert sum(done.split for done in fit.rounds) > 0


def test_no_more_classes_than_a_byte_holds() -> None:
    values = np.random.default_rng(2).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    fit = fitted(values, 200, IsodataOptions(1, 0.5, 0))
    assert len(fit.centers) == MAX_CLASSES
    assert fit.n_wide > 0


def test_one_class_is_never_dissolved_and_few_pixels_are_no_error() -> None:
    values = np.full((3, 3, 2), 9, np.uint8)
    fit = fitted(values, 4, IsodataOptions(100, 5, 5))
    assert fit.centers.tolist() == [[9.0, 9.0]]
    assert fit.counts.tolist() == [9]


def test_labels_are_of_the_classes_found() -> None:
    values, cover = land()
    result = segment(np.moveaxis(values, 2, 0), 9, isodata=ASKED)
    assert result.labels is not None
    pairs = np.unique(np.stack([result.labels.ravel(), cover.ravel()]), axis=1)
    assert pairs.shape[1] == result.model.n_classes == 4


def test_bad_options_are_refused() -> None:
    for given, message in [
        ((0, 1, 1), "size.*0 pixels"),
        ((1, 0, 1), "spread.*0"),
        ((1, math.nan, 1), "spread.*nan"),
        ((1, 1, -1), "distance.*-1"),
        ((1, 1, math.inf), "distance.*inf"),
    ]:
        with pytest.raises(DataError, match=message):
            IsodataOptions(*given)


def test_names_for_classes_not_yet_known_are_refused() -> None:
    with pytest.raises(DataError, match="classes"):
        segment(land()[0], 2, isodata=ASKED, names=["a", "b"])
