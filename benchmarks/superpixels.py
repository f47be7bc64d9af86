"""Superpixels beside scikit-image's: how well they follow edges that are known, and how long they take.

    python -m benchmarks.superpixels --json build/superpixels.json
    python -m benchmarks.superpixels --time ../shared/data/kodak/kodim23.png --threads 2

Truth is drawn: ellipses and bands over a shaded ground, blurred as by a lens, with noise. Boundary recall is
the share of its edge pixels that lie at most two pixels from an edge of a region; undersegmentation error
what regions leak across edges, by P. Neubert and P. Protzel (2012). The peer is PyPI's scikit-image.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from kmosaic.superpixels import outlines, slic

SIZE = (480, 640)
COUNTS = (100, 300, 1000)
NOISES = (0, 6, 12)
N_PICTURES = 5
TIMED_SIZE = (4096, 2160)
TIMED_COUNT = 1000
_TOLERANCE = 2

Picture = NDArray[np.uint8]
Labels = NDArray[Any]


@dataclass(frozen=True)
class Quality:
    """The mean over pictures of one noise, by one library asked for ``count`` regions."""

    library: str
    noise: int
    count: int
    regions: float
    recall: float
    undersegmentation: float


@dataclass(frozen=True)
class Timing:
    """Seconds, the least of several runs: wall clock, and processors' time."""

    library: str
    threads: int
    wall: float
    cpu: float


def peer(picture: Picture, count: int) -> Labels:
    """scikit-image's labels."""
    from skimage.segmentation import slic as skimage_slic

    return np.asarray(skimage_slic(picture, count))


def drawn(seed: int, noise: int) -> tuple[Picture, Labels]:
    """A picture of ``SIZE``, and its regions."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    truth = np.zeros(SIZE, np.int64)
    colours = rng.uniform(30, 225, (40, 3))
    for number in range(1, 40):
        middle = rng.uniform((0, 0), SIZE)
        angle, axes = rng.uniform(0, np.pi), rng.uniform(12, 110, 2)
        u = (y - middle[0]) * np.cos(angle) + (x - middle[1]) * np.sin(angle)
        v = (x - middle[1]) * np.cos(angle) - (y - middle[0]) * np.sin(angle)
        inside = (u / axes[0]) ** 2 + (v / axes[1]) ** 2 < 1 if number % 4 else np.abs(u) < axes[0] / 8
        truth[inside] = number
    shade = 1 + 0.25 * np.sin(x / 90 + seed) * np.cos(y / 70)
    picture = ndimage.gaussian_filter(colours[truth] * shade[..., np.newaxis], (0.7, 0.7, 0))
    picture += rng.normal(0, noise, picture.shape) if noise else 0
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), truth


def boundary_recall(labels: Labels, truth: Labels) -> float:
    """The share of the truth's edge pixels at most two pixels from an edge of ``labels``.

    >>> truth = np.repeat([[0, 1]], 8, axis=1)
    >>> boundary_recall(truth, truth), boundary_recall(np.zeros_like(truth), truth)
    (1.0, 0.0)
    """
    side = 2 * _TOLERANCE + 1
    near = ndimage.binary_dilation(outlines(labels), np.ones((side, side), bool))
    return float(near[outlines(truth)].mean())


def undersegmentation_error(labels: Labels, truth: Labels) -> float:
    """The share of pixels that regions leak: of each region and each part of the truth, the smaller side.

    >>> undersegmentation_error(np.array([[0, 0, 0, 0]]), np.array([[0, 0, 0, 1]]))
    0.5
    """
    _, own = np.unique(labels, return_inverse=True)
    _, given = np.unique(truth, return_inverse=True)
    n_given = int(given.max()) + 1
    shared = np.bincount(
        own.reshape(-1) * n_given + given.reshape(-1), minlength=(int(own.max()) + 1) * n_given
    )
    shared = shared.reshape(-1, n_given)
    sizes = shared.sum(axis=1, keepdims=True)
    return float(np.minimum(shared, sizes - shared).sum() / truth.size)


def qualities(libraries: dict[str, Callable[[Picture, int], Labels]]) -> list[Quality]:
    """Every library on every noise and count."""
    found = []
    for noise in NOISES:
        pictures = [drawn(seed, noise) for seed in range(N_PICTURES)]
        for count in COUNTS:
            for name, run in libraries.items():
                rows = []
                for picture, truth in pictures:
                    labels = run(picture, count)
                    rows.append(
                        (
                            len(np.unique(labels)),
                            boundary_recall(labels, truth),
                            undersegmentation_error(labels, truth),
                        )
                    )
                means = np.mean(rows, axis=0).tolist()
                found.append(Quality(name, noise, count, *means))
                print(f"{name:14} noise {noise:2} count {count:4}: {means[0]:6.0f} regions, ", end="")
                print(f"recall {means[1]:.4f}, undersegmentation error {means[2]:.4f}", flush=True)
    return found


def timings(path: Path, threads: int, repeats: int) -> list[Timing]:
    """Both libraries in turns on one picture, brought to 4,096 x 2,160."""
    with Image.open(path) as opened:
        picture = np.array(opened.convert("RGB").resize(TIMED_SIZE, Image.Resampling.BICUBIC))
    runs: dict[tuple[str, int], Callable[[], Labels]] = {
        ("scikit-image", 1): lambda: peer(picture, TIMED_COUNT),
        ("kmosaic", 1): lambda: slic(picture, TIMED_COUNT, n_threads=1),
        ("kmosaic", threads): lambda: slic(picture, TIMED_COUNT, n_threads=threads),
    }
    walls: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    cpus: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    for _ in range(repeats):
        for key, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            walls[key].append(time.perf_counter() - wall)
            cpus[key].append(time.process_time() - cpu)
    return [Timing(name, n, min(walls[name, n]), min(cpus[name, n])) for name, n in runs]


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--time", type=Path, metavar="PICTURE", help="time on this picture instead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results: list[Any] = []
    if given.time is not None:
        results = timings(given.time, given.threads, given.repeats)
        for one in results:
            print(f"{one.library:14} {one.threads} threads: {one.wall:.3f} s, {one.cpu:.3f} s of processors")
    else:
        results = qualities({"scikit-image": peer, "kmosaic": slic})
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
