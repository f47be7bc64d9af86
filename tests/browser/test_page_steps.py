"""The steps that the page computes are those of KMeans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kmosaic.explain
from kmosaic import KMeans
from kmosaic.explain import Lesson, trace
from kmosaic.report.scripting import joined_modules

from .conftest import Opener

MODULE = Path(kmosaic.explain.__file__).parent / "scripts" / "kmeans.js"


@pytest.fixture
def page(opened: Opener) -> Any:
    """An empty page with the lesson's k-means."""
    page = opened()
    names = "run, assign, means, inertia, randomStart, carefulStart, seededRandom"
    page.add_script_tag(content=f"{joined_modules(MODULE)}\nglobalThis.kmeans = {{ {names} }};")
    return page


def page_steps(page: Any, X: np.ndarray, start: np.ndarray, policy: str = "relocate") -> list[dict[str, Any]]:
    return page.evaluate(
        "([points, start, policy]) => kmeans.run(points, start, policy)", [X.tolist(), start.tolist(), policy]
    )


@pytest.mark.parametrize("policy", ["relocate", "drop"])
def test_steps_are_those_of_kmeans(page: Any, policy: str) -> None:
    for seed in range(12):
        X, start = points_and_start(seed)
        steps = page_steps(page, X, start, policy)
        ours = trace(X, start, empty_clusters=policy)
        model = KMeans(len(start), init=start, empty_clusters=policy).fit(X)

        assert [step["kind"] for step in steps] == [step.kind for step in ours.steps]
        for step, own in zip(steps, ours.steps, strict=True):
            assert step["ids"] == list(own.ids)
            np.testing.assert_allclose(step["centroids"], own.centers, rtol=1e-9, atol=1e-12)
            if own.labels is not None:
                assert step["labels"] == own.labels.tolist()
                assert step["inertia"] == pytest.approx(own.inertia, rel=1e-9)
        history = [step["inertia"] for step in steps[1:]]
        assert history == pytest.approx(model.inertia_history_.tolist(), rel=1e-9)
        assert steps[-1]["labels"] == model.labels_.tolist()


def points_and_start(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random points of random shape and scale; every third start has a centroid that nobody is nearest to."""
    random = np.random.default_rng(seed)
    n_clusters = int(random.integers(1, 9))
    shape = (int(random.integers(20, 200)), int(random.integers(1, 5)))
    X = random.normal(size=shape) * 10.0 ** random.integers(-3, 4)
    start = X[random.choice(len(X), n_clusters, replace=False)]
    if seed % 3 == 0 and n_clusters > 1:
        start[-1] = 3 * X.max() + 1
    return X, start


def test_a_hundred_restarts_end_as_they_did_for_kmeans(page: Any, lesson: Lesson) -> None:
    found = lesson.starts.random
    points = lesson.starts.data.points.tolist()
    ends = page.evaluate(
        "([points, starts]) => starts.map(start => kmeans.run(points, start).at(-1).inertia)",
        [points, found.starts.tolist()],
    )
    assert ends == pytest.approx(found.inertia.tolist(), rel=1e-9)


def test_a_random_policy_fills_every_empty_cluster_and_inertia_never_rises(page: Any) -> None:
    X = np.random.default_rng(1).normal(size=(60, 2))
    start = np.vstack([X[:2], [[50.0, 50.0], [60.0, 60.0]]])
    steps = page_steps(page, X, start, "random")
    assert steps[2]["filled"] == [2, 3]
    history = [step["inertia"] for step in steps[1:]]
    assert history == sorted(history, reverse=True)
    assert len(set(steps[-1]["labels"])) == 4


@pytest.mark.parametrize("draw", ["randomStart", "carefulStart"])
def test_starts_are_different_points(page: Any, draw: str) -> None:
    X = np.repeat(np.random.default_rng(2).integers(0, 9, (30, 2)), 3, axis=0)
    drawn = page.evaluate(f"(points) => kmeans.{draw}(points, 6, kmeans.seededRandom(5))", X.tolist())
    assert len({tuple(point) for point in drawn}) == 6
    assert {tuple(point) for point in drawn} <= {tuple(point) for point in X.tolist()}


def test_a_careful_start_is_better_than_a_random_one(page: Any, lesson: Lesson) -> None:
    points = lesson.starts.data.points.tolist()
    mean = """([points, draw]) => {
      const random = kmeans.seededRandom(3);
      const start = () => kmeans[draw](points, 5, random);
      const ends = Array.from({length: 60}, () => kmeans.run(points, start()).at(-1).inertia);
      return ends.reduce((a, b) => a + b) / 60;
    }"""
    assert page.evaluate(mean, [points, "carefulStart"]) < 0.7 * page.evaluate(mean, [points, "randomStart"])
