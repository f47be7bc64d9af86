"""The rows that are clustered: real ones from the data folder, or generated from a seed.

Every function takes a ``DataOptions`` and returns (n_samples, n_features) in the dtype data are stored in.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images, make_blobs

from kmosaic.images import ReadOptions, load_dataset
from kmosaic.images.registry import find_dataset

Rows = NDArray[Any]

KODAK_PIXELS = 4_194_304
SATELLITE_PIXELS = 16_000_000
DESCRIPTORS = 1_000_000
# Scaled-down data keep this many rows: with fewer, a fit is all overhead.
_MIN_ROWS = 2_000


class MissingData(Exception):  # noqa: N818 (no error: the workload is skipped, and this says why)
    """Data that is not here; the message says what to do."""


@dataclass(frozen=True)
class DataOptions:
    """Where real data lie, and how much of them to take.

    ``stand_ins``: data that come with scikit-learn take the place of absent ones.
    """

    data_dir: Path | None = None
    scale: float = 1.0
    stand_ins: bool = False

    def n_rows(self, full: int) -> int:
        """How many rows to take of ``full``."""
        return min(full, max(_MIN_ROWS, round(full * self.scale)))

    def folder(self, name: str) -> Path:
        """The data folder's sub-folder ``name``: ``KMOSAIC_DATA`` is looked at, then ``../shared/data``."""
        named = os.environ.get("KMOSAIC_DATA")
        roots = [self.data_dir] if self.data_dir else [Path(named)] if named else []
        for root in roots or [Path(__file__).parents[2] / "shared" / "data"]:
            if (root / name).is_dir():
                return root / name
        raise MissingData(f"no folder {name}/ in the data folder; name one with --data-dir or KMOSAIC_DATA")


def mnist(options: DataOptions) -> Rows:
    """MNIST's 60,000 training images, uint8; digits stand in."""
    try:
        folder = options.folder("mnist").parent
    except MissingData:
        folder = None
    if folder is None or find_dataset("mnist", folder) is None:
        if options.stand_ins:
            digits: Rows = load_digits().data.astype(np.uint8)
            return digits
        raise MissingData("no MNIST in the data folder; name one with --data-dir or KMOSAIC_DATA")
    images = _mnist_images(folder)
    return np.ascontiguousarray(images[: options.n_rows(len(images))])


@cache
def _mnist_images(folder: Path) -> Rows:
    images: Rows = load_dataset("mnist", ReadOptions(data_dir=folder)).train.pixels
    return images


def mnist_float32(options: DataOptions) -> Rows:
    """MNIST divided by 255: float32, and not whole numbers."""
    return mnist(options).astype(np.float32) / np.float32(255)


