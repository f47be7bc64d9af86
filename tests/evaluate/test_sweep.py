"""A sweep measures what it says, tells what it is doing, and its files hold every run."""

from __future__ import annotations

import ast
import csv
import json
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn import metrics
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import load_digits

from kmosaic.cluster import KMeans
from kmosaic.errors import OutputError
from kmosaic.evaluate import (
    STARTING_DOCUMENT,
    TABLE_COLUMNS,
    SweepOptions,
    SweepResult,
    SweepRun,
    starting_document_row,
    sweep,
)
from kmosaic.evaluate.peak_memory import PeakMemory, peak_resident_bytes

ISSUE_FIELDS = {
    "n_clusters",
    "seed",
    "inertia_raw",
    "inertia_scaled",
    "homogeneity",
    "completeness",
    "v_measure",
    "adjusted_rand",
    "accuracy_train",
    "accuracy_test",
    "n_iter",
    "converged",
    "fit_seconds",
    "peak_memory_bytes",
}


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    data = load_digits()
    return data.data.astype(np.uint8), data.target


@pytest.fixture(scope="module")
def labelled(digits: tuple[Any, Any]) -> SweepResult:
    X, y = digits
    options = SweepOptions(max_value=16, keep_models=True)
    return sweep(
        X[:600], y[:600], n_clusters=(12, 5), seeds=(0, 3), test=(X[600:800], y[600:800]), options=options
    )


@pytest.fixture(scope="module")
def unlabelled(digits: tuple[Any, Any]) -> SweepResult:
    return sweep(digits[0][:300], n_clusters=(1, 4), seeds=(0, 1, 2))


