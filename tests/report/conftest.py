"""Small collections, clusterings and sweeps for the pictures and pages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic.cluster import KMeans
from kmosaic.evaluate import ClusterSummary, SweepResult, SweepRun, summarise
from kmosaic.images.collection import Dataset, ImageCollection, SkippedFile
from kmosaic.models.image_model import ImageFormat

HOSTILE = '<script>alert("x")</script>&\udcff\u202e$_\n'


@pytest.fixture(scope="session")
def digits() -> ImageCollection:
    """600 of scikit-learn's digits, as uint8 in 0..16."""
    data = load_digits()
    return ImageCollection(
        name="digits",
        pixels=np.ascontiguousarray(data.data[:600].astype(np.uint8)),
        format=ImageFormat(8, 8, 1, "uint8", 16.0),
        labels=data.target[:600].astype(np.int64),
        label_names=tuple("0123456789"),
        ids=tuple(str(row) for row in range(600)),
        source="scikit-learn's digits",
    )


@pytest.fixture(scope="session")
def summary(digits: ImageCollection) -> ClusterSummary:
    """Twelve clusters of the digits, named."""
    return clustered(digits, 12)


@pytest.fixture(scope="session")
def unlabelled(digits: ImageCollection) -> ImageCollection:
    """The digits without their labels."""
    return replace(digits, labels=None, label_names=None)


@pytest.fixture(scope="session")
def hostile(digits: ImageCollection) -> ImageCollection:
    """The digits with names that would break a careless page."""
    return replace(
        digits,
        name=HOSTILE,
        label_names=(HOSTILE, *(f"${{x_{number}$" for number in range(1, 10))),
        ids=tuple(f"{row}{HOSTILE}" for row in range(600)),
        source=HOSTILE,
        skipped=(SkippedFile(HOSTILE, HOSTILE),),
    )


@pytest.fixture(scope="session")
def result() -> SweepResult:
    """Three numbers of clusters with three seeds each."""
    return SweepResult(tuple(run(k, seed) for k in (10, 36, 256) for seed in (0, 1, 2)))


@pytest.fixture(scope="session")
def dataset(digits: ImageCollection) -> Dataset:
    """The digits, split."""
    return Dataset("digits", digits.take(range(500)), digits.take(range(500, 600)), "held out")


def clustered(collection: ImageCollection, n_clusters: int) -> ClusterSummary:
    """Cluster a collection; names follow from its labels."""
    model = KMeans(n_clusters=n_clusters, random_state=0, n_init=1, max_iter=10).fit(collection.pixels)
    return summarise(model, collection.pixels, collection.labels, label_names=collection.label_names)


def run(n_clusters: int, seed: int, *, labelled: bool = True) -> SweepRun:
    """One run with plausible numbers, unlike for every seed."""
    inertia = 3e6 / np.log(n_clusters) * (1 + seed / 100)
    score = float(1 - 2 / np.log2(2 * n_clusters) + seed / 50)
    return SweepRun(
        n_clusters=n_clusters,
        seed=seed,
        algorithm="kmeans",
        inertia_raw=inertia * 65025,
        inertia_scaled=inertia,
        homogeneity=score if labelled else None,
        completeness=score if labelled else None,
        v_measure=score if labelled else None,
        adjusted_rand=score if labelled else None,
        accuracy_train=score if labelled else None,
        accuracy_test=score - 0.01 if labelled else None,
        silhouette=None if labelled else score / 3,
        stability=None if labelled else score,
        n_iter=20 + seed,
        converged=True,
        fit_seconds=n_clusters / 100 + seed / 10,
        peak_memory_bytes=200_000_000,
    )
