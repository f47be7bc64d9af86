"""What a report lets readers look into, and how much of it there is room for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kmosaic.evaluate import ClusterSummary
from kmosaic.images.collection import ImageCollection
from kmosaic.models.image_model import ImageFormat
from kmosaic.report.explorer import explorer_data, room_for

from .conftest import clustered


def noise(n: int, side: int, n_labels: int) -> ImageCollection:
    """Images that no compression makes smaller."""
    random = np.random.default_rng(0)
    form = ImageFormat(side, side, 3, "uint8", 255)
    pixels = random.integers(0, 256, (n, form.n_features), dtype=np.uint8)
    names = tuple(f"label {number}" for number in range(n_labels))
    return ImageCollection("noise", pixels, form, np.arange(n) % n_labels, names, tuple(map(str, range(n))))


def test_closest_clusters_are_those_with_the_nearest_centroids(
    digits: ImageCollection, summary: ClusterSummary
) -> None:
    data, _ = explorer_data(digits, summary)
    centers = summary.cluster_centers
    for number, cluster in enumerate(data["clusters"]):
        distances = np.sqrt(np.square(centers - centers[number]).sum(axis=1))
        order = [int(other) for other in np.argsort(distances) if other != number][:6]
        assert [other for other, _ in cluster["closest"]] == order
        assert [distance for _, distance in cluster["closest"]] == pytest.approx(distances[order].tolist())


def test_the_map_keeps_the_two_directions_of_most_variance(
    digits: ImageCollection, summary: ClusterSummary
) -> None:
    data, _ = explorer_data(digits, summary)
    places = np.array([cluster["place"] for cluster in data["clusters"]])
    weights = summary.cluster_sizes / summary.cluster_sizes.sum()
    centred = summary.cluster_centers - weights @ summary.cluster_centers
    variances = np.linalg.eigvalsh((centred * weights[:, None]).T @ centred)[::-1]
    kept = weights @ np.square(places - weights @ places)
    assert kept == pytest.approx(variances[:2], rel=1e-3)
    assert len(data["points"]) == 600


def test_one_cluster_has_a_map_and_no_neighbours(digits: ImageCollection) -> None:
    data, _ = explorer_data(digits, clustered(digits, 1))
    assert data["clusters"][0]["closest"] == []
    assert data["clusters"][0]["place"] == [0.0, 0.0]


def test_of_very_many_labels_the_most_confused_pairs_are_listed() -> None:
    images = noise(1500, 4, 60)
    data, _ = explorer_data(images, clustered(images, 60))
    confusion = data["confusion"]
    assert not confusion["as_matrix"]
    assert len(confusion["cells"]) == 40
    assert all(cell["true"] != cell["named"] for cell in confusion["cells"])
    counts = [cell["n"] for cell in confusion["cells"]]
    assert counts == sorted(counts, reverse=True)


def test_what_compresses_badly_gets_less_room(digits: ImageCollection, summary: ClusterSummary) -> None:
    easy = room_for(digits, summary)
    assert (easy.side, easy.n_members, easy.n_clusters) == (8, 12, 12)
    images = noise(400, 64, 10)
    hard = room_for(images, clustered(images, 100))
    assert hard.n_members < 12
    assert hard.side < 64
    data, _ = explorer_data(images, clustered(images, 100))
    assert len(data["members"]["uri"]) + len(data["centroids"]["uri"]) < 5_000_000


def test_without_labels_there_is_more_room_and_no_matrix(unlabelled: ImageCollection) -> None:
    data, sampled = explorer_data(unlabelled, clustered(unlabelled, 5))
    assert data["confusion"] is None
    assert sampled.n_members == 12
    assert {image["label"] for image in data["images"]} == {None}
    assert all(cluster["wrong"] == [] for cluster in data["clusters"])


def test_a_cluster_without_images_has_nothing_to_show(
    digits: ImageCollection, summary: ClusterSummary
) -> None:
    more = replace(
        summary,
        cluster_centers=np.vstack([summary.cluster_centers, np.zeros((1, 64))]),
        cluster_sizes=np.append(summary.cluster_sizes, 0),
        cluster_names=(*summary.cluster_names, "3"),
        cluster_purity=np.append(summary.cluster_purity, np.nan),
        label_shares=np.vstack([summary.label_shares, summary.label_shares[:1]]),
    )
    last = explorer_data(digits, more)[0]["clusters"][12]
    assert last["medoid"] is last["spread"] is last["purity"] is None
    assert last["nearest"] == last["farthest"] == last["shares"] == []
