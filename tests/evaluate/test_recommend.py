"""Knees are found where there are some and only there; recommendations say how weak they are."""

from __future__ import annotations

import math
import re
import statistics
from typing import Any

import numpy as np
import pytest

from kmosaic.cluster import KMeans
from kmosaic.evaluate import STARTING_DOCUMENT, SweepResult, SweepRun, find_knee, recommend
from kmosaic.evaluate.unlabelled import LabelSample, stabilities


def run(n_clusters: int, seed: int = 0, **scores: Any) -> SweepRun:
    fields: dict[str, Any] = {
        "n_clusters": n_clusters,
        "seed": seed,
        "algorithm": "KMeans",
        "inertia_raw": 1000.0 / n_clusters,
        "inertia_scaled": 1.0 / n_clusters,
        **dict.fromkeys(
            ("homogeneity", "completeness", "v_measure", "adjusted_rand", "accuracy_train", "accuracy_test")
        ),
        "silhouette": None,
        "stability": None,
        "n_iter": 5,
        "converged": True,
        "fit_seconds": 0.1,
        "peak_memory_bytes": 1000,
    }
    return SweepRun(**{**fields, **scores})


def of(*runs: SweepRun, tolerance: float = 0.01) -> Any:
    return SweepResult(runs).recommend(tolerance)


def naive_depths(k: list[int], J: list[float]) -> list[float]:
    """How far each point lies below the chord of the log-log curve, in its unit square."""
    depths = []
    for number, inertia in zip(k, J, strict=True):
        share = (math.log(number) - math.log(k[0])) / (math.log(k[-1]) - math.log(k[0]))
        chord = math.log(J[0]) + share * (math.log(J[-1]) - math.log(J[0]))
        depths.append((chord - math.log(inertia)) / (math.log(J[0]) - math.log(J[-1])))
    return depths


def test_knee_is_the_deepest_point_below_the_chord() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        k = sorted(rng.choice(np.arange(1, 300), 7, replace=False).tolist())
        J = np.sort(rng.random(7) + 0.01)[::-1].tolist()
        depths = naive_depths(k, J)
        knee = find_knee(k, J)
        assert knee is not None
        assert knee.strength == pytest.approx(max(depths), abs=1e-12)
        assert knee.n_clusters == (k[int(np.argmax(depths))] if max(depths) >= 0.1 else None)
        assert knee.word == ("none" if max(depths) < 0.1 else "weak" if max(depths) < 0.3 else "clear")


K = [2, 3, 4, 5, 6, 8, 10, 14, 20]


def curve(X: Any) -> list[float]:
    return [KMeans(k, n_init=3, random_state=0).fit(X).inertia_ for k in K]


def test_separate_clusters_have_a_clear_knee_and_noise_has_none() -> None:
    for n_features in [2, 10]:
        rng = np.random.default_rng(1)
        centers = np.zeros((6, n_features))
        centers[:, :2] = 12 * np.array([[np.cos(t), np.sin(t)] for t in np.arange(6) * np.pi / 3])
        blobs = find_knee(K, curve(centers[rng.integers(6, size=400)] + rng.normal(size=(400, n_features))))
        noise = find_knee(K, curve(rng.random((400, n_features))))
        assert blobs is not None
        assert noise is not None
        assert (blobs.n_clusters, blobs.word) == (6, "clear")
        assert (noise.n_clusters, noise.word) == (None, "none")
        assert noise.strength < 0.1 < blobs.strength < 1


def test_the_starting_documents_curve_has_no_knee() -> None:
    knee = find_knee(
        [row.n_clusters for row in STARTING_DOCUMENT], [row.inertia for row in STARTING_DOCUMENT]
    )
    assert knee is not None
    assert (knee.n_clusters, knee.word) == (None, "none")
    assert knee.strength < 0.05


def test_no_knee_can_be_looked_for() -> None:
    for k, J in [([5], [1.0]), ([5, 6], [2.0, 1.0]), ([1, 2, 3], [1.0, 1.0, 1.0])]:
        assert find_knee(k, J) is None


def test_inertia_zero_has_no_logarithm_and_no_knee_either() -> None:
    knee = find_knee([1, 2, 4], [10.0, 5.0, 0.0])
    assert knee is not None
    assert knee.n_clusters is None


def test_a_knee_smaller_than_the_spread_over_seeds_is_none() -> None:
    J = {1: 1000.0, 2: 400.0, 4: 100.0, 8: 80.0, 16: 64.0}
    steady = of(*[run(k, inertia_raw=value) for k, value in J.items()])
    assert (steady.knee, steady.knee_word) == (4, "clear")
    runs = [run(k, seed, inertia_raw=value * (1, 4)[seed]) for k, value in J.items() for seed in (0, 1)]
    noisy = of(*runs)
    assert noisy.knee is None
    assert noisy.knee_strength == pytest.approx(steady.knee_strength)


