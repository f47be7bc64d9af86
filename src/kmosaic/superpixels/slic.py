"""SLIC, with scikit-image's signature: k-means in colour and place, exact within its windows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.superpixels import WindowedFit, fit_windowed
from kmosaic.engines.threads import resolve_n_threads
from kmosaic.errors import DataError
from kmosaic.superpixels.features import LAB_UNIT, features, smoothed
from kmosaic.superpixels.seeds import Grid, grid_seeds

_UNIT = 1 << 14
_MASK_ITERATIONS = 5
_MAX_CHANNELS = 4096


def slic(  # noqa: PLR0913 - scikit-image's signature
    image: Any,
    n_segments: int = 100,
    compactness: float = 10.0,
    max_num_iter: int = 10,
    sigma: float | Iterable[float] = 0,
    spacing: Iterable[float] | None = None,
    convert2lab: bool | None = None,
    enforce_connectivity: bool = True,
    min_size_factor: float = 0.5,
    max_size_factor: float = 3,
    slic_zero: bool = False,
    start_label: int = 1,
    mask: Any = None,
    *,
    channel_axis: int | None = -1,
    n_threads: int | None = None,
) -> NDArray[np.int32]:
    """Cut an image into superpixels: small connected regions of similar colour.

    Takes what ``skimage.segmentation.slic`` takes. Every label is that of the nearest centre whose window the
    pixel is in, exactly, in a space of whole numbers; so labels are the same on every machine and with any
    number of threads. Labels differ from scikit-image's in detail: colours are compared in Oklab, seeds are
    spread evenly, and small regions join the neighbour of the nearest mean colour.

    Parameters
    ----------
    image
        (h, w[, c]) or (d, h, w[, c]): integers, floats or bools. Values are spread from 0 to 1 first, those
        outside of the mask left out.
    n_segments
        About how many regions.
    compactness
        How much place counts against colour; 10 suits photos, where colours have a brightness from 0 to 100.
        Without ``convert2lab`` channels go from 0 to 1: try 0.1.
    max_num_iter
        Iterations of k-means at most.
    sigma
        Deviation, in pixels, of a Gaussian filter applied to the colours first: one number, divided by the
        spacing, or one for each axis.
    spacing
        A pixel's length along each axis; windows and seeds follow it. Default: all the same.
    convert2lab
        Compare colours in Oklab (B. Ottosson 2020); needs three channels. Default: where there are three.
    enforce_connectivity
        Make regions connected, across faces of pixels; else labels are those of k-means.
    min_size_factor, max_size_factor
        Connected regions smaller than the mean times the first join a neighbour; those larger than the mean
        times the second are cut.
    slic_zero
        SLICO: compactness adapts to each region, beginning with this.
    start_label
        The first label, 0 or 1. Pixels outside of the mask get one less.
    mask
        (h, w) or (d, h, w): where to cut regions.
    channel_axis
        The axis of channels; None: there is none.
    n_threads
        Threads; None: all processors. No result depends on it.

    Returns
    -------
    labels
        (h, w) or (d, h, w) int32. Connected regions are numbered in the order of their first pixels.

    Raises
    ------
    DataError
        For an image, mask or option that cannot be used.

    References
    ----------
    R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Süsstrunk (2012), "SLIC superpixels compared to
    state-of-the-art superpixel methods", IEEE PAMI 34(11).

    Examples
    --------
    >>> picture = np.zeros((4, 8), np.uint8)
    >>> picture[:, 3:] = 200
    >>> slic(picture, 2, compactness=0.1, channel_axis=None)[0].tolist()
    [1, 1, 1, 2, 2, 2, 2, 2]
    """
    _check_numbers(n_segments, compactness, max_num_iter, start_label, (min_size_factor, max_size_factor))
    threads = resolve_n_threads(n_threads)
    volume = _volume(image, mask, channel_axis)
    lab = _wants_lab(convert2lab, volume, channel_axis)
    gaps = _per_axis("spacing", spacing, volume, outer=1.0)
    if (gaps <= 0).any():
        raise DataError(f"spacing={_shown(spacing)} must be above 0")
    deviations = _deviations(sigma, gaps, volume)
    if not volume.n_inside:
        return np.full(volume.shape, start_label - 1, np.int32)
    values = smoothed(features(volume.values, volume.inside, lab=lab, n_threads=threads), deviations)
    grid = _seeds(volume, min(int(n_segments), volume.n_inside), gaps, threads)
    unit = compactness * (LAB_UNIT if lab else _UNIT)
    mean_size = volume.n_inside / len(grid.seeds)
    fit = WindowedFit(
        values,
        volume.inside,
        grid.seeds,
        _scale(unit, grid, gaps),
        _reach(grid),
        int(max_num_iter),
        zero_floor=max(unit, 64.0) if slic_zero else 0.0,
        least=int(min_size_factor * mean_size),
        most=min(max(1, int(max_size_factor * mean_size)), 2**31) if enforce_connectivity else 0,
    )
    labels = fit_windowed(fit, threads).labels
    labels += start_label
    return labels.reshape(volume.shape)


@dataclass(frozen=True, eq=False)
class _Volume:
    """An image as (depth, height, width, channels), its mask, and its own shape without channels."""

    values: NDArray[Any]
    inside: NDArray[np.bool_] | None
    shape: tuple[int, ...]

    @property
    def n_inside(self) -> int:
        return math.prod(self.shape) if self.inside is None else int(np.count_nonzero(self.inside))

    @property
    def box(self) -> tuple[int, int, int]:
        depth, height, width = self.values.shape[:3]
        return depth, height, width


def _volume(image: Any, mask: Any, channel_axis: int | None) -> _Volume:
    values = np.asarray(image)
    if values.dtype.kind not in "buif" or values.dtype.itemsize > 8:
        raise DataError(f"image of dtype {values.dtype} must be of integers, float32, float64 or bools")
    if channel_axis is None:
        values = values[..., np.newaxis]
    elif not -values.ndim <= channel_axis < values.ndim:
        raise DataError(f"channel_axis={channel_axis} is none of the image's {values.ndim} axes")
    else:
        values = np.moveaxis(values, channel_axis, -1)
    if values.ndim not in (3, 4):
        raise DataError(
            f"image of shape {np.shape(image)} with channel_axis={channel_axis} must have two or three axes "
            "besides that of channels; give channel_axis=None for a grey image"
        )
    if values.size == 0 or values.shape[-1] > _MAX_CHANNELS or values[..., 0].size >= 2**31 - 1:
        raise DataError(
            f"image of shape {np.shape(image)} must have from 1 to 2**31 - 2 pixels of 1 to {_MAX_CHANNELS} "
            "channels"
        )
    shape = values.shape[:-1]
    inside = None if mask is None else np.asarray(mask).astype(bool)
    if inside is not None and inside.shape != shape:
        raise DataError(f"mask of shape {inside.shape} must have the image's, {shape}")
    if len(shape) == 2:
        values = values[np.newaxis]
        inside = None if inside is None else inside[np.newaxis]
    return _Volume(values, inside, shape)


def _check_numbers(
    n_segments: int, compactness: float, max_num_iter: int, start_label: int, factors: tuple[float, float]
) -> None:
    for name, value in (("n_segments", n_segments), ("max_num_iter", max_num_iter)):
        if not _is_real(value) or value < 1 or value >= 2**31:
            raise DataError(f"{name}={value!r} must be a whole number from 1 to 2**31 - 1")
    if not _is_real(compactness) or not 0 < compactness <= 1e9:
        raise DataError(f"compactness={compactness!r} must be above 0, and at most 1e9; try 10")
    if start_label not in (0, 1):
        raise DataError(f"start_label={start_label!r} must be 0 or 1")
    if not all(_is_real(factor) for factor in factors) or not 0 <= factors[0] <= factors[1]:
        raise DataError(
            f"min_size_factor={factors[0]!r} and max_size_factor={factors[1]!r} must be numbers from 0 on, "
            "the first no larger than the second"
        )


def _is_real(value: object) -> bool:
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return real and math.isfinite(value)  # type: ignore[arg-type]


def _wants_lab(convert2lab: bool | None, volume: _Volume, channel_axis: int | None) -> bool:
    n_channels = volume.values.shape[-1]
    if convert2lab and (channel_axis is None or n_channels != 3):
        raise DataError(f"convert2lab needs the three channels of RGB; the image has {n_channels}")
    return channel_axis is not None and n_channels == 3 and convert2lab is not False


def _per_axis(name: str, given: Any, volume: _Volume, outer: float) -> NDArray[np.float64]:
    """One finite number for each of three axes, the first ``outer`` where the image has only two."""
    n_axes = len(volume.shape)
    try:
        numbers = np.full(n_axes, 1.0) if given is None else np.array(list(given), np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.shape != (n_axes,) or not np.isfinite(numbers).all() or (numbers > 1e9).any():
        raise DataError(f"{name}={_shown(given)} must be {n_axes} numbers, one for each axis of the image")
    return numbers if n_axes == 3 else np.concatenate([[outer], numbers])


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _deviations(sigma: Any, spacing: NDArray[np.float64], volume: _Volume) -> NDArray[np.float64]:
    if _is_real(sigma):
        numbers = np.full(3, float(sigma)) / spacing
    else:
        numbers = _per_axis("sigma", sigma, volume, outer=0.0)
    if len(volume.shape) == 2:
        numbers[0] = 0.0
    if (numbers < 0).any() or (numbers > 1e4).any():
        raise DataError(f"sigma={_shown(sigma)} must be from 0 to 10,000 pixels")
    return numbers


def _seeds(volume: _Volume, n_segments: int, spacing: NDArray[np.float64], n_threads: int) -> Grid:
    """Seeds on a grid; within a mask, moved to the means of the pixels nearest to each, a few times."""
    grid = grid_seeds(volume.box, n_segments, spacing, volume.inside)
    if volume.inside is None:
        return grid
    blank = np.zeros((*volume.box, 1), np.uint16)
    fit = WindowedFit(
        blank, volume.inside, grid.seeds, _scale(_UNIT, grid, spacing), _reach(grid), _MASK_ITERATIONS
    )
    labels = fit_windowed(fit, n_threads).labels[volume.inside]
    sizes = np.bincount(labels, minlength=len(grid.seeds))
    used = sizes > 0
    means = [
        np.bincount(labels, at, minlength=len(grid.seeds))[used] / sizes[used]
        for at in np.nonzero(volume.inside)
    ]
    return Grid(np.floor(np.stack(means, axis=1) + 0.5).astype(np.int64), grid.steps, grid.length)


def _scale(unit: float, grid: Grid, spacing: NDArray[np.float64]) -> tuple[float, float, float]:
    """A step is as far as ``unit`` in colours."""
    scale = np.minimum(unit * spacing / grid.length, 2.0**39).tolist()
    return scale[0], scale[1], scale[2]


def _reach(grid: Grid) -> tuple[int, int, int]:
    """Windows go two steps from their centre."""
    reach = [math.ceil(2 * step) for step in grid.steps]
    return reach[0], reach[1], reach[2]
