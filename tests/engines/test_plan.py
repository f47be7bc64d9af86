"""What the planner chooses by shape and dtype, that it is what runs, and that a fit tells."""

from __future__ import annotations

import copy
import logging
import pickle
import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import kmosaic
from instruction_sets import on_every_cpu
from kmosaic import KMeans, MiniBatchKMeans, _core
from kmosaic.engines import make_engine
from reference import Array

MANY = _core.MANY_STEPS

# dtype, shape, k, steps: path, bounds, PCA codes, labels of a byte
TABLE = [
    ("uint8", (60_000, 784), 256, MANY, ("bounded_int8", True, True, False)),
    ("uint8", (60_000, 784), 10, MANY, ("bounded_int8", True, False, False)),
    ("uint8", (60_000, 784), 10, 1, ("one_pass_int8", False, False, False)),
    ("uint8", (500, 784), 100, MANY, ("bounded_int8", True, False, False)),
    ("uint8", (500, 64), 8, MANY, ("float32", True, False, False)),
    ("float32", (100_000, 40), 5, MANY, ("float32", True, False, False)),
    ("float32", (100_000, 1280), 9, MANY, ("float32", True, False, False)),
    ("float32", (100_000, 1280), 10, MANY, ("bounded_int8", True, False, False)),
    ("float32", (100_000, 128), 1000, MANY, ("bounded_int8", True, False, False)),
    ("float32", (100_000, 128), 1000, 1, ("one_pass_int8", False, False, False)),
    ("float32", (100_000, 128), 100, 1, ("float32", False, False, False)),
    ("float64", (5_000, 33), 20, MANY, ("float32", True, False, False)),
    ("float64", (5_000, 33), 20, 1, ("float32", False, False, False)),
    ("float32", (200_000, 16), 20, MANY, ("float32", True, False, True)),
    ("float64", (12, 2), 3, 1, ("float32", False, False, True)),
    ("uint8", (1_000_000, 3), 300, MANY, ("float32", True, False, False)),
]


def test_choices() -> None:
    for dtype, shape, k, steps, expected in TABLE:
        plan = _core.choose_plan(dtype, shape, k, steps)
        assert (plan.path, plan.bounds, plan.pca_codes, plan.small_labels) == expected, plan.reason
        assert f"{k:,}" in plan.reason
        assert f"{shape[1]:,}" in plan.reason


@on_every_cpu
def test_int16_kernels_are_used_where_there_are_some() -> None:
    cpu = str(_core.cpu()["variant"])
    for dtype, d in (("uint8", 3), ("uint16", 13)):
        X = np.random.default_rng(1).integers(0, 200, (500, d)).astype(dtype)
        engine = make_engine(X, steps_expected=MANY)
        for _ in range(2):
            engine.assign(X[:9].astype(float))
        has_int16 = cpu.startswith("avx512")
        path = "int16" if has_int16 else "float32"
        assert (engine.plan().path, engine.plan().bounds) == (path, not has_int16)
        assert engine._steps().n_steps == {path: 2}
        assert cpu in str(engine.plan())


def low_rank(n: int, d: int) -> Array:
    random = np.random.default_rng(2)
    middles = random.integers(0, 256, (40, d))
    return np.clip(middles[random.integers(0, 40, n)] + random.normal(0, 4, (n, d)), 0, 255).astype(np.uint8)


def test_a_fit_runs_as_planned() -> None:
    for (X, k, path, pca_codes), weighted in product(
        [
            (low_rank(4200, 200), 20, "bounded_int8", True),
            (low_rank(4200, 200), 10, "bounded_int8", False),
            (low_rank(300, 200), 20, "bounded_int8", False),
            (np.random.default_rng(3).random((900, 40), np.float32), 5, "float32", False),
            (np.exp(np.random.default_rng(3).normal(0, 9, (900, 150))), 90, "float32", False),
            (np.random.default_rng(3).random((900, 33)), 7, "float32", False),
            (np.random.default_rng(3).random((900, 5), np.float32), 7, "float32", False),
        ],
        [False, True],
    ):
        engine = make_engine(X, np.arange(1.0, len(X) + 1) if weighted else None, 2, steps_expected=MANY)
        for n_steps in (1, 2):
            engine.assign(X[:k].astype(float))
            assert engine._steps().n_steps == {path: n_steps}
        assert (engine.plan().path, engine.plan().pca_codes) == (path, pca_codes)
        assert engine.plan().bounds == (k != 90)  # whose codes tell no rows apart


