"""Pictures with few colours: palettes by k-means, exact nearest colours, dithering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.colours.back import colours_of
from kmosaic.colours.blue_noise import partners, thresholds
from kmosaic.colours.fit import FitOptions, PaletteFit, fit_beside, fit_palette, medoids
from kmosaic.colours.histogram import (
    Histogram,
    histogram_of,
    joined,
    plain_channels,
    rgba_picture,
    with_alpha,
)
from kmosaic.colours.options import QuantizeOptions
from kmosaic.colours.palette import Palette
from kmosaic.colours.palette_files import MAX_COLORS
from kmosaic.colours.pillow_pixels import pixels_of
from kmosaic.colours.result import Quantized, eight_bits
from kmosaic.engines.colour_points import UNIT, ColourSpace, Diffusion, Points, nearest_in_palette
from kmosaic.engines.distinct_rows import count_bytes
from kmosaic.engines.threads import resolve_n_threads
from kmosaic.errors import DataError
from kmosaic.images.decode import UnusableImageError

# The largest error that a pixel takes, by the most colours it is for: with few colours errors are large, and
# a larger limit makes patterns that cost more bytes than they are worth. Decision 0032 has the measurements.
_MAX_ERRORS = ((4, 0.035), (8, 0.06), (MAX_COLORS, 0.1))
# How far the nearest colour may be in a flat area that is left without dithering.
_MAX_FLAT = UNIT // 50


def quantize(
    image: Any, colors: int = 256, options: QuantizeOptions | None = None, **changes: Any
) -> Quantized:
    """Find the few colours that come closest to a picture's, and give every pixel one of them.

    Colours are found by k-means in Oklab (or ``space``), on all distinct colours with their counts, from
    seeds of greedy k-means++ until no label changes; labels are those of the exactly nearest colour, or of
    error diffusion in the same space. The same picture gives the same palette and labels on every machine,
    but for ``saliency``, whose weights are powers of reals.

    Parameters
    ----------
    image : array or PIL.Image.Image
        (h, w), (h, w, 3) or (h, w, 4), uint8 or uint16, sRGB; alpha is not premultiplied.
    colors : int
        How many colours to find, 1 to 256, the transparent one included. A picture that has no more keeps
        them. Not used beside a ``palette``.
    options, **changes
        A ``QuantizeOptions``, and fields of it that differ.

    Returns
    -------
    Quantized
        ``labels``, ``palette``, ``image`` (for Pillow), ``pixels``; ``mse``, ``psnr``, ``ssimulacra2``.

    Raises
    ------
    DataError
        For an array of another shape or dtype, a number of colours out of range, or an unknown option.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    >>> result = quantize(np.tile(ramp, (8, 1, 1)), 4, dither="none")
    >>> result.palette.hex
    ('#191919', '#535353', '#949494', '#dbdbdb')
    """
    return quantize_all([image], colors, options, **changes)[0]


def quantize_all(
    images: Sequence[Any], colors: int = 256, options: QuantizeOptions | None = None, **changes: Any
) -> list[Quantized]:
    """The same for several pictures with one palette, found from all of them.

    Parameters
    ----------
    images : sequence of array or PIL.Image.Image
        At least one, each as ``quantize`` takes them; sizes may differ. Where one has 16 bits, all get them.
    colors : int
        How many colours to find for all of them together, 1 to 256.
    options, **changes
        A ``QuantizeOptions``, and fields of it that differ.

    Returns
    -------
    list of Quantized
        One for each picture, in order; its ``palette`` has those of the colours that occur in it.

    Raises
    ------
    DataError
        For no pictures, and as ``quantize``.
    """
    options = replace(options or QuantizeOptions(), **changes)
    if not (isinstance(colors, int | np.integer) and 1 <= colors <= MAX_COLORS):
        raise DataError(f"colors={colors!r} must be a whole number from 1 to {MAX_COLORS}")
    if not images:
        raise DataError("no pictures; give at least one")
    n_threads = resolve_n_threads(options.n_threads)
    space = ColourSpace(options.space)
    pictures = _of_one_dtype([plain_channels(as_picture(image)) for image in images])
    histograms = [histogram_of(one.reshape(-1, one.shape[2]), space, n_threads) for one in pictures]
    found = _find_palette(joined(histograms, space), int(colors), options, space)
    job = _Job(space, found, options, n_threads)
    return [job.result(one, own) for one, own in zip(pictures, histograms, strict=True)]


def as_picture(image: Any) -> NDArray[Any]:
    """A picture as (h, w, 3 or 4) uint8 or uint16.

    Raises DataError where it has another shape, dtype or mode, or no pixels.
    """
    if isinstance(image, Image.Image):
        try:
            image = pixels_of(image)
        except UnusableImageError as error:
            raise DataError(f"an image of mode {image.mode!r}: {error}") from error
    picture = np.asarray(image)
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4):
        raise DataError(f"an image of shape {np.shape(image)}; give (h, w), (h, w, 3) or (h, w, 4)")
    if picture.dtype not in (np.uint8, np.uint16):
        raise DataError(f"an image of {picture.dtype}; give uint8 (0 to 255) or uint16 (0 to 65535)")
    if picture.size == 0:
        raise DataError(f"an image of shape {np.shape(image)}, which has no pixels")
    if picture.shape[2] == 1:
        picture = np.repeat(picture, 3, axis=2)
    return np.ascontiguousarray(picture)


def _of_one_dtype(pictures: list[NDArray[Any]]) -> list[NDArray[Any]]:
    if len({one.dtype for one in pictures}) > 1:
        return [one if one.dtype == np.uint16 else one.astype(np.uint16) * 257 for one in pictures]
    return pictures


@dataclass(frozen=True, eq=False)
class _Found:
    """RGBA colours (k, 4), without a transparent one; whether there is one; the fit they come from."""

    colors: NDArray[np.uint8]
    transparent: bool
    n_distinct: int
    fit: PaletteFit | None


def _find_palette(all_of: Histogram, n_colors: int, options: QuantizeOptions, space: ColourSpace) -> _Found:
    how = FitOptions(options.exact, options.saliency, options.seed, resolve_n_threads(options.n_threads))
    if options.palette is not None:
        return _given_palette(all_of, options.palette.colors, options.extra, space, how)
    n_distinct, transparent = len(all_of.colors), all_of.n_transparent > 0
    n_visible = n_colors - transparent
    if n_visible < 1 and n_distinct:
        raise DataError("colors=1 leaves none beside the transparent one; give at least 2")
    if n_distinct <= n_visible:
        return _Found(_rgba(eight_bits(all_of.colors)), transparent, n_distinct, None)
    fit = fit_palette(all_of.points, all_of.counts, n_visible, how)
    colors = _fitted_colors(all_of, fit, space, occurring=options.medoids)
    return _Found(_without_repetitions(colors), transparent, n_distinct, fit)


def _given_palette(
    all_of: Histogram, given: NDArray[np.uint8], n_more: int, space: ColourSpace, how: FitOptions
) -> _Found:
    n_distinct = len(all_of.colors)
    transparent = bool(all_of.n_transparent and (given[:, 3] == 0).any())
    visible = given[given[:, 3] > 0]
    if not n_more or not n_distinct:
        if not len(visible) and n_distinct:
            raise DataError("a palette without a visible colour; give one for the picture's")
        return _Found(visible, transparent, n_distinct, None)
    fixed = _points_of(visible, space, all_of.points.shape[1])
    fit = fit_beside(fixed, all_of.points, all_of.counts, n_more, how)
    colors = np.concatenate([visible, colours_of(space, fit.centers[len(visible) :])])
    return _Found(_without_repetitions(colors), transparent, n_distinct, fit)


def _fitted_colors(
    all_of: Histogram, fit: PaletteFit, space: ColourSpace, *, occurring: bool
) -> NDArray[np.uint8]:
    grey = bool((all_of.colors[:, :3] == all_of.colors[:, :1]).all())
    colors = colours_of(space, fit.centers, grey=grey)
    if not occurring:
        return colors
    chosen = medoids(all_of.points, _points_of(colors, space, all_of.points.shape[1]), fit.centers)
    return _rgba(eight_bits(all_of.colors[chosen]))


def _rgba(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    full = np.full((len(colours), 4), 255, np.uint8)
    full[:, : colours.shape[1]] = colours
    return full


def _without_repetitions(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, first = np.unique(colors, axis=0, return_index=True)
    return colors[np.sort(first)]


def _points_of(colors: NDArray[np.uint8], space: ColourSpace, channels: int) -> Points:
    return space.points(np.ascontiguousarray(colors[:, :channels]), 1)


@dataclass(frozen=True, eq=False)
class _Job:
    """One palette, and how pictures are given its colours."""

    space: ColourSpace
    found: _Found
    options: QuantizeOptions
    n_threads: int

    def result(self, picture: NDArray[Any], own: Histogram) -> Quantized:
        colors = self.found.colors[_pleasing_order(self.found.colors)]
        shown = picture
        if (colors[:, 3] < 255).any() and own.colors.shape[1] == 3:  # no opaque pixel may become translucent
            own = with_alpha(own, self.space)
            shown = rgba_picture(picture)
        labels = (
            np.zeros(picture.shape[:2], np.uint8) if not len(colors) else self._labels(shown, own, colors)
        )
        colors = np.concatenate([colors, np.zeros((1, 4), np.uint8)])
        counts = count_bytes(np.ascontiguousarray(labels), self.n_threads)
        used = np.flatnonzero(counts)
        if colors[used[-1], 3] == 0:  # the transparent colour comes first: PNG lists alpha up to the last
            used = np.roll(used, 1)
        renumbered = np.zeros(MAX_COLORS, np.uint8)
        renumbered[used] = np.arange(len(used))
        if not np.array_equal(used, np.arange(len(used))):
            renamed = labels.tobytes().translate(renumbered.tobytes())  # no copy wider than a byte
            labels = np.frombuffer(renamed, np.uint8).reshape(labels.shape).copy()
        names = _given_names(colors[used], self.options.palette)
        palette = Palette(colors[used], counts[used] / labels.size, names)
        fit = self.found.fit
        errors = np.zeros(0) if fit is None else fit.error_history
        n_iter = 0 if fit is None else fit.n_iter
        return Quantized(labels, palette, picture, self.space.name, self.found.n_distinct, n_iter, errors)

    def _labels(self, picture: NDArray[Any], own: Histogram, colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Labels into ``colors``, and ``len(colors)`` for what has no opacity."""
        shape = picture.shape[:2]
        transparent = len(colors)
        if own.n_transparent and not self.found.transparent:
            transparent = int(nearest_in_palette(_white(self.space), _points_of(colors, self.space, 3), 1)[0])
        strength = self.options.strength
        exact = self.found.fit is None and self.options.palette is None
        palette = _points_of(colors, self.space, own.colors.shape[1])
        if self.options.dither == "diffusion" and not exact and strength > 0:
            how = Diffusion(round(256 * strength), _max_error(len(colors)), _MAX_FLAT)
            points = _points_of(colors, self.space, picture.shape[2])
            labels = self.space.diffuse(picture, points, how, self.n_threads)
            if own.n_transparent:
                labels[picture[..., 3] == 0] = transparent
            return labels
        if self.options.dither == "blue-noise" and not exact and strength > 0:
            nearest, other, limit = partners(own.points, palette, strength, self.n_threads)
            first = own.expand(nearest, transparent).reshape(shape)
            second = own.expand(other, transparent).reshape(shape)
            high = own.expand((limit >> 8).astype(np.uint8), 0).reshape(shape)
            low = own.expand((limit & 255).astype(np.uint8), 0).reshape(shape)
            return np.where(thresholds(*shape) < high.astype(np.uint16) * 256 + low, second, first)
        return own.expand(nearest_in_palette(own.points, palette, self.n_threads), transparent).reshape(shape)


def _given_names(colors: NDArray[np.uint8], given: Palette | None) -> tuple[str, ...]:
    """What the colours are called in a given palette, "" for others; none where no colour has a name."""
    if given is None or not given.names:
        return ()
    known: dict[bytes, str] = {}
    for color, name in zip(given.colors, given.names, strict=True):
        known[color.tobytes()] = known.get(color.tobytes()) or name
    names = tuple(known.get(color.tobytes(), "") for color in colors)
    return names if any(names) else ()


def _max_error(n_colors: int) -> int:
    return next(round(share * UNIT) for most, share in _MAX_ERRORS if n_colors <= most)


def _white(space: ColourSpace) -> Points:
    return space.points(np.full((1, 3), 255, np.uint8), 1)


def _pleasing_order(colors: NDArray[np.uint8]) -> NDArray[np.intp]:
    """An order in which neighbours are alike, from dark to bright: what PNG's filters and readers like."""
    brightness = colors[:, :3].astype(np.int64) @ [2126, 7152, 722]
    return np.lexsort((colors[:, 2], colors[:, 1], brightness))