def test_the_fewest_within_tolerance_of_the_best_test_accuracy() -> None:
    runs = [
        run(10, accuracy_train=0.5, accuracy_test=0.50),
        run(64, accuracy_train=0.9, accuracy_test=0.895),
        run(256, accuracy_train=0.95, accuracy_test=0.90),
        run(400, accuracy_train=0.99, accuracy_test=0.88),
    ]
    found = of(*runs)
    assert (found.n_clusters, found.basis, found.best_n_clusters) == (64, "accuracy_test", 256)
    assert (found.score, found.best_score) == (0.895, 0.90)
    assert "64 clusters" in found.reason
    assert "one seed" in found.reason
    assert "no knee" in found.reason
    assert "the most" not in found.reason
    assert of(*runs, tolerance=0.0).n_clusters == 256
    assert of(*runs, tolerance=1.0).n_clusters == 10


def test_train_accuracy_only_where_there_is_no_test_set_and_with_a_warning() -> None:
    found = of(run(10, accuracy_train=0.5), run(400, accuracy_train=0.99))
    assert (found.n_clusters, found.basis) == (400, "accuracy_train")
    assert "too many" in found.reason
    assert "400 is the most" in found.reason


def test_the_mean_over_seeds_decides_and_the_spread_is_told() -> None:
    runs = [run(5, seed, accuracy_test=value) for seed, value in enumerate((0.2, 0.3))]
    runs += [run(9, seed, accuracy_test=value) for seed, value in enumerate((0.6, 0.7))]
    found = of(*runs)
    assert found.n_clusters == 9
    assert found.score == pytest.approx(0.65)
    assert re.search("2 seeds.*0.600 to 0.700", found.reason)


def small_test_set(**accuracies: Any) -> Any:
    """Three seeds for each of k = 3, 4, 6 and 9, tested on 18 images."""
    scores = {3: (6, 4, 5), 4: (4, 7, 9), 6: (5, 6, 6), 9: (0, 1, 0)}
    return of(
        *[
            run(k, seed, accuracy_test=right / 18, n_test=18, **accuracies)
            for k, rights in scores.items()
            for seed, right in enumerate(rights)
        ]
    )


def test_the_standard_error_counts_test_images_and_seeds() -> None:
    found = small_test_set()
    p, n, seeds = 15 / 54, 18, [6 / 18, 4 / 18, 5 / 18]
    expected = math.sqrt(p * (1 - p) / n + statistics.variance(seeds) / 3)
    assert found.standard_error == pytest.approx(expected)
    assert re.search(f"18 test images.* {expected:.3f}", found.reason)
    assert f"standard deviation of {statistics.stdev(seeds):.3f}" in found.reason


def test_numbers_of_clusters_that_cannot_be_told_from_the_best_are_named() -> None:
    found = small_test_set()
    assert (found.n_clusters, found.best_n_clusters, found.as_good_as_best) == (3, 4, (3, 6))
    assert re.search("3 clusters.*the best, 4.*from 6", found.reason)
    assert found.reason.count("two standard errors") == 1


def test_scatter_over_seeds_does_not_make_a_number_as_good_as_the_best() -> None:
    scores = {10: (0.73, 0.89), 36: (0.92, 0.93), 64: (0.95, 0.953)}
    found = of(*[run(k, s, accuracy_test=v[s], n_test=359) for k, v in scores.items() for s in (0, 1)])
    assert (found.n_clusters, found.as_good_as_best) == (36, (36,))


def test_the_fewest_that_cannot_be_told_from_the_best_are_recommended_whatever_the_tolerance() -> None:
    scores = {10: 0.50, 64: 0.85, 144: 0.88, 256: 0.87}
    runs = [run(k, accuracy_test=p, n_test=359) for k, p in scores.items()]
    for tolerance in (0.0, 0.01):
        found = of(*runs, tolerance=tolerance)
        assert (found.n_clusters, found.score, found.best_n_clusters) == (64, 0.85, 144)
        assert found.as_good_as_best == (64, 256)
        assert found.reason.count("64") == 1


def test_more_test_images_tell_more_apart() -> None:
    for n_test, rivals in [(50, (5,)), (5000, ())]:
        found = of(run(5, accuracy_test=0.5, n_test=n_test), run(9, accuracy_test=0.6, n_test=n_test))
        assert found.as_good_as_best == rivals
        assert found.n_clusters == (5 if rivals else 9)
        said = "fewest that cannot be told from the best, 9" if rivals else "differs from every other"
        assert said in found.reason
        assert "one seed" in found.reason


