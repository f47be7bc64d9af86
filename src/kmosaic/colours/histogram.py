"""The distinct colours of pictures with their numbers of pixels, as points of a space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.colour_points import ColourSpace, Points
from kmosaic.engines.distinct_rows import merge_colours

Colours = NDArray[Any]
"""(n, 3 or 4) uint8 or uint16: RGB or RGBA."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Distinct colours (m, c) that are not transparent, their points and counts, and the way back.

    ``expand`` turns one label (uint8) a distinct colour into one a pixel; pixels without any opacity get
    ``transparent``.
    """

    colors: Colours
    points: Points
    counts: NDArray[np.int64]
    expand: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
    n_transparent: int


def plain_channels(pixels: Colours) -> Colours:
    """The pixels without alpha where all of them are opaque."""
    if pixels.shape[-1] == 4 and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all():
        return np.ascontiguousarray(pixels[..., :3])
    return pixels


def histogram_of(pixels: Colours, space: ColourSpace, n_threads: int) -> Histogram:
    """The histogram of pixels (n, 3 or 4).

    Colours of pixels without opacity are ignored. Where all others are opaque, colours have three channels.
    """
    channels = pixels.shape[1]
    if channels == 4:
        return _with_alpha(pixels, space, n_threads)
    colours, counts, expand = _distinct(pixels, n_threads)
    points = space.points(colours, n_threads)
    return Histogram(colours, points, counts, lambda labels, _: expand(labels), 0)


def _with_alpha(pixels: Colours, space: ColourSpace, n_threads: int) -> Histogram:
    seen = pixels[:, 3] > 0
    full = np.iinfo(pixels.dtype).max
    visible = np.ascontiguousarray(pixels[seen])
    if len(visible) and (visible[:, 3] == full).all():
        visible = np.ascontiguousarray(visible[:, :3])
    colours, counts, expand = _distinct(visible, n_threads)

    def expand_all(labels: NDArray[np.uint8], transparent: int) -> NDArray[np.uint8]:
        out = np.full(len(pixels), transparent, np.uint8)
        out[seen] = expand(labels)
        return out

    points = space.points(colours, n_threads)
    return Histogram(colours, points, counts, expand_all, int(len(pixels) - len(visible)))


def _distinct(
    pixels: Colours, n_threads: int
) -> tuple[Colours, NDArray[np.int64], Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]:
    pixels = np.ascontiguousarray(pixels)
    if pixels.dtype == np.uint8 and pixels.shape[1] == 3 and len(pixels):
        merged = merge_colours(pixels, n_threads)
        return merged.rows, merged.counts.astype(np.int64), merged.expand_bytes
    colours, counts, inverse = _distinct_rows(pixels)
    return colours, counts, lambda labels: labels[inverse]


def _distinct_rows(pixels: Colours) -> tuple[Colours, NDArray[np.int64], NDArray[np.intp]]:
    bits = 8 * pixels.dtype.itemsize
    keys = np.zeros(len(pixels), np.uint64)
    for channel in pixels.T:
        keys = (keys << np.uint64(bits)) | channel.astype(np.uint64)
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return np.ascontiguousarray(pixels[first]), counts.astype(np.int64), inverse


def joined(histograms: Sequence[Histogram], space: ColourSpace) -> Histogram:
    """One histogram of several pictures; it leads back to none of them."""
    if len(histograms) == 1:
        return histograms[0]
    channels = max(one.colors.shape[1] for one in histograms)
    all_colours = np.concatenate([_with_channels(one.colors, channels) for one in histograms])
    colours, _, expand_all = _distinct_rows(all_colours)
    counts = np.bincount(expand_all, np.concatenate([one.counts for one in histograms]), len(colours))
    n_transparent = sum(one.n_transparent for one in histograms)
    points = space.points(colours, 1)
    return Histogram(colours, points, counts.astype(np.int64), lambda labels, _: labels, n_transparent)


def _with_channels(colours: Colours, channels: int) -> Colours:
    if colours.shape[1] == channels:
        return colours
    alpha = np.full((len(colours), 1), np.iinfo(colours.dtype).max, colours.dtype)
    return np.concatenate([colours, alpha], axis=1)


def with_alpha(own: Histogram, space: ColourSpace) -> Histogram:
    """The same colours as opaque ones of four channels."""
    colours = np.ascontiguousarray(_with_channels(own.colors, 4))
    return replace(own, colors=colours, points=space.points(colours, 1))


def rgba_picture(picture: Colours) -> Colours:
    """A picture (h, w, 3 or 4) with four channels."""
    height, width, channels = picture.shape
    return np.ascontiguousarray(_with_channels(picture.reshape(-1, channels), 4)).reshape(height, width, 4)
