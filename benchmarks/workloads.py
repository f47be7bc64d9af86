"""What is measured, in which order, and the targets it is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks import data
from benchmarks.data import DataOptions, Rows

Kind = Literal["fit", "defaults", "seed", "predict", "transform", "minibatch", "curve", "scaling"]
Quantity = Literal["speed", "memory", "linear"]

EVERY_PEER = (
    "scikit-learn lloyd",
    "scikit-learn elkan",
    "scikit-learn-intelex",
    "FAISS",
    "SuperKMeans",
)
EVERY_LIBRARY = ("kmosaic", *EVERY_PEER)
WITH_VARIANTS = (*EVERY_LIBRARY, "FAISS, super k-means")

UNTIL_CONVERGED = 1000
"""Iterations no fit here needs: it stops when no label changes."""
SCALING_ITERATIONS = 10


@dataclass(frozen=True)
class Point:
    """One place on a curve of cost: None means all rows, all features, the workload's k, all threads."""

    n: int | None = None
    k: int | None = None
    d: int | None = None
    threads: int | None = None

    @property
    def name(self) -> str:
        """Such as ``n=1000``; empty for the whole workload."""
        return " ".join(f"{key}={value}" for key, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class Workload:
    """Data, a number of clusters and what is to be done. kmosaic goes first: peers get its iterations."""

    name: str
    title: str
    rows: Callable[[DataOptions], Rows]
    k: int
    kind: Kind = "fit"
    max_iter: int = UNTIL_CONVERGED
    libraries: tuple[str, ...] = EVERY_LIBRARY
    points: tuple[Point, ...] = (Point(),)
    quick: bool = False
    narrowed_by: str = ""
    """A workload much like this one (or itself): peers far from the fastest there are not run here."""


@dataclass(frozen=True)
class Target:
    """A row of the table of targets.

    ``quantity`` "speed": the fastest peer's time over kmosaic's is at least ``bound``. "memory": what a fit
    adds to resident memory is at most ``bound`` of its data. "linear": from one point to the next, the time
    of an iteration grows at most ``bound`` times as much as the rows.
    """

    workload: str
    bound: float
    quantity: Quantity = "speed"
    libraries: tuple[str, ...] = ("kmosaic",)
    title: str = ""


def _pixels(name: str, title: str, rows: Callable[[DataOptions], Rows], k: int) -> Workload:
    return Workload(
        name,
        title,
        rows,
        k,
        max_iter=20,
        libraries=(*EVERY_LIBRARY, "OpenCV"),
        quick=name == "photos-16",
        narrowed_by=f"photos-{k}",
    )


def _satellite(dtype: str, n_bands: int) -> Workload:
    return Workload(
        f"satellite-{dtype}-{n_bands}",
        f"{dtype}, {n_bands} bands, 16 million pixels, k = 12, 20 iterations",
        data.satellite(dtype, n_bands),
        12,
        max_iter=20,
        quick=n_bands == 6 and dtype == "uint8",
        narrowed_by="satellite-uint8-6",
    )


def _mnist_until_converged(k: int) -> Workload:
    title = f"uint8 MNIST, k = {k:,}, until no label changes"
    return Workload(f"mnist-{k}", title, data.mnist, k)


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            "mnist-25-iterations",
            "uint8 MNIST 60,000 x 784, k = 256, 25 iterations",
            data.mnist,
            256,
            max_iter=25,
            libraries=WITH_VARIANTS,
            quick=True,
        ),
        Workload(
            "mnist-256",
            "uint8 MNIST, k = 256, until no label changes",
            data.mnist,
            256,
            libraries=("kmosaic", "kmosaic, AVX2 only", *WITH_VARIANTS[1:]),
            quick=True,
        ),
        _pixels("photos-16", "uint8 RGB photos, 4.2 million pixels, k = 16, 20 iterations", data.photos, 16),
        _pixels("photos-64", "uint8 RGB photos, 4.2 million pixels, k = 64, 20 iterations", data.photos, 64),
        _satellite("uint8", 6),
        _satellite("uint16", 6),
        Workload(
            "seeds",
            "greedy k-means++ seeds alone, uint8 MNIST, k = 256",
            data.mnist,
            256,
            kind="seed",
            libraries=("kmosaic", "scikit-learn lloyd"),
            quick=True,
        ),
        Workload(
            "defaults",
            "`KMeans(256).fit(X_uint8)`, MNIST, all defaults",
            data.mnist,
            256,
            kind="defaults",
            libraries=("kmosaic", "scikit-learn lloyd", "scikit-learn-intelex"),
            quick=True,
        ),
        Workload(
            "float-mnist", "float32 MNIST / 255, k = 256, until no label changes", data.mnist_float32, 256
        ),
        Workload(
            "float-mixture",
            "float32 1,000,000 x 128, Gaussians in noise, k = 1,024, 25 iterations",
            data.mixture,
            1024,
            max_iter=25,
            libraries=WITH_VARIANTS,
        ),
        Workload(
            "float-descriptors",
            "float32 1,000,000 x 128, descriptors of photos, k = 1,024, 25 iterations",
            data.descriptors,
            1024,
            max_iter=25,
            libraries=WITH_VARIANTS,
            narrowed_by="float-mixture",
        ),
        Workload(
            "predict-descriptors",
            "predict, float32 1,000,000 x 128, descriptors of photos, k = 1,024",
            data.descriptors,
            1024,
            kind="predict",
            libraries=("kmosaic", "scikit-learn lloyd", "scikit-learn-intelex", "FAISS", "SuperKMeans"),
        ),
        Workload(
            "float-blobs",
            "float32 blobs 1,000,000 x 16, k = 8, until no label changes",
            data.blobs,
            8,
            quick=True,
        ),
        Workload(
            "predict",
            "predict, uint8 60,000 x 784, k = 256",
            data.mnist,
            256,
            kind="predict",
            libraries=("kmosaic", "scikit-learn lloyd", "scikit-learn-intelex", "FAISS", "SuperKMeans"),
            quick=True,
        ),
        Workload(
            "minibatch",
            "reaching the inertia of scikit-learn's MiniBatchKMeans(256), MNIST",
            data.mnist,
            256,
            kind="minibatch",
            libraries=("scikit-learn lloyd", "kmosaic", "kmosaic, KMeans stopped there"),
            quick=True,
        ),
        *map(_mnist_until_converged, (10, 36, 64, 400, 1024)),
        _pixels(
            "noisy-photos-16",
            "RGB photos with noise of 3 grey levels, k = 16, 20 iterations",
            data.noisy_photos,
            16,
        ),
        _pixels(
            "noisy-photos-64",
            "RGB photos with noise of 3 grey levels, k = 64, 20 iterations",
            data.noisy_photos,
            64,
        ),
        *(_satellite(dtype, n_bands) for n_bands in (4, 13) for dtype in ("uint8", "uint16")),
        Workload(
            "scaling-n",
            "uint8, 16 features, k = 64, from 10^4 to 10^7 rows",
            data.byte_mixture(10_000_000, 16),
            64,
            kind="scaling",
            max_iter=SCALING_ITERATIONS,
            libraries=("kmosaic", "scikit-learn lloyd"),
            points=tuple(Point(n=10**power) for power in (4, 5, 6, 7)),
        ),
        Workload(
            "scaling-k",
            "uint8, 100,000 x 64, k from 16 to 4,096",
            data.byte_mixture(100_000, 64),
            4096,
            kind="scaling",
            max_iter=SCALING_ITERATIONS,
            libraries=("kmosaic", "scikit-learn lloyd"),
            points=tuple(Point(k=k) for k in (16, 64, 256, 1024, 4096)),
        ),
        Workload(
            "scaling-d",
            "uint8, 50,000 rows, k = 64, from 4 to 4,096 features",
            data.byte_mixture(50_000, 4096),
            64,
            kind="scaling",
            max_iter=SCALING_ITERATIONS,
            libraries=("kmosaic", "scikit-learn lloyd"),
            points=tuple(Point(d=d) for d in (4, 16, 64, 256, 1024, 4096)),
        ),
        Workload(
            "scaling-threads",
            "uint8, 500,000 x 64, k = 256, by threads",
            data.byte_mixture(500_000, 64),
            256,
            kind="scaling",
            max_iter=SCALING_ITERATIONS,
            libraries=("kmosaic",),
            points=tuple(Point(threads=2**power) for power in range(8)),
        ),
        Workload(
            "curve",
            "inertia against time, uint8 MNIST, k = 256",
            data.mnist,
            256,
            kind="curve",
            max_iter=32,
        ),
    )
}

