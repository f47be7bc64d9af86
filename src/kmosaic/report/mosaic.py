"""Pictures made of many images: the first of a collection, and the centroids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from kmosaic.report.canvas import Header, Tile, draw_mosaic, title_width
from kmosaic.report.layout import grid_of
from kmosaic.report.member_rows import image_titles
from kmosaic.report.theme import LIGHT, Theme
from kmosaic.report.tiles import DisplayRange, display_range, tile_size, tiles
from kmosaic.report.wording import clean
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.images.collection import ImageCollection
    from kmosaic.models.image_model import ImageFormat

_MAX_TITLES = 900  # beyond, titles would make the mosaic wider than a large screen


@dataclass(frozen=True)
class MosaicText:
    """What stands beside each centroid: names, sizes; both are optional, and so is a title of your own."""

    names: Sequence[str] | None = None
    sizes: Sequence[int] | NDArray[np.int64] | None = None
    title: str | None = None


def first_images(collection: ImageCollection, n: int = 40, *, theme: Theme = LIGHT) -> Figure:
    """Return a picture of the first ``n`` images of ``collection``, titled with their labels if known.

    Raises
    ------
    ValueError
        When the collection is empty or ``n`` is not positive.
    """
    n = min(n, len(collection))
    if n < 1:
        raise ValueError(f"there are {len(collection)} images and n={n}; give at least one image to show")
    shown = display_range(collection.pixels, collection.format)
    images = tiles(collection.pixels[:n], collection.format, shown)
    cells = [
        Tile(image, title) for image, title in zip(images, image_titles(collection, range(n)), strict=True)
    ]
    height, width = tile_size(collection.format)
    n_columns = max(1, min(n, round(10 * math.sqrt(height / width))))
    grid = grid_of(n, (height, width), title_width(cells), n_columns)
    some = n < len(collection)
    of_all = f"The first {n:,} of {len(collection):,} images" if some else f"All {count(n, 'image')}"
    below = "titled with their labels" if collection.labels is not None else "no labels known"
    lines = (f"{clean(collection.name)}, {below}.", *range_line(shown, collection.format))
    return draw_mosaic(cells, grid, Header(of_all, lines), theme)


def centroid_mosaic(
    centers: ArrayLike,
    format: ImageFormat,
    names: MosaicText | Sequence[str] | None = None,
    *,
    shown: DisplayRange | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """Return all centroids as one near-square mosaic in the order of their clusters, 6 x 6 for 36.

    Parameters
    ----------
    centers
        (n_clusters, n_features) in pixel values of ``format``.
    names
        The inferred name of each cluster, or a :class:`MosaicText` for sizes and a title too; without names,
        the clusters' numbers are written. Above 900 clusters nothing is, and the picture says so.
    shown
        Pixel values drawn as black and white; see :func:`kmosaic.report.tiles.display_range`.

    Raises
    ------
    ValueError
        When ``centers`` do not have the features of ``format``, or names or sizes are not one a cluster.
    """
    texts = names if isinstance(names, MosaicText) else MosaicText(names)
    centers = np.asarray(centers)
    _check_mosaic(centers, format, texts)
    shown = shown or display_range(centers, format)
    cells = _centroid_tiles(tiles(centers, format, shown), texts)
    k = len(centers)
    grid = grid_of(k, tile_size(format), title_width(cells))
    titled = "named after their most common label" if texts.names is not None else "titled with their numbers"
    if k > _MAX_TITLES:
        titled = "titles left out for want of room"
    notes = ", with their sizes" if texts.sizes is not None and k <= _MAX_TITLES else ""
    title = clean(texts.title) if texts.title else count(k, "centroid")
    header = Header(title, (f"In the order of clusters, {titled}{notes}.", *range_line(shown, format)))
    return draw_mosaic(cells, grid, header, theme)


def range_line(shown: DisplayRange, format: ImageFormat) -> tuple[str, ...]:
    """Return a line on the values shown as black and white, where it is not simply the whole of 8 bits."""
    return () if format.dtype == "uint8" and shown.high == 255 else (f"Pixel values: {shown}.",)


def _check_mosaic(centers: NDArray[np.float64], format: ImageFormat, texts: MosaicText) -> None:
    n_features = format.height * format.width * format.channels
    if centers.ndim != 2 or len(centers) == 0 or centers.shape[1] != n_features:
        raise ValueError(
            f"centers have shape {centers.shape}, and images of {format.size} in {format.channels} channels "
            f"need (n_clusters, {n_features}); give the centroids of this format's images"
        )
    for what, given in (("names", texts.names), ("sizes", texts.sizes)):
        if given is not None and len(given) != len(centers):
            raise ValueError(f"{len(given)} {what} for {len(centers)} centroids; give one a centroid")


def _centroid_tiles(images: NDArray[np.uint8], texts: MosaicText) -> list[Tile]:
    if len(images) > _MAX_TITLES:
        return [Tile(image) for image in images]
    titles = (
        [str(number) for number in range(len(images))] if texts.names is None else [*map(clean, texts.names)]
    )
    notes = [""] * len(images) if texts.sizes is None else [f"{size:,}" for size in texts.sizes]
    return [Tile(*cell) for cell in zip(images, titles, notes, strict=True)]
