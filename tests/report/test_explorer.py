"""What a report lets readers look into, and how much of it there is room for."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from kmosaic.cluster import KMeans
from kmosaic.evaluate import ClusterSummary, summarise
from kmosaic.images.collection import ImageCollection
from kmosaic.models.image_model import ImageFormat
from kmosaic.report import FitReport, render_fit_report
from kmosaic.report.explorer import PAGE_BYTES, explorer_data

from .conftest import clustered


def noise(n: int, side: int, n_labels: int) -> ImageCollection:
    """Images that no compression makes smaller."""
    random = np.random.default_rng(0)
    form = ImageFormat(side, side, 3, "uint8", 255)
    pixels = random.integers(0, 256, (n, form.n_features), dtype=np.uint8)
    names = tuple(f"label {number}" for number in range(n_labels))
    return ImageCollection("noise", pixels, form, np.arange(n) % n_labels, names, tuple(map(str, range(n))))


def assigned(images: ImageCollection, n_clusters: int) -> ClusterSummary:
    """Images assigned to the first of them."""
    model = KMeans(n_clusters, init=images.pixels[:n_clusters].astype(np.float64), max_iter=1)
    labels, names = images.labels, images.label_names
    return summarise(model.fit(images.pixels), images.pixels, labels, label_names=names)


def smooth(n: int, side: int, n_labels: int) -> ImageCollection:
    """Images that JPEG compresses well and PNG badly, as photos are."""
    random = np.random.default_rng(0)
    form = ImageFormat(side, side, 3, "uint8", 255)
    ramp = np.linspace(-1, 1, side)
    slopes = random.normal(0, 60, (3, n, 1, 1, 3))
    images = 128 + slopes[0] * ramp[:, None, None] + slopes[1] * ramp[:, None] + slopes[2]
    pixels = np.clip(images + random.normal(0, 4, images.shape), 0, 255).astype(np.uint8)
    names = tuple(f"label {number}" for number in range(n_labels))
    return ImageCollection(
        "smooth", pixels.reshape(n, -1), form, np.arange(n) % n_labels, names, tuple(map(str, range(n)))
    )


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
    _, easy = explorer_data(digits, summary)
    assert (easy.side, easy.n_members, easy.n_clusters, easy.lossy) == (8, 24, 12, False)
    images = noise(2000, 64, 10)
    data, hard = explorer_data(images, assigned(images, 100))
    assert hard.lossy
    assert hard.n_members >= 6
    assert hard.side < 64
    assert len(json.dumps(data)) < PAGE_BYTES - 600_000


def test_photos_of_many_clusters_get_the_room_there_is() -> None:
    """256 clusters of colour photos: PNG has room for a pair of each kind, JPEG for many."""
    images = smooth(5000, 32, 10)
    page = render_fit_report(FitReport(images, assigned(images, 256)))
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', page)
    assert found is not None
    data = json.loads(found[1])
    largest = max(data["clusters"], key=lambda cluster: cluster["size"])
    assert data["members"]["uris"][0].startswith("data:image/jpeg;")
    assert min(len(largest["nearest"]), len(largest["farthest"])) >= 8
    assert len(page.encode()) < PAGE_BYTES


def test_without_labels_there_is_more_room_and_no_matrix(unlabelled: ImageCollection) -> None:
    data, sampled = explorer_data(unlabelled, clustered(unlabelled, 5))
    assert data["confusion"] is None
    assert sampled.n_members == 24
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