_REACHING = ("kmosaic", "kmosaic, KMeans stopped there")

TARGETS: tuple[Target, ...] = (
    Target("mnist-25-iterations", 10),
    Target("mnist-256", 20),
    *(Target(f"mnist-{k}", 8) for k in (10, 36, 64, 400, 1024)),
    Target("seeds", 40),
    Target("defaults", 25),
    Target("photos-16", 20),
    Target("photos-64", 20),
    Target("noisy-photos-16", 20),
    Target("noisy-photos-64", 20),
    *(Target(f"satellite-{dtype}-{n}", 10) for n in (4, 6, 13) for dtype in ("uint8", "uint16")),
    Target("float-mnist", 4),
    Target("float-mixture", 1.5),
    Target("float-descriptors", 1.5),
    Target("float-blobs", 1),
    Target("predict", 4),
    Target("minibatch", 5, libraries=_REACHING),
    Target("mnist-256", 0.3, "memory", title="extra memory during that fit, as a part of its uint8 data"),
    Target(
        "mnist-256",
        5,
        libraries=("kmosaic, AVX2 only",),
        title="AVX2 only (forced), uint8 MNIST, k = 256, until no label changes",
    ),
    # 5% is what two runs of the same fit differ by.
    Target("scaling-n", 1.05, "linear", title="growth of an iteration's time over growth of the rows"),
)
