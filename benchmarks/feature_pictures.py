"""Pictures of what each transformer sees, for the documentation; from data inside scikit-learn alone.

python -m benchmarks.feature_pictures docs/images
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from kmosaic import KMeans
from kmosaic.features import (
    Deskew,
    DistortionDistance,
    GraphEmbedding,
    LearnedPatches,
    OrientedGradients,
    Whiten,
)
from kmosaic.report import save_figure

_DPI = 100


def main() -> None:
    """Write every picture into the folder named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for name, draw in PICTURES.items():
        print(save_figure(draw(), folder / f"features-{name}.png", overwrite=True))


def deskew() -> Figure:
    """Two digits leaning six ways each, above, and set upright, below."""
    leaning = np.stack(
        [leant(load_digits().images[row], slant) for row in (17, 24) for slant in np.linspace(-0.6, 0.6, 6)]
    )
    upright = Deskew().fit_transform(leaning.reshape(len(leaning), -1)).reshape(leaning.shape)
    figure, axes = _grid(
        2, len(leaning), 0.62, "Deskew: two digits leaning six ways each, and what it makes of them"
    )
    for column in range(len(leaning)):
        axes[0][column].imshow(leaning[column], cmap="gray")
        axes[1][column].imshow(upright[column], cmap="gray")
    return figure


def leant(image: NDArray[np.float64], slant: float) -> NDArray[np.float32]:
    """A digit of 32 x 32 pixels, each row shifted against the next by ``slant`` pixels."""
    large = Image.fromarray(image.astype(np.float32)).resize((20, 20), Image.Resampling.BICUBIC)
    canvas = Image.new("F", (32, 32))
    canvas.paste(large, (6, 6))
    sheared = canvas.transform(
        (32, 32), Image.Transform.AFFINE, (1, slant, -15.5 * slant, 0, 1, 0), Image.Resampling.BILINEAR
    )
    return np.asarray(np.maximum(np.asarray(sheared), 0), np.float32)


def gradients() -> Figure:
    """A photo and a digit beside their histograms: strokes across the gradients, as strong as these are."""
    flower = load_sample_images().images[1][60:400, 100:440]
    digit = load_digits().images[21]
    figure, axes = _grid(1, 4, 1.7, "OrientedGradients: strokes lie across the gradients of each cell")
    for column, (image, cells) in enumerate(((flower, 17), (digit, 7))):
        shape = (*image.shape[:2], 1 if image.ndim == 2 else 3)
        transformer = OrientedGradients(n_orientations=16, cells=(cells, cells), image_shape=shape)
        found = transformer.fit_transform(image.reshape(1, -1)).reshape(cells, cells, 16)
        axes[0][2 * column].imshow(image, cmap="gray")
        _draw_strokes(axes[0][2 * column + 1], found)
    return figure


def _draw_strokes(axes: Axes, histograms: NDArray[np.float32]) -> None:
    rows, columns, n_orientations = histograms.shape
    axes.set(xlim=(0, columns), ylim=(rows, 0), facecolor="black", aspect="equal")
    strength = histograms / histograms.max()
    for row, column, orientation in np.ndindex(*histograms.shape):
        across = 2 * math.pi * orientation / n_orientations + math.pi / 2
        x, y = 0.45 * math.cos(across), 0.45 * math.sin(across)
        shade = float(strength[row, column, orientation])
        axes.plot(
            (column + 0.5 - x, column + 0.5 + x),
            (row + 0.5 - y, row + 0.5 + y),
            color=(1, 1, 1, shade),
            linewidth=0.9,
        )


def whiten() -> Figure:
    """The components of largest variance, as images."""
    components = Whiten().fit(load_digits().data).components_[:24].reshape(2, 12, 8, 8)
    figure, axes = _grid(2, 12, 0.62, "Whiten: the 24 directions in which digits differ most")
    for row, column in np.ndindex(2, 12):
        limit = np.abs(components[row, column]).max()
        axes[row][column].imshow(components[row, column], cmap="gray", vmin=-limit, vmax=limit)
    return figure


