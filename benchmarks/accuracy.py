"""How well clusters agree with people: accuracy when named by majority vote, by a protocol fixed in advance.

python -m benchmarks.accuracy [--data mnist] [--test] [--seeds 5] [--data-dir DIR]

Without --test nothing of the test set is used: 10,000 of the training images, drawn once by a fixed seed, are
held out, and the others fitted. Every choice was made there. With --test all training images are fitted, and
the test set is scored.

Labels name finished clusters by the majority of their training images, and score the images held out; they
choose nothing. A representation does not depend on the seed, k-means does.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import environment
from kmosaic import ClusterClassifier, KMeans
from kmosaic.evaluate.peak_memory import PeakMemory
from kmosaic.features import Recipe, RecipeOptions
from kmosaic.images import ReadOptions, load_dataset
from kmosaic.images.registry import is_handwriting

# The seed of the one split that every choice was made on.
_SPLIT_SEED = 12345
_N_HELD_OUT = 10_000
# Of a 95% interval, in standard deviations.
_Z95 = 1.959964


@dataclass(frozen=True)
class Case:
    """Features and a number of clusters, as ``kmosaic fit --features FEATURES --clusters K`` has them."""

    features: str
    k: int


CASES = (
    Case("pixels", 256),
    Case("gradients", 256),
    Case("graph", 256),
    Case("graph", 64),
    Case("graph", 10),
)


@dataclass(frozen=True)
class Images:
    """Images to fit, images to score, their labels, and what they are."""

    fitted: NDArray[Any]
    fitted_labels: NDArray[Any]
    scored: NDArray[Any]
    scored_labels: NDArray[Any]
    recipe: RecipeOptions
    origin: str


@dataclass(frozen=True)
class Scores:
    """One case over the seeds: accuracies of the images scored and of those fitted, and seconds."""

    case: Case
    accuracies: NDArray[np.float64]
    fitted_accuracies: NDArray[np.float64]
    fit_seconds: float
    predict_seconds: float


def main() -> None:
    """Print a table of accuracies, and what they were measured on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="mnist", help="mnist, fashion-mnist, or a path")
    parser.add_argument("--test", action="store_true", help="fit all training images and read the test set")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", help="one representation")
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    images = read_images(options.data, ReadOptions(data_dir=options.data_dir), test=options.test)
    sizes = f"{len(images.fitted):,} images fitted, {len(images.scored):,} scored"
    print(f"{options.data}: {sizes}: {images.origin}")
    print(
        "| features | k | accuracy | 95% interval | spread (std) | from - to | images fitted | "
        "fit, s | predict, s | peak memory, GB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for features in dict.fromkeys(case.features for case in CASES):
        cases = [case for case in CASES if case.features == features]
        if options.only in (None, features):
            for line in lines_of(cases, images, range(options.seeds)):
                print(line, flush=True)
    facts = environment()
    print(", ".join(f"{name} {facts[name]}" for name in ("date", "processor", "threads", "python", "load")))


def read_images(source: str, options: ReadOptions, *, test: bool) -> Images:
    """Read the data: with ``test`` its own test set is scored, otherwise part of the training images."""
    data = load_dataset(source, options)
    recipe = RecipeOptions(data.train.format.shape, deskew=is_handwriting(source))
    pixels, labels = data.train.pixels, np.asarray(data.train.labels)
    if test:
        if data.test is None:
            raise SystemExit(f"{source} has no test set; leave --test out")
        return Images(pixels, labels, data.test.pixels, np.asarray(data.test.labels), recipe, "the test set")
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(pixels))
    fitted, scored = order[:-_N_HELD_OUT], order[-_N_HELD_OUT:]
    return Images(
        pixels[fitted], labels[fitted], pixels[scored], labels[scored], recipe, "held out of training"
    )


def lines_of(cases: list[Case], images: Images, seeds: range) -> list[str]:
    """Fit the representation of the cases once, and k-means there for each and every seed: a line a case."""
    recipe = recipe_of(cases[0], images.recipe)
    with PeakMemory() as memory:
        start = time.perf_counter()
        fitted = recipe.fit_transform(images.fitted)
        middle = time.perf_counter()
        scored = recipe.transform(images.scored)
        end = time.perf_counter()
        results = []
        for case in cases:
            own = slice(recipe.n_clustered(case.k))
            parts = np.ascontiguousarray(fitted[:, own]), np.ascontiguousarray(scored[:, own])
            results.append(cluster(case, images, parts, seeds))
    seconds = middle - start, end - middle
    return [line_of(scores, seconds, memory.peak_bytes, len(images.scored)) for scores in results]


def recipe_of(case: Case, options: RecipeOptions) -> Recipe:
    """The case's representation, not fitted; raw pixels are never deskewed."""
    if case.features == "pixels":
        options = RecipeOptions(options.image_shape)
    return Recipe.named(case.features, options)


def cluster(case: Case, images: Images, parts: tuple[NDArray[Any], NDArray[Any]], seeds: range) -> Scores:
    """Cluster the features fitted with every seed, name the clusters, score those and the others."""
    fitted, scored = parts
    accuracies, own, fit_seconds, predict_seconds = [], [], 0.0, 0.0
    for seed in seeds:
        start = time.perf_counter()
        model = ClusterClassifier(KMeans(case.k, random_state=seed))
        model.fit(fitted, images.fitted_labels)
        middle = time.perf_counter()
        named = model.predict(scored)
        predict_seconds += time.perf_counter() - middle
        fit_seconds += middle - start
        accuracies.append(float((named == images.scored_labels).mean()))
        own.append(float((model.predict(fitted) == images.fitted_labels).mean()))
    return Scores(
        case, np.array(accuracies), np.array(own), fit_seconds / len(seeds), predict_seconds / len(seeds)
    )


def line_of(scores: Scores, seconds: tuple[float, float], peak_bytes: int, n: int) -> str:
    """One line of the table; seconds are those of the representation, to which k-means' are added."""
    mean = float(scores.accuracies.mean())
    low, high = wilson_interval(mean, n)
    return (
        f"| {scores.case.features} | {scores.case.k} | {mean:.4f} | {low:.4f} - {high:.4f} "
        f"| {scores.accuracies.std():.4f} | {scores.accuracies.min():.4f} - {scores.accuracies.max():.4f} "
        f"| {scores.fitted_accuracies.mean():.4f} | {seconds[0] + scores.fit_seconds:.1f} "
        f"| {seconds[1] + scores.predict_seconds:.1f} | {peak_bytes / 1e9:.1f} |"
    )


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95% interval of a probability, given the share of n trials: E. B. Wilson (1927).

    Examples
    --------
    >>> low, high = wilson_interval(0.5, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    z2 = _Z95**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z95 / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return middle - half, middle + half


if __name__ == "__main__":
    main()
