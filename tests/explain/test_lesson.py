"""What each part of the lesson is to show, it does show."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from kmosaic import KMeans
from kmosaic.explain import Lesson, PointSet, make_lesson
from kmosaic.explain.choosing import photo
from kmosaic.explain.digits import pictures
from kmosaic.explain.points import islands, rings
from kmosaic.explain.starts import empty_cluster, restarts
from kmosaic.images.collection import ImageCollection


def test_part_1_has_something_to_watch(lesson: Lesson):
    for fit in lesson.two_steps.traces:
        history = [step.inertia for step in fit.steps[1:]]
        assert len(history) >= 5
        assert history == sorted(history, reverse=True)


def test_no_start_tells_rings_apart():
    data = rings()
    truth = np.arange(len(data.points)) < 50
    for start in restarts(data, "random", 20).starts:
        labels = KMeans(2, init=start).fit(data.points).labels_
        assert adjusted_rand_score(truth, labels) < 0.3


def test_part_2_has_a_lucky_and_an_unlucky_start(lesson: Lesson):
    part = lesson.starts
    assert part.lucky.inertia == part.random.inertia.min()
    assert part.unlucky.inertia == part.random.inertia.max()
    assert part.unlucky.inertia > 2 * part.lucky.inertia
    assert len(part.random.inertia) == len(part.careful.inertia) == 100
    assert part.careful.inertia.mean() < part.random.inertia.mean()


def test_restarts_are_fits_from_their_starts(lesson: Lesson):
    part = lesson.starts
    for number in (0, 17, 99):
        model = KMeans(5, init=part.random.starts[number]).fit(part.data.points)
        assert model.inertia_ == part.random.inertia[number]


def test_picks_are_points_with_their_chances(lesson: Lesson):
    part = lesson.starts
    points = part.data.points
    rows = [pick.row for pick in part.picks]
    assert points[rows].tolist() == part.careful.starts[part.careful.best].tolist()
    assert part.picks[0].squared_distances is None
    for number, pick in enumerate(part.picks[1:], start=1):
        nearest = min(rows[:number], key=lambda row: np.square(points[pick.row] - points[row]).sum())
        expected = np.square(points[pick.row] - points[nearest]).sum()
        assert pick.squared_distances[pick.row] == pytest.approx(expected)
        assert pick.squared_distances[rows[:number]].tolist() == [0.0] * number


def test_restarts_end_more_alike_when_there_are_more_clusters(lesson: Lesson):
    spread = lesson.starts.spread
    widths = [high / low for low, _, high in spread.random]
    assert spread.n_clusters == (4, 9, 16, 36, 64)
    assert widths[-1] < 0.5 * widths[0]
    assert all(
        mean > 1.5 * careful
        for (_, mean, _), (_, careful, _) in zip(spread.random, spread.careful, strict=True)
    )


def test_part_3_begins_with_an_empty_cluster(lesson: Lesson):
    traces = lesson.empty.traces
    for fit in traces.values():
        assert 0 in np.bincount(fit.steps[1].labels, minlength=len(fit.steps[1].centers))
        assert fit.steps[0].centers.tolist() == traces["drop"].steps[0].centers.tolist()
    assert len(traces["drop"].centers) == 4
    assert len(traces["random"].centers) == len(traces["relocate"].centers) == 5


def test_any_points_give_an_empty_cluster():
    for n_points in [3, 4, 40]:
        points = np.random.default_rng(n_points).normal(size=(n_points, 2))
        part = empty_cluster(PointSet("own", "", "", points, 3))
        first = part.traces["relocate"].steps[1]
        assert 0 in np.bincount(first.labels, minlength=3)


def test_part_4_five_sizes_fit_better_and_a_bad_start_does_not(lesson: Lesson):
    part = lesson.sizes
    assert part.misfit[5].mean() < part.misfit[3].mean()
    assert np.square(part.misfit[3]).sum() == pytest.approx(part.fits[3].inertia)
    assert len(part.stuck.centers) == 5
    assert len(part.fewer.centers) == 3
    assert part.stuck.inertia > part.fewer.inertia


def test_part_5_islands_have_an_elbow_and_sizes_have_none(lesson: Lesson):
    clear, unclear = lesson.scores
    assert clear.n_clusters[int(np.nanargmax(np.array(clear.silhouette, dtype=float)))] == 5
    assert clear.stability[4] == 1.0
    assert clear.inertia[4] < 0.3 * clear.inertia[3]
    falls = np.array(unclear.inertia[1:]) / unclear.inertia[:-1]
    assert (falls[2:] > 0.7).all()
    assert max(value for value in unclear.silhouette if value is not None) < 0.5


def test_fewer_colours_are_fewer_bytes_and_more_error(lesson: Lesson):
    versions = lesson.photo.versions
    assert [version.n_colours for version in versions] == [2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256]
    sizes = [len(version.png) for version in versions]
    errors = [version.error for version in versions]
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert sizes[-1] < len(lesson.photo.png)


def test_a_painted_photo_is_as_far_off_as_it_says():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for version in photo(pixels, "noise").versions:
        with Image.open(io.BytesIO(version.png)) as image:
            painted = np.asarray(image.convert("RGB"))
        assert painted.shape == pixels.shape
        assert len(np.unique(painted.reshape(-1, 3), axis=0)) <= version.n_colours
        error = np.sqrt(np.square(painted.astype(float) - pixels).mean())
        assert version.error == pytest.approx(error)


def test_part_6_centroids_form_as_one_fit_forms_them(lesson: Lesson):
    film, images = lesson.pictures.film, lesson.pictures.collection
    start = film.centers[0]
    whole = KMeans(10, init=start).fit(images.pixels)
    assert film.iterations[-1] == whole.n_iter_
    assert film.centers[-1].tolist() == whole.cluster_centers_.tolist()
    for at, iteration in enumerate(film.iterations[1:], start=1):
        stopped = KMeans(10, init=start, max_iter=iteration).fit(images.pixels)
        assert film.centers[at].tolist() == stopped.cluster_centers_.tolist()
        assert film.inertia[at] == pytest.approx(stopped.inertia_ / 16**2)
    assert {tuple(row) for row in start.tolist()} <= {
        tuple(row) for row in images.pixels.astype(float).tolist()
    }


def test_more_clusters_are_named_more_rightly(lesson: Lesson):
    accuracies = [summary.accuracy for summary in lesson.pictures.summaries]
    assert [summary.n_clusters for summary in lesson.pictures.summaries] == [10, 20, 50]
    assert accuracies == sorted(accuracies)


def test_images_without_labels_or_too_few_are_refused(digits: ImageCollection):
    with pytest.raises(ValueError, match="has no labels"):
        pictures(replace(digits, labels=None, label_names=None))
    with pytest.raises(ValueError, match="49 images.*50"):
        pictures(digits.take(range(49)))


def test_own_points_are_taught_on(digits: ImageCollection, own: PointSet):
    told = []
    lesson = make_lesson(
        digits.take(range(60)), own, lambda done, total, what: told.append((done, total, what))
    )
    assert lesson.own
    assert lesson.two_steps.data[0] is lesson.starts.data is lesson.empty.data is own
    assert lesson.scores[0].title == "Your points"
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][0] == told[-1][1] == 100


def test_own_points_may_be_as_few_as_clusters(digits: ImageCollection):
    points = islands().points[:3]
    lesson = make_lesson(digits.take(range(60)), PointSet("own", "Three", "", points, 3))
    assert lesson.two_steps.traces[0].inertia == 0.0