def patches() -> Figure:
    """The words of a dictionary learned from two photos, the most frequent first."""
    crops = photo_crops(3000, 32)
    fitted = LearnedPatches(96, image_shape=(32, 32, 3)).fit(crops)
    words = fitted.words_[np.argsort(-fitted.transform(crops).mean(axis=0).reshape(4, -1).sum(axis=0))]
    figure, axes = _grid(4, 24, 0.31, "LearnedPatches: 96 words of 6 x 6 pixels, learned from two photos")
    for number, word in enumerate(words.reshape(-1, 6, 6, 3)):
        span = np.abs(word).max()
        axes[number // 24][number % 24].imshow((word / span + 1) / 2)
    return figure


def photo_crops(n: int, side: int) -> NDArray[np.uint8]:
    """Squares drawn from scikit-learn's two photos: (n, side * side * 3)."""
    rng = np.random.default_rng(0)
    photos = load_sample_images().images
    crops = np.empty((n, side, side, 3), np.uint8)
    for number in range(n):
        photo = photos[number % len(photos)]
        top, left = (int(rng.integers(extent - side)) for extent in photo.shape[:2])
        crops[number] = photo[top : top + side, left : left + side]
    return crops.reshape(n, -1)


def distortion() -> Figure:
    """A digit moved, bent and turned, and others: ordered by pixels, above, and by distortion, below."""
    digits = load_digits().images
    own = digits[8]
    moved = [
        np.roll(leant(own, slant), shift, axis=1) for slant, shift in ((0, 3), (0.15, 1), (-0.2, -1), (0, -3))
    ]
    images = np.stack([leant(own, 0), *moved, *(leant(digits[row], 0) for row in (3, 5, 9, 14, 15, 23))])
    rows = np.rint(255 * images.reshape(len(images), -1) / images.max()).astype(np.uint8)
    by_pixels = np.linalg.norm(rows.astype(float) - rows[0].astype(float), axis=1)
    by_distortion = DistortionDistance(warp=3).pairwise(rows[:1], rows)[0]
    figure, axes = _grid(
        2,
        len(images),
        0.62,
        "DistortionDistance: the nearest to the first digit by pixels, above, and by distortion",
    )
    for line, distances in zip(axes, (by_pixels, by_distortion), strict=True):
        for one, row in zip(line, np.argsort(distances, kind="stable"), strict=True):
            one.imshow(images[row], cmap="gray")
    return figure


def graph() -> Figure:
    """Digits drawn from each of ten clusters, as the coordinates of their graph group them."""
    data = load_digits()
    places = GraphEmbedding(n_components=9).fit_transform(data.data.astype(np.uint8))
    labels = KMeans(10, random_state=0).fit(places).labels_
    random = np.random.default_rng(0)
    figure, axes = _grid(
        10, 24, 0.3, "GraphEmbedding: digits drawn from each of ten clusters of its coordinates"
    )
    for cluster, line in enumerate(axes):
        members = random.permutation(np.flatnonzero(labels == cluster))
        for one, row in zip(line, members, strict=False):
            one.imshow(data.images[row], cmap="gray")
        for one in line[len(members) :]:
            one.set_axis_off()
    return figure


def _grid(rows: int, columns: int, inches: float, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(columns * inches, rows * inches + 0.35), dpi=_DPI)
    axes = figure.subplots(rows, columns, squeeze=False)
    for one in axes.flat:
        one.set(xticks=[], yticks=[])
    top = 1 - 0.35 / (rows * inches + 0.35)
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.01, top=top, wspace=0.05, hspace=0.05)
    figure.text(0.006, 1 - 0.05 / (rows * inches + 0.35), title, va="top", fontsize=10)
    return figure, axes


PICTURES: dict[str, Callable[[], Figure]] = {
    "deskew": deskew,
    "gradients": gradients,
    "whiten": whiten,
    "distortion": distortion,
    "graph": graph,
    "patches": patches,
}

if __name__ == "__main__":
    main()
