"""Clusters whose centroids are no images still have a picture."""

from __future__ import annotations

import numpy as np
import pytest

from kmosaic.features import cluster_pictures


def test_means_and_medoids_as_the_slow_way_has_them() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 12), dtype=np.uint8)
    features = rng.normal(size=(200, 5)).astype(np.float32)
    labels = rng.integers(0, 6, 200).astype(np.int32)
    centers = np.array([features[labels == c].mean(axis=0, dtype=float) for c in range(6)])
    shown = cluster_pictures(pixels, features, labels, centers)
    for cluster in range(6):
        members = np.flatnonzero(labels == cluster)
        assert shown.means[cluster] == pytest.approx(pixels[members].mean(axis=0))
        among = features[members].astype(float)
        totals = ((among[:, None] - among[None]) ** 2).sum(axis=(1, 2))
        assert shown.medoids[cluster] == members[totals.argmin()]


def test_a_cluster_without_images_is_the_image_nearest_its_centroid() -> None:
    pixels = np.array([[0, 0], [9, 9], [5, 7]], dtype=np.uint8)
    features = np.array([[0.0], [9], [5]])
    shown = cluster_pictures(pixels, features, np.array([0, 0, 0]), np.array([[4.6], [8.0]]))
    assert shown.medoids.tolist() == [2, 1]
    assert shown.means[1].tolist() == [9, 9]