def test_bounds_wait_until_labels_settle() -> None:
    X = np.random.default_rng(3).random((900, 150))
    engine = make_engine(X, None, 2, steps_expected=MANY)
    for n_steps in ({"one_pass_int8": 1}, {"one_pass_int8": 2}, {"one_pass_int8": 2, "bounded_int8": 1}):
        engine.assign(X[:90])
        assert engine._steps().n_steps == n_steps
    assert engine.plan().path == "bounded_int8"


def test_rows_in_few_dimensions_meet_near_centroids() -> None:
    X = (low_rank(4200, 60) / 7).astype(np.float32)
    engine = make_engine(X, None, 2, steps_expected=MANY)
    for n_steps in ({"one_pass_int8": 1}, {"one_pass_int8": 1, "near_centers": 1}):
        engine.assign(X[:300].astype(float))
        assert engine._steps().n_steps == n_steps
    assert (engine.plan().path, engine.plan().bounds) == ("near_centers", True)
    engine.forget_labels()
    engine.assign(X[:300].astype(float))
    assert engine._steps().n_steps == {"one_pass_int8": 2, "near_centers": 1}


def test_rows_assigned_once_run_as_planned() -> None:
    for X, path in ((low_rank(300, 140), "one_pass_int8"), (low_rank(300, 40) / 3, "float32")):
        engine = make_engine(X)
        for n_steps in (1, 2):
            engine.assign(X[:3].astype(float))
            assert engine._steps().n_steps == {path: n_steps}


def test_seeding_and_assigning_each_get_what_pays() -> None:
    X = low_rank(4200, 200)
    for k, init, seeding, assigning in (
        (5, "k-means++", False, False),
        (10, "k-means++", True, True),  # where they have been made, they are used
        (10, X[:10], False, False),
        (10, "random", False, False),
        (20, "k-means++", True, True),
        (20, X[:20], False, True),
    ):
        plan = KMeans(k, init=init, n_init=1, random_state=0, max_iter=2).fit(X).plan_
        assert (plan.seeding_pca_codes, plan.pca_codes) == (seeding, assigning), (k, init)


def test_what_the_data_tell_is_recorded() -> None:
    noise = np.random.default_rng(4).integers(0, 256, (4200, 400), dtype=np.uint8)
    plan = KMeans(20, random_state=0, max_iter=2).fit(noise).plan_
    assert not plan.pca_codes
    assert not plan.seeding_pca_codes
    assert "64 directions" in str(plan)
    assert "dropped" in plan.reasons[-1]


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_estimators_have_their_plan(estimator: Any, caplog: pytest.LogCaptureFixture) -> None:
    X = np.random.default_rng(5).random((300, 4))
    with caplog.at_level(logging.DEBUG, logger="kmosaic"):
        model = estimator(3, random_state=0).fit(X)
    assert model.plan_.path == "float32"
    assert len(model.plan_.reasons) == len(caplog.records) > 0
    assert model.plan_ == pickle.loads(pickle.dumps(model)).plan_ == copy.deepcopy(model).plan_
    assert not hasattr(clone(model), "plan_")
    with pytest.raises(AttributeError):
        model.plan_.path = "exact"


def test_nothing_is_logged_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="kmosaic"):
        KMeans(2, random_state=0).fit(np.arange(9.0)[:, None])
    assert not caplog.records


def test_only_the_factory_makes_engines() -> None:
    package = Path(kmosaic.__file__).parent
    makes = re.compile(r"(?<!class )\bMemoryEngine\(")
    makers = [path.name for path in package.rglob("*.py") if makes.search(path.read_text())]
    assert makers == ["factory.py"]