def test_nearly_the_best_says_what_the_best_cannot_be_told_from() -> None:
    runs = [run(k, accuracy_test=p, n_test=1000) for k, p in ((5, 0.895), (9, 0.9), (20, 0.2))]
    found = of(*runs)
    assert (found.n_clusters, found.best_n_clusters, found.as_good_as_best) == (5, 9, (5,))
    assert re.search("5 clusters.*fewest.*the best, 9", found.reason)


def test_nearly_the_best_by_tolerance_alone_says_what_the_best_cannot_be_told_from() -> None:
    runs = [run(k, accuracy_test=p, n_test=1_000_000) for k, p in ((5, 0.895), (9, 0.9), (20, 0.8999))]
    found = of(*runs)
    assert (found.n_clusters, found.best_n_clusters, found.as_good_as_best) == (5, 9, (20,))
    assert re.search("within 0.01.*9.* from 20", found.reason)


def test_all_right_on_few_images_is_not_certain() -> None:
    found = of(*[run(k, accuracy_test=1.0, n_test=18) for k in (2, 3)])
    assert found.standard_error == pytest.approx(math.sqrt(0.5 / 18 * (17.5 / 18) / 18))
    assert found.as_good_as_best == (3,)


def test_without_the_number_of_images_no_certainty_is_claimed() -> None:
    found = of(run(2, accuracy_test=0.2), run(3, accuracy_test=0.9))
    assert (found.standard_error, found.as_good_as_best) == (None, ())
    assert "not known" in found.reason
    assert "two standard errors" not in found.reason


SCORES: list[dict[str, Any]] = [{"accuracy_test": 0.5}, {"accuracy_train": 0.5}, {"silhouette": 0.5}, {}]


def test_one_number_of_clusters_alone_compares_with_nothing() -> None:
    for scores in SCORES:
        found = of(run(7, **scores))
        assert found.n_clusters == 7
        assert re.match("Only one number.* 7", found.reason)
        assert ("is 0.500" in found.reason) == bool(scores)
        for claim in ("best", "fewest", "no smaller", "knee", "too few", "smallest"):
            assert claim not in found.reason


def test_one_value_is_no_range() -> None:
    for n_seeds, said in [(2, "Both seeds"), (3, "3 seeds")]:
        found = of(*[run(k, seed, accuracy_test=k * 0.062) for k in (1, 2) for seed in range(n_seeds)])
        assert said in found.reason
        assert "runs from" not in found.reason


def test_a_score_that_only_one_seed_has_is_no_range_either() -> None:
    found = of(run(2, 0, silhouette=0.4), run(2, 1), run(1, 0), run(1, 1))
    assert "one seed of 2" in found.reason
    assert re.search("Only 2.*scored", found.reason)


def test_a_silhouette_is_called_sampled_only_where_it_is() -> None:
    for sizes, said in [
        ({"n_train": 300, "n_sampled": 300}, "mean silhouette, 0.400"),
        ({}, "mean silhouette, 0.400"),
        ({"n_train": 60_000, "n_sampled": 2000}, "60,000, 0.400"),
    ]:
        found = of(run(2, silhouette=0.2, **sizes), run(3, silhouette=0.4, **sizes))
        assert said in found.reason
        assert "sampled" not in found.reason


def test_the_smallest_compared_is_not_said_to_beat_smaller_ones() -> None:
    found = of(run(2, accuracy_test=0.9), run(3, accuracy_test=0.4))
    assert "2 clusters" in found.reason
    assert "smaller" in found.reason


def test_the_best_of_the_stable_ones_is_not_called_the_best_of_all() -> None:
    given = {2: (0.9, 0.1), 4: (0.2, 0.9), 6: (0.4, 0.8)}
    runs = [run(k, s, silhouette=a, stability=b) for k, (a, b) in given.items() for s in (0, 1)]
    assert re.search(r"stable.*\(0.5 ", of(*runs).reason)
    alone = of(*[entry for entry in runs if entry.n_clusters != 4])
    assert re.match("Only 6.*stable", alone.reason)


def test_without_labels_the_spread_over_seeds_tells_apart() -> None:
    scores = {2: (0.1, 0.1), 3: (0.3, 0.5), 5: (0.38, 0.44)}
    runs = [run(k, s, silhouette=v[s], stability=0.9) for k, v in scores.items() for s in (0, 1)]
    found = of(*runs, tolerance=0.0)
    assert (found.best_n_clusters, found.as_good_as_best) == (5, (3,))
    assert "standard errors" in found.reason