class Interrupted(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """A clusterer stopped by Ctrl-C."""

    def __init__(self, n_clusters: int = 2, random_state: int | None = None) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Interrupted:  # noqa: ARG002
        raise KeyboardInterrupt


def test_runs_come_by_n_clusters_then_seed(labelled: SweepResult) -> None:
    assert [(run.n_clusters, run.seed) for run in labelled.runs] == [(5, 0), (5, 3), (12, 0), (12, 3)]


def test_scores_are_those_of_the_same_fit_counted_plainly(
    labelled: SweepResult, digits: tuple[Any, Any]
) -> None:
    X, y = digits
    train, test = slice(0, 600), slice(600, 800)
    for run in labelled.runs:
        fitted = KMeans(n_clusters=run.n_clusters, random_state=run.seed).fit(X[train])
        names = []
        for cluster in range(run.n_clusters):
            counts = Counter(y[train][fitted.labels_ == cluster].tolist())
            names.append(min(label for label in counts if counts[label] == max(counts.values())))
        right = [names[cluster] == label for cluster, label in zip(fitted.labels_, y[train], strict=True)]
        right_test = [names[c] == label for c, label in zip(fitted.predict(X[test]), y[test], strict=True)]
        assert run.accuracy_train == sum(right) / 600
        assert run.accuracy_test == sum(right_test) / 200
        assert run.inertia_raw == fitted.inertia_
        assert run.inertia_scaled == fitted.inertia_ / 16**2
        assert run.homogeneity == pytest.approx(metrics.homogeneity_score(y[train], fitted.labels_))
        assert run.completeness == pytest.approx(metrics.completeness_score(y[train], fitted.labels_))
        assert run.v_measure == pytest.approx(metrics.v_measure_score(y[train], fitted.labels_))
        assert run.adjusted_rand == pytest.approx(metrics.adjusted_rand_score(y[train], fitted.labels_))
        assert (run.n_iter, run.converged) == (fitted.n_iter_, fitted.converged_)
        assert (run.silhouette, run.stability) == (None, None)
        assert run.algorithm == "KMeans"


def test_time_and_memory_are_measured(labelled: SweepResult) -> None:
    for run in labelled.runs:
        assert run.fit_seconds > 0
        assert 10_000_000 < run.peak_memory_bytes < psutil.virtual_memory().total


def test_the_best_seeds_model_is_kept_when_asked(labelled: SweepResult, unlabelled: SweepResult) -> None:
    assert set(labelled.models) == {5, 12}
    for number, model in labelled.models.items():
        assert model.inertia_ == min(run.inertia_raw for run in labelled.runs if run.n_clusters == number)
    assert unlabelled.models == {}


def test_without_labels_silhouette_and_stability(unlabelled: SweepResult, digits: tuple[Any, Any]) -> None:
    X = digits[0][:300]
    one, four = unlabelled.runs[:3], unlabelled.runs[3:]
    labels = [KMeans(n_clusters=4, random_state=run.seed).fit(X).labels_ for run in four]
    rand = [[metrics.adjusted_rand_score(a, b) for b in labels] for a in labels]
    for index, run in enumerate(four):
        assert run.silhouette == pytest.approx(
            metrics.silhouette_score(X.astype(float), labels[index]), abs=1e-9
        )
        assert run.stability == pytest.approx(sum(rand[index][j] for j in range(3) if j != index) / 2)
        assert (run.homogeneity, run.accuracy_train, run.accuracy_test) == (None, None, None)
    assert [(run.silhouette, run.stability) for run in one] == [(None, 1.0)] * 3
    assert unlabelled.recommend().basis == "silhouette"


def test_inertia_is_scaled_by_the_dtype_unless_told() -> None:
    for dtype, scale in [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float64", 1)]:
        X = np.random.default_rng(0).integers(0, 200, (20, 2)).astype(dtype)
        run = sweep(X, n_clusters=[2]).runs[0]
        assert run.inertia_scaled == run.inertia_raw / scale**2


def test_labels_may_be_texts(digits: tuple[Any, Any]) -> None:
    X, y = digits
    names = np.array([f"digit {label}" for label in y])
    by_text = sweep(X[:200], names[:200].tolist(), n_clusters=[5], test=(X[200:300], names[200:300])).runs[0]
    by_code = sweep(X[:200], y[:200], n_clusters=[5], test=(X[200:300], y[200:300])).runs[0]
    assert by_text.accuracy_train == by_code.accuracy_train
    assert by_text.accuracy_test == by_code.accuracy_test


def test_a_label_the_training_rows_lack_is_never_right() -> None:
    X = np.array([[0.0], [1.0], [9.0], [10.0]])
    run = sweep(X, [0, 0, 1, 1], n_clusters=[2], test=(X, [0, 5, 1, 7])).runs[0]
    assert run.accuracy_test == 0.5


def test_mini_batch_and_ones_own_clusterer(digits: tuple[Any, Any]) -> None:
    X = digits[0][:200]
    assert (
        sweep(X, n_clusters=[3], options=SweepOptions(algorithm="minibatch")).runs[0].algorithm
        == "MiniBatchKMeans"
    )
    own = SweepOptions(algorithm=SklearnKMeans(n_init=1))
    run = sweep(X, n_clusters=[3], seeds=[7], options=own).runs[0]
    expected = SklearnKMeans(3, n_init=1, random_state=7).fit(X)
    assert run.inertia_raw == pytest.approx(expected.inertia_, rel=1e-6)


def test_max_iter_reaches_the_fit(digits: tuple[Any, Any]) -> None:
    run = sweep(digits[0], n_clusters=[10], options=SweepOptions(max_iter=1)).runs[0]
    assert (run.n_iter, run.converged) == (1, False)


def test_callbacks_tell_what_happens_in_order(digits: tuple[Any, Any]) -> None:
    told: list[Any] = []
    options = SweepOptions(
        on_start=lambda n_clusters, seed: told.append(("start", n_clusters, seed)),
        on_iteration=lambda progress: told.append(("iteration", progress.iteration)),
        on_run=lambda run: told.append(("run", run.n_clusters, run.seed)),
    )
    sweep(digits[0][:200], n_clusters=(2, 3), seeds=(4,), options=options)
    assert [entry for entry in told if entry[0] != "iteration"] == [
        ("start", 2, 4),
        ("run", 2, 4),
        ("start", 3, 4),
        ("run", 3, 4),
    ]
    starts = [index for index, entry in enumerate(told) if entry[0] == "start"]
    assert all(told[index + 1][0] == "iteration" for index in starts)


def test_ctrl_c_passes_through_and_leaves_no_thread() -> None:
    with pytest.raises(KeyboardInterrupt):
        sweep(np.arange(8.0).reshape(8, 1), n_clusters=[2], options=SweepOptions(algorithm=Interrupted()))
    assert "kmosaic-peak-memory" not in {thread.name for thread in threading.enumerate()}


def test_peak_memory_sees_what_is_held_only_inside() -> None:
    with PeakMemory() as memory:
        before = memory.peak_bytes
        block = np.ones(1 << 23)
        seen_inside = psutil.Process().memory_info().rss
        threading.Event().wait(0.1)
        del block
    assert memory.peak_bytes >= seen_inside >= before + (1 << 25)


def test_the_peak_since_the_start_counts_what_is_freed_again() -> None:
    block = np.ones(1 << 24)
    seen_inside = psutil.Process().memory_info().rss
    del block
    kept_back = 1 << 20  # Linux adds pages to its counts in batches.
    assert seen_inside - kept_back <= peak_resident_bytes() < psutil.virtual_memory().total


ROWS = np.arange(24.0).reshape(12, 2)


def test_bad_input_is_refused_before_any_fit() -> None:
    for arguments, message in [
        ({"n_clusters": []}, "at least one"),
        ({"n_clusters": 5}, "whole numbers"),
        ({"n_clusters": [2.5]}, "whole numbers"),
        ({"n_clusters": ["2"]}, "whole numbers"),
        ({"n_clusters": [True]}, "whole number"),
        ({"n_clusters": [0, 2]}, "n_clusters=0.*1"),
        ({"n_clusters": [-4]}, "n_clusters=-4.*1"),
        ({"n_clusters": [3, 2, 3]}, "names 3 twice"),
        (
            {"n_clusters": [2, 13]},
            "n_clusters=13.*n_samples=12.*n_clusters",
        ),
        ({"X": np.zeros((12, 2)), "n_clusters": [2]}, "1 distinct"),
        ({"X": np.array([[0.0], [-0.0], [1.0]]), "n_clusters": [3]}, "2 distinct"),
        ({"seeds": []}, "seeds.*least"),
        ({"seeds": [-1]}, "seeds=-1.*0"),
        ({"seeds": [1, 1]}, "names 1 twice"),
        ({"seeds": [1 << 32]}, "below"),
        ({"X": np.zeros(5)}, "1D array"),
        ({"X": np.zeros((0, 2))}, "0 sample"),
        ({"X": np.full((12, 2), np.nan)}, "NaN"),
        ({"X": ROWS * 1j}, "Complex"),
        ({"y": [0, 1]}, "2 labels.*12 rows"),
        ({"y": np.linspace(0, 1, 12)}, "Unknown label type"),
        ({"test": (ROWS, np.zeros(12, int))}, "labels.*training"),
        ({"y": [0] * 12, "test": (ROWS[:, :1], [0] * 12)}, "X_test.*1 features.*2"),
        ({"y": [0] * 12, "test": (ROWS, [0] * 11)}, "y_test.*11 labels.*12 rows"),
        ({"y": [0] * 12, "test": (ROWS, ["a"] * 12)}, "label"),
        ({"options": SweepOptions(max_value=0)}, "max_value=0"),
        ({"options": SweepOptions(max_value=float("nan"))}, "max_value=nan"),
        (
            {"options": SweepOptions(algorithm="dbscan")},
            "algorithm='dbscan'",
        ),
    ]:
        given: dict[str, Any] = {
            "n_clusters": [2],
            "options": SweepOptions(algorithm=Interrupted()),
            **arguments,
        }
        with pytest.raises(ValueError, match=message):
            sweep(given.pop("X", ROWS), given.pop("y", None), **given)


def test_table_is_mean_least_and_most_over_seeds(labelled: SweepResult) -> None:
    table = labelled.table()
    assert [(row.n_clusters, row.n_seeds) for row in table] == [(5, 2), (12, 2)]
    for row in table:
        runs = [run for run in labelled.runs if run.n_clusters == row.n_clusters]
        for column in TABLE_COLUMNS:
            values = [getattr(run, column) for run in runs]
            spread = row[column]
            if None in values:
                assert spread is None
                assert row.mean(column) is None
                continue
            assert spread is not None
            assert spread.mean == row.mean(column) == pytest.approx(sum(values) / 2)
            assert (spread.min, spread.max) == (min(values), max(values))
            assert spread.std == pytest.approx(abs(values[0] - values[1]) / 2**0.5)


def test_how_many_images_the_scores_are_of(labelled: SweepResult, unlabelled: SweepResult) -> None:
    assert {(run.n_train, run.n_test, run.n_sampled) for run in labelled.runs} == {(600, 200, None)}
    assert {(run.n_train, run.n_test, run.n_sampled) for run in unlabelled.runs} == {(300, None, 300)}
    assert "200 test images" in labelled.recommend().reason
    assert "drawn from" not in unlabelled.recommend().reason


def test_a_column_says_how_many_seeds_have_it(labelled: SweepResult) -> None:
    spread = labelled.table()[0]["accuracy_test"]
    assert spread is not None
    assert spread.count == 2


def test_json_is_a_list_of_runs_with_every_field(labelled: SweepResult, tmp_path: Path) -> None:
    labelled.to_json(tmp_path / "out.json")
    entries = json.loads((tmp_path / "out.json").read_text())
    assert len(entries) == 4
    assert all(set(entry) >= ISSUE_FIELDS for entry in entries)


def read_back(path: Path) -> list[SweepRun]:
    if path.suffix == ".json":
        return [SweepRun(**entry) for entry in json.loads(path.read_text())]
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    return [SweepRun(**{name: cell_value(name, cell) for name, cell in line.items()}) for line in lines]


def cell_value(name: str, cell: str) -> Any:
    if name == "algorithm":
        return cell
    return None if cell == "" else ast.literal_eval(cell)


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("which", ["labelled", "unlabelled"])
def test_files_hold_every_run(kind: str, which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    result: SweepResult = request.getfixturevalue(which)
    path = tmp_path / f"runs.{kind}"
    getattr(result, f"to_{kind}")(path)
    assert tuple(read_back(path)) == result.runs
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        getattr(SweepResult(()), f"to_{kind}")(path)
    assert path.read_bytes() == before
    getattr(SweepResult(()), f"to_{kind}")(path, overwrite=True)
    assert read_back(path) == []


def test_the_starting_documents_table() -> None:
    assert [row.n_clusters for row in STARTING_DOCUMENT] == [10, 16, 36, 64, 144, 256, 400]
    assert all(a.inertia > b.inertia for a, b in pairwise(STARTING_DOCUMENT))
    row = starting_document_row(36)
    assert row is not None
    assert (row.inertia, row.homogeneity, row.accuracy_train, row.accuracy_test) == (
        1_976_297,
        0.669,
        0.734,
        None,
    )
    assert starting_document_row(37) is None