def photos(options: DataOptions) -> Rows:
    """The Kodak photos' pixels, uint8 RGB, one photo after the other; scikit-learn's two photos stand in."""
    try:
        files = sorted(options.folder("kodak").glob("*.png"))
    except MissingData:
        if not options.stand_ins:
            raise
        pictures = load_sample_images().images
    else:
        pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures])[:KODAK_PIXELS]
    n = options.n_rows(len(pixels))
    return np.ascontiguousarray(pixels[:: len(pixels) // n][:n])


def descriptors(options: DataOptions) -> Rows:
    """A million descriptors of the Kodak photos' patches, one every two pixels: 128 features, float32.

    As those of Lowe (2004), "Distinctive image features from scale-invariant keypoints", section 6, at one
    scale and upright: eight orientations of gradients in 4 x 4 cells of 4 x 4 pixels, brought to length 1,
    cut off at 0.2 and brought to length 1 again.
    """
    files = sorted(options.folder("kodak").glob("*.png"))
    pictures = [np.asarray(Image.open(file).convert("L"), dtype=np.float32) for file in files]
    n = options.n_rows(DESCRIPTORS)
    rows: Rows = np.concatenate([_descriptors(picture) for picture in pictures])
    return np.ascontiguousarray(rows[np.arange(n) * len(rows) // n])


def _descriptors(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    down, right = np.gradient(picture)
    orientation = np.floor(8 * (np.arctan2(down, right) / (2 * np.pi) + 0.5)).astype(int) % 8
    planes = np.hypot(down, right)[..., None] * (orientation[..., None] == np.arange(8))
    cells = sliding_window_view(planes, (4, 4), axis=(0, 1)).sum(axis=(-2, -1), dtype=np.float32)
    height, width = (side - 12 for side in cells.shape[:2])
    parts = [cells[y : y + height : 2, x : x + width : 2] for y in (0, 4, 8, 12) for x in (0, 4, 8, 12)]
    rows = np.concatenate(parts, axis=-1).reshape(-1, 128)
    for most in (0.2, 1.0):
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-6))
        rows = np.minimum(rows, np.float32(most))
    return rows


def noisy_photos(options: DataOptions) -> Rows:
    """The same with noise of up to 3 grey levels, so that few colours repeat."""
    pixels = photos(options)
    noise = np.random.default_rng(1).integers(-3, 4, pixels.shape, dtype=np.int16)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def satellite(dtype: str, n_bands: int) -> Callable[[DataOptions], Rows]:
    """Sixteen million pixels made from six Landsat bands of North Carolina.

    The scene's valid pixels, in raster order, are laid out forth and back until there are enough; a 7th and
    further band is a blend of two others; each tile is a little darker or lighter, and each value a little
    off, so that few rows repeat.
    """

    def rows(options: DataOptions) -> Rows:
        scene = _north_carolina(options)
        n = options.n_rows(SATELLITE_PIXELS)
        rng = np.random.default_rng(2)
        largest, step = (255, 1) if dtype == "uint8" else (65_535, 40)
        blends = rng.dirichlet(np.ones(6), size=max(0, n_bands - 6))
        bands = np.concatenate([scene, scene @ blends.T.astype(np.float32)], axis=1)[:, :n_bands]
        out = np.empty((n, n_bands), dtype=dtype)
        for tile, start in enumerate(range(0, n, len(bands))):
            piece = bands[:: 1 if tile % 2 == 0 else -1][: n - start]
            noise = rng.uniform(-2.5, 2.5, piece.shape).astype(np.float32)
            values = (piece * rng.uniform(0.9, 1.1) + noise) * step
            out[start : start + len(piece)] = np.rint(values).clip(0, largest)
        return out

    return rows


def _north_carolina(options: DataOptions) -> NDArray[np.float32]:
    files = sorted(options.folder("landsat7-nc").glob("*.tif"))
    bands = np.stack([np.asarray(Image.open(file), dtype=np.float32) for file in files], axis=-1)
    return np.ascontiguousarray(bands[(bands > 0).all(axis=-1)])


def mixture(options: DataOptions) -> Rows:
    """A million rows of 128 features: 4,096 Gaussians of unlike weight and unit noise, float32."""
    rng = np.random.default_rng(3)
    n = options.n_rows(1_000_000)
    centers = rng.standard_normal((4096, 128), dtype=np.float32)
    source = rng.choice(len(centers), n, p=rng.dirichlet(np.ones(len(centers))))
    rows = rng.standard_normal((n, 128), dtype=np.float32)
    rows += centers[source]
    return rows


def blobs(options: DataOptions) -> Rows:
    """A million rows of 16 features in 8 blobs, float32."""
    n = options.n_rows(1_000_000)
    rows: Rows = make_blobs(n, 16, centers=8, random_state=4)[0].astype(np.float32)
    return rows


def byte_mixture(n_rows: int, n_features: int) -> Callable[[DataOptions], Rows]:
    """Rows of 256 Gaussians rounded to uint8. The first rows are the same however many there are."""

    def rows(options: DataOptions) -> Rows:
        rng = np.random.default_rng(5)
        centers = rng.uniform(40, 215, (256, n_features)).astype(np.float32)
        out = np.empty((options.n_rows(n_rows), n_features), dtype=np.uint8)
        for start in range(0, len(out), 100_000):
            piece = out[start : start + 100_000]
            noise = rng.normal(0, 25, piece.shape)
            piece[:] = (centers[rng.integers(0, 256, len(piece))] + noise).clip(0, 255)
        return out

    return rows


def distinct_rows(rows: Rows, n: int, seed: int = 0) -> NDArray[np.float64]:
    """Draw up to ``n`` unlike rows to start from."""
    order = np.random.default_rng(seed).permutation(len(rows))
    n_drawn = n
    while True:
        drawn = rows[order[:n_drawn]]
        _, first = np.unique(drawn, axis=0, return_index=True)
        if len(first) >= n or len(drawn) == len(rows):
            return drawn[np.sort(first)[:n]].astype(np.float64)
        n_drawn *= 4
