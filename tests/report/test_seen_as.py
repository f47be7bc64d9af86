"""Pages and pictures of images that were clustered as features say so, and what their numbers are in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kmosaic.evaluate import ClusterSummary, SweepResult
from kmosaic.images.collection import Dataset, ImageCollection, VectorCollection
from kmosaic.report import (
    CurveOptions,
    FitReport,
    SweepReport,
    cluster_members,
    inertia_history,
    medoid_pixels,
    render_fit_report,
    render_sweep_report,
    sweep_curve,
)


def test_a_fit_on_features(digits: ImageCollection, summary: ClusterSummary) -> None:
    medoids = np.arange(summary.n_clusters)
    page = render_fit_report(FitReport(digits, summary, features="gradients", medoids=medoids))

    assert "seen as gradients" in page
    assert "distances of gradients" in page
    assert "squared pixel values" not in page
    assert "one of gradients" in page


def test_a_fit_on_deskewed_pixels(digits: ImageCollection, summary: ClusterSummary) -> None:
    page = render_fit_report(FitReport(digits, summary, medoids=np.arange(summary.n_clusters)))

    assert "one of deskewed images" in page
    assert "squared pixel values" in page


def test_a_fit_on_pixels_is_not_seen_as_anything(digits: ImageCollection, summary: ClusterSummary) -> None:
    page = render_fit_report(FitReport(digits, summary))

    assert "The centroid itself" not in page
    assert "seen as" not in page


def test_a_sweep_over_features(dataset: Dataset, result: SweepResult) -> None:
    page = render_sweep_report(SweepReport(dataset, result, features="patches"))

    assert "seen as patches" in page
    assert "distances of patches" in page
    assert "squared pixel values" not in page
    assert "scaled to 0..1" not in page


def test_axes_say_what_j_is_in(summary: ClusterSummary, result: SweepResult) -> None:
    for units in ["squared pixel values", "squared distances of gradients"]:
        assert units in inertia_history(summary, units=units).axes[0].get_ylabel()
        options = replace(CurveOptions(), units=units)
        assert units in sweep_curve(result, "inertia", options).axes[0].get_ylabel()


def test_vectors_are_shown_by_their_pictures(digits: ImageCollection, summary: ClusterSummary) -> None:
    """A cluster's is that of the vector nearest its centroid; without any member it is grey."""
    fields = digits.labels, digits.label_names, digits.ids
    pictured = VectorCollection("v", digits.pixels, digits, *fields)
    empty = replace(summary, labels=np.where(summary.labels == 3, 0, summary.labels))
    nearest = [summary.nearest(cluster, 1)[0] for cluster in range(summary.n_clusters)]

    np.testing.assert_array_equal(medoid_pixels(digits, summary), digits.pixels[nearest])
    assert set(medoid_pixels(digits, empty)[3]) == {8}
    assert cluster_members(pictured, summary, [0, 1]).axes
    with pytest.raises(ValueError, match="no pictures"):
        cluster_members(replace(pictured, images=None), summary, 0)