def test_without_labels_the_silhouette_of_the_stable_ones_decides() -> None:
    runs = [run(2, seed, silhouette=0.30, stability=0.95) for seed in (0, 1)] + [
        run(6, seed, silhouette=0.60, stability=0.90) for seed in (0, 1)
    ]
    runs += [run(9, seed, silhouette=0.75, stability=0.30) for seed in (0, 1)]
    found = of(*runs)
    assert (found.n_clusters, found.basis) == (6, "silhouette")
    assert "reasonable structure" in found.reason
    assert "agree to 0.90" in found.reason


def test_where_no_number_of_clusters_is_stable_that_is_said() -> None:
    runs = [run(k, seed, silhouette=0.1 * k, stability=0.2) for k in (2, 3) for seed in (0, 1)]
    found = of(*runs)
    assert found.n_clusters == 3
    assert "more stable" in found.reason


def test_the_silhouette_is_put_in_words() -> None:
    for silhouette, word in [
        (0.8, "strong"),
        (0.6, "reasonable"),
        (0.4, "weak structure"),
        (0.1, "no substantial"),
    ]:
        found = of(run(1), run(3, silhouette=silhouette))
        assert found.n_clusters == 3
        assert word in found.reason
        assert "not measured" in found.reason


def test_with_inertia_alone_the_knee_decides_or_nothing_does() -> None:
    bent = of(
        *[run(k, inertia_raw=J) for k, J in ((1, 1000.0), (2, 500.0), (4, 50.0), (8, 45.0), (16, 40.0))]
    )
    assert (bent.n_clusters, bent.basis, bent.knee) == (4, "knee", 4)
    straight = of(run(2), run(4), run(8))
    assert (straight.n_clusters, straight.basis, straight.knee_word) == (2, "nothing", "none")
    assert "smallest" in straight.reason


def test_bad_tolerance() -> None:
    for tolerance in [-0.1, math.nan, math.inf]:
        with pytest.raises(ValueError, match="tolerance"):
            recommend(SweepResult((run(2),)).table(), tolerance=tolerance)


def test_no_runs() -> None:
    with pytest.raises(ValueError, match="no runs"):
        of()


def naive_silhouette(X: Any, labels: Any) -> float:
    scores = []
    for i in range(len(X)):
        means = {}
        for cluster in set(labels.tolist()):
            members = [j for j in range(len(X)) if labels[j] == cluster and j != i]
            if members:
                gaps = [math.dist(X[i].tolist(), X[j].tolist()) for j in members]
                means[cluster] = sum(gaps) / len(gaps)
        own = means.pop(int(labels[i]), None)
        other = min(means.values())
        scores.append(0.0 if own is None else (other - own) / max(own, other))
    return sum(scores) / len(scores)


def test_silhouette_is_that_of_a_plain_count() -> None:
    for dtype in ["uint8", "float64"]:
        rng = np.random.default_rng(0)
        X = rng.integers(0, 255, (40, 1500)).astype(dtype)
        labels = rng.integers(0, 4, 40)
        assert LabelSample(X).silhouette(labels) == pytest.approx(naive_silhouette(X, labels), abs=1e-9)


def test_silhouette_is_of_a_bounded_seeded_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).random((2_500, 3))
    labels = (X[:, 0] > 0.5).astype(int)
    first, again = LabelSample(X), LabelSample(X)
    assert len(first.rows) == 2_000
    assert first.rows.tolist() == again.rows.tolist()
    assert len(LabelSample(X[:500]).rows) == 500

    monkeypatch.setattr("kmosaic.evaluate.unlabelled._MAX_SAMPLE_ROWS", 300)
    few = LabelSample(X)
    expected = naive_silhouette(X[few.rows], labels[few.rows])
    assert few.silhouette(labels) == pytest.approx(expected, abs=1e-9)


def test_silhouette_needs_two_clusters_and_a_pair() -> None:
    X = np.arange(4.0).reshape(4, 1)
    assert LabelSample(X).silhouette(np.zeros(4, int)) is None
    assert LabelSample(X).silhouette(np.arange(4)) is None


def test_stability_is_the_mean_over_pairs() -> None:
    a, b, c = np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]), np.array([0, 1, 0, 1])
    same, across = 1.0, -0.5
    assert stabilities([a, b, c]) == pytest.approx([(same + across) / 2, (same + across) / 2, across])
    assert stabilities([a]) == [None]
    assert stabilities([]) == []


def test_stability_of_many_seeds_is_bounded() -> None:
    rng = np.random.default_rng(0)
    many = [rng.integers(0, 3, 30) for _ in range(40)]
    assert len(stabilities(many)) == 40
    assert all(score is not None and abs(score) < 0.5 for score in stabilities(many))
