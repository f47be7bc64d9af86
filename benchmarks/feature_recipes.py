"""How well clusters of each recipe follow labels, and a folder of small colour images to time it on.

    python -m benchmarks.feature_recipes split              # MNIST's training images, 50,000 and 10,000
    python -m benchmarks.feature_recipes crops PHOTOS OUT    # 50,000 crops of 32 x 32, a sub-folder a photo

MNIST's test images are not used: this is where choices are made.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from kmosaic import ClusterClassifier, KMeans
from kmosaic.features import Recipe, RecipeOptions
from kmosaic.images import load_dataset

_RUNS = (("pixels", False), ("pixels", True), ("gradients", False), ("gradients", True), ("patches", True))
_SCALES = (1.0, 0.5, 0.25)
_SIDE = 32


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    split = commands.add_parser("split", help="accuracy of each recipe on a split of MNIST's training images")
    split.add_argument("--seeds", type=int, default=3)
    split.add_argument("--clusters", type=int, default=256)
    crops = commands.add_parser("crops", help="write small colour images, cut out of photos")
    crops.add_argument("photos", type=Path)
    crops.add_argument("out", type=Path)
    crops.add_argument("--n", type=int, default=50_000)
    given = parser.parse_args()
    if given.command == "split":
        compare_recipes(given.clusters, given.seeds)
    else:
        write_crops(given.photos, given.out, given.n)


def compare_recipes(n_clusters: int, n_seeds: int) -> None:
    """Print each recipe's accuracy: fitted and named on 50,000 training images, scored on 10,000."""
    train = load_dataset("mnist").train
    assert train.labels is not None
    order = np.random.RandomState(0).permutation(len(train))
    fitted, scored = order[:50_000], order[50_000:]
    for name, deskew in _RUNS:
        recipe = Recipe.named(name, RecipeOptions(train.format.shape, deskew))
        start = time.perf_counter()
        rows, others = recipe.fit_transform(train.pixels[fitted]), recipe.transform(train.pixels[scored])
        seconds = time.perf_counter() - start
        accuracy = [
            ClusterClassifier(KMeans(n_clusters, random_state=seed))
            .fit(rows, train.labels[fitted])
            .score(others, train.labels[scored])
            for seed in range(n_seeds)
        ]
        each = ", ".join(f"{value:.4f}" for value in accuracy)
        print(f"{recipe}: {np.mean(accuracy):.4f} ({each}); features took {seconds:.1f} s", flush=True)


def write_crops(photos: Path, out: Path, n: int) -> None:
    """Write ``n`` squares cut out of the photos at three sizes, half of them mirrored; labels are photos."""
    rng = np.random.default_rng(0)
    names = sorted(photos.iterdir())
    sized = [[_scaled(Image.open(name).convert("RGB"), scale) for scale in _SCALES] for name in names]
    for number in range(n):
        photo = number % len(names)
        image = sized[photo][rng.integers(len(_SCALES))]
        left, top = (int(rng.integers(extent - _SIDE)) for extent in image.size)
        crop = image.crop((left, top, left + _SIDE, top + _SIDE))
        if rng.integers(2):
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        folder = out / f"photo{photo:02}"
        folder.mkdir(parents=True, exist_ok=True)
        crop.save(folder / f"{number:05}.png", compress_level=1)


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    return image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)


if __name__ == "__main__":
    main()
