"""Statistics of a scene's classes: sizes, areas, means, deviations, and how far they are apart.

Strips are added one by one. Sums of integer values are exact, so no way of cutting the scene changes a
bit; of others they are added up in groups of lines that are always the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.stats.pixel_areas import PixelAreas
from kmosaic.scenes.stats.separability import ROUNDING_VARIANCE, jeffries_matusita

GROUP_LINES = 16
"""Lines that are added up together: strips have to begin and end at multiples of it."""

# Products of two 16-bit values of this number of pixels sum to at most 2**53, which float64 adds exactly.
_MAX_PIXELS = 1 << 21
# So many of these sums fit int64.
_MAX_SUMS = 1 << 9


@dataclass(frozen=True, eq=False)
class ClassSizes:
    """How much of a scene each class has.

    ``pixels`` is int64 (n_classes,); ``missing`` the number of pixels in no class; ``areas`` float64
    (n_classes,) in square metres, or None where the scene does not tell.
    """

    pixels: NDArray[np.int64]
    missing: int
    areas: NDArray[np.float64] | None

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each class's share of the valid pixels; 0 where there are none."""
        return self.pixels / max(int(self.pixels.sum()), 1)


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Means, covariances and separability of classes.

    ``means`` is float64 (n_classes, n_bands) in the bands' own units, ``covariances`` float64 (n_classes,
    n_bands, n_bands), divided by the number of pixels; both are NaN for a class without pixels.
    ``separability`` is float64 (n_classes, n_classes): Jeffries-Matusita distances, 0 to 2, NaN for a class
    of no more pixels than bands.
    """

    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    separability: NDArray[np.float64]

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Standard deviations, (n_classes, n_bands), in the bands' own units."""
        deviations: NDArray[np.float64] = np.sqrt(np.einsum("kbb->kb", self.covariances))
        return deviations

    @property
    def nearest(self) -> tuple[int | None, ...]:
        """The class with the smallest separability from each class; None where that is not known."""
        others = np.where(np.eye(len(self.means), dtype=bool), np.nan, self.separability)
        return tuple(None if np.isnan(row).all() else int(np.nanargmin(row)) for row in others)

    def mean_squared_distances(
        self, centers: NDArray[np.float64], units: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the mean squared distance of each class's pixels to its centre, float64 (n_classes,).

        ``centers`` is (n_classes, n_bands) in the bands' own units; ``units`` (n_bands,) is what one unit of
        distance is in each band.
        """
        gaps = (self.means - centers) / units
        variances = np.einsum("kbb->kb", self.covariances) / units**2
        return np.asarray((variances + gaps**2).sum(axis=1))


class SizeCount:
    """Counts the pixels of each of ``n_classes``, and adds up their areas."""

    def __init__(self, n_classes: int, areas: PixelAreas | None) -> None:
        self._areas = areas
        self._pixels = np.zeros(n_classes + 1, np.int64)
        self._class_areas = np.zeros(n_classes + 1)

    def add(self, top: int, labels: NDArray[np.int32]) -> None:
        """Count lines from ``top`` on; ``labels`` is (n_lines, width), -1 where a pixel is in no class."""
        for start in range(0, len(labels), GROUP_LINES):
            lines = labels[start : start + GROUP_LINES]
            flat = lines.ravel() + 1
            self._pixels += np.bincount(flat, minlength=len(self._pixels))
            if self._areas is not None and self._areas.constant is None:
                pixel_areas = np.broadcast_to(self._areas.of_lines(top + start, len(lines)), lines.shape)
                self._class_areas += np.bincount(flat, pixel_areas.ravel(), minlength=len(self._pixels))

    def sizes(self) -> ClassSizes:
        pixels = self._pixels[1:].copy()
        return ClassSizes(pixels, int(self._pixels[0]), self._areas_of(pixels))

    def _areas_of(self, pixels: NDArray[np.int64]) -> NDArray[np.float64] | None:
        if self._areas is None:
            return None
        constant = self._areas.constant
        return self._class_areas[1:].copy() if constant is None else pixels.astype(np.float64) * constant


class ClassSums:
    """Sums over the pixels of each class: of values, and of products of values.

    ``origins`` (n_classes, n_bands) is where each class lies about: values that are no integers are counted
    from there, which keeps the digits of their variances.
    """

    def __init__(self, origins: NDArray[np.float64], dtype: np.dtype[Any]) -> None:
        n_classes, n_bands = origins.shape
        self._integers = dtype.kind == "u"
        self._origins = np.zeros_like(origins) if self._integers else origins
        self._pixels = np.zeros(n_classes, np.int64)
        kind = np.int64 if self._integers else np.float64
        self._values = np.zeros((n_classes, n_bands), kind)
        self._products = np.zeros((n_classes, n_bands, n_bands), kind)
        # Whole numbers of any size, to which the above are added before they overflow.
        self._large = [np.zeros(self._values.shape, object), np.zeros(self._products.shape, object)]
        self._n_sums = 0

    def add(self, values: NDArray[Any], labels: NDArray[np.int32]) -> None:
        """Add lines, (n_lines, width, n_bands); ``labels`` (n_lines, width) is -1 for a pixel in no class."""
        for start in range(0, len(labels), GROUP_LINES):
            lines = slice(start, start + GROUP_LINES)
            pixels, flat = values[lines].reshape(-1, values.shape[-1]), labels[lines].ravel()
            for first in range(0, len(flat), _MAX_PIXELS):
                some = slice(first, first + _MAX_PIXELS)
                self._add_pixels(pixels[some], flat[some])

    def parts(self, values: NDArray[Any], labels: NDArray[np.int32]) -> list[ClassSums]:
        """Return sums of the lines, to be merged in their order: to the bits of adding the lines."""
        step = len(labels) if self._integers else GROUP_LINES
        parts = []
        for start in range(0, len(labels), step):
            parts.append(copy.deepcopy(self))
            parts[-1].add(values[start : start + step], labels[start : start + step])
        return parts

    def merge(self, other: ClassSums) -> None:
        """Add what another has summed: of floats, in the order of lines."""
        self._pixels += other._pixels
        if self._integers:
            for sums in (self, other):
                sums._carry()
            for large, more in zip(self._large, other._large, strict=True):
                large += more
        else:
            np.add(self._values, other._values, out=self._values)
            np.add(self._products, other._products, out=self._products)

    def are_small(self, n_lines: int, width: int) -> bool:
        """Whether the ``parts`` of ``n_lines`` lines are smaller than the lines' values."""
        n_pixels = (n_lines if self._integers else min(n_lines, GROUP_LINES)) * width
        whole = self._integers or n_pixels <= _MAX_PIXELS  # else they are added up otherwise
        return whole and 8 * (self._values.size + self._products.size) <= n_pixels * self._origins.shape[1]

    def _add_pixels(self, pixels: NDArray[Any], labels: NDArray[np.int32]) -> None:
        if self._integers and self._n_sums == _MAX_SUMS:
            self._carry()
        self._n_sums += 1
        for label, of_class in _by_class(pixels, labels):
            self._pixels[label] += len(of_class)
            rows = of_class.astype(np.float64)
            if not self._integers:
                rows -= self._origins[label]
            kind = self._values.dtype
            self._values[label] += rows.sum(axis=0).astype(kind)
            self._products[label] += (rows.T @ rows).astype(kind)

    def _carry(self) -> None:
        for large, small in zip(self._large, (self._values, self._products), strict=True):
            large += small
            small[...] = 0
        self._n_sums = 0

    def statistics(self) -> ClassStatistics:
        means, covariances = self._exact_moments() if self._integers else self._float_moments()
        rounding = ROUNDING_VARIANCE if self._integers else 0.0
        separability = jeffries_matusita(means, covariances, self._pixels, rounding)
        return ClassStatistics(means, covariances, separability)

    def _float_moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        counts = np.where(self._pixels > 0, self._pixels.astype(np.float64), np.nan)
        offsets = np.asarray(self._values / counts[:, None], np.float64)
        squares = np.asarray(self._products / counts[:, None, None], np.float64)
        covariances = squares - offsets[:, :, None] * offsets[:, None, :]
        return self._origins + offsets, _without_negative_variances(covariances)

    def _exact_moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each a quotient of two whole numbers, rounded once."""
        self._carry()
        values, products = self._large
        counts = [int(count) for count in self._pixels]
        means = np.full(self._values.shape, np.nan)
        covariances = np.full(self._products.shape, np.nan)
        for label, n in enumerate(counts):
            if n:
                means[label] = values[label] / n
                spread = n * products[label] - np.outer(values[label], values[label])
                covariances[label] = spread / (n * n)
        return means, covariances


def _by_class(pixels: NDArray[Any], labels: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each class that occurs, and its pixels in their order."""
    # 16-bit keys are sorted by radix; what is missing, -1, comes last.
    keys = labels.astype(np.uint16)
    order = np.argsort(keys, kind="stable")
    n_valid = int(np.count_nonzero(labels >= 0))
    ordered, classes = pixels[order[:n_valid]], keys[order[:n_valid]]
    starts = np.flatnonzero(np.diff(classes, prepend=np.int32(-1)))
    ends = np.append(starts[1:], n_valid)
    for start, end in zip(starts, ends[: len(starts)], strict=True):
        yield int(classes[start]), ordered[start:end]


def _without_negative_variances(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounding may leave the variance of equal values a little below 0."""
    diagonal = np.einsum("kbb->kb", covariances)
    diagonal[diagonal < 0] = 0.0
    return covariances
