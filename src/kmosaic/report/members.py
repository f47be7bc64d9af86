"""A picture of the images that stand for clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kmosaic.images.collection import VectorCollection
from kmosaic.report.canvas import (
    MARGIN,
    TITLE_SIZE,
    Canvas,
    Header,
    Place,
    Tile,
    cell_height,
    draw_titled,
    title_lines,
    title_width,
)
from kmosaic.report.layout import Grid, grid_of
from kmosaic.report.member_rows import MemberRows, cluster_title, image_titles, medoid_pixels
from kmosaic.report.mosaic import range_line
from kmosaic.report.theme import LIGHT, Theme
from kmosaic.report.tiles import display_range, tile_size, tiles
from kmosaic.report.wording import text_pixels
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.images.collection import Collection, ImageCollection

_SECTION_GAP = 28


def cluster_members(
    collection: Collection,
    summary: ClusterSummary,
    clusters: int | Sequence[int],
    n: int = 8,
    *,
    theme: Theme = LIGHT,
) -> Figure:
    """Return one block a cluster: its centroid, and ``n`` members nearest, farthest and named wrongly.

    Members are titled with their true label where it is known; wrongly named ones in the colour of errors.
    Centroids of vectors are no images: the image nearest one stands for it.

    Raises
    ------
    ValueError
        When ``clusters`` is empty or holds a number that is no cluster, or ``collection`` is not the data
        summarised, or has no pictures.
    """
    chosen = [clusters] if isinstance(clusters, int) else [int(cluster) for cluster in clusters]
    _check_members(collection, summary, chosen)
    images = collection.images
    if images is None:
        raise ValueError("the vectors have no pictures to draw; give the collection with its images")
    blocks = _MemberBlocks(images, summary, centroids=not isinstance(collection, VectorCollection))
    drawn = [blocks.block(cluster, n) for cluster in chosen]
    every = [tile for block in drawn for _, row in block.rows for tile in row]
    grid = grid_of(n + 1, tile_size(images.format), title_width(every), n + 1)
    subject = drawn[0].title if len(drawn) == 1 else count(len(drawn), "cluster")
    first = "The centroid" if blocks.centroids else "The image nearest the centroid"
    how = f"{first}, then members nearest it and farthest from it"
    if summary.true_labels is not None:
        how += ", and those whose label is not the cluster's name"
    header = Header(subject, (f"{how}.", *range_line(blocks.shown, images.format)))
    return _draw_blocks(drawn, grid, header, theme)


@dataclass(frozen=True, eq=False)
class _Block:
    title: str
    centroid: Tile
    rows: list[tuple[str, list[Tile]]]


class _MemberBlocks:
    """The tiles of clusters, all on one grey scale; ``centroids`` says whether these are images."""

    def __init__(self, collection: ImageCollection, summary: ClusterSummary, *, centroids: bool) -> None:
        self.collection = collection
        self.centroids = centroids
        self.summary = summary
        self.shown = display_range(collection.pixels, collection.format)

    def block(self, cluster: int, n: int) -> _Block:
        rows = MemberRows.candidates(self.summary, cluster, n, n).first(n)
        form = self.collection.format
        if self.centroids:
            pixels = np.asarray(self.summary.cluster_centers)[[cluster]]
        else:
            nearest = rows.nearest[:1] if len(rows.nearest) else np.array([-1])
            pixels = medoid_pixels(self.collection, self.summary, nearest)
        centroid = tiles(pixels, form, self.shown)[0]
        kinds = {"nearest": rows.nearest, "farthest": rows.farthest, "named wrongly": rows.wrongly_named}
        kept = [(name, self._tiles(kind)) for name, kind in kinds.items() if len(kind)]
        return _Block(
            cluster_title(self.summary, cluster),
            Tile(centroid, "centroid" if self.centroids else "nearest"),
            kept,
        )

    def _tiles(self, rows: NDArray[np.int64]) -> list[Tile]:
        images = tiles(self.collection.pixels[rows], self.collection.format, self.shown)
        titles = image_titles(self.collection, rows.tolist())
        label, name = self.summary.true_labels, self.summary.predicted_labels
        wrong = np.zeros(len(rows), np.bool_)
        if label is not None and name is not None:
            wrong = label[rows] != name[rows]
        return [Tile(i, t, wrong=bool(w)) for i, t, w in zip(images, titles, wrong, strict=True)]


def _check_members(collection: Collection, summary: ClusterSummary, clusters: Sequence[int]) -> None:
    k = len(summary.cluster_sizes)
    strangers = [cluster for cluster in clusters if not 0 <= cluster < k]
    if not clusters or strangers:
        raise ValueError(f"clusters={list(clusters)} must name some of the {k} clusters, 0 to {k - 1}")
    if len(collection) != len(summary.labels):
        raise ValueError(
            f"the collection has {len(collection)} images and the summary {len(summary.labels)}; "
            "give the images that were summarised"
        )


def _draw_blocks(blocks: Sequence[_Block], grid: Grid, header: Header, theme: Theme) -> Figure:
    every = [tile for block in blocks for _, row in block.rows for tile in (block.centroid, *row)]
    n_lines = title_lines(every, grid.cell_width)
    step = cell_height(grid, n_lines)
    names = 16 + max([text_pixels(name, 9.5) for block in blocks for name, _ in block.rows], default=0)
    centroid = _centroid_grid(grid)
    several = len(blocks) > 1
    heights = [(26 if several else 0) + step * max(1, len(block.rows)) + _SECTION_GAP for block in blocks]
    titles = [text_pixels(block.title, 11) for block in blocks] if several else []
    width = grid.width - grid.cell_width + centroid.cell_width + names + _SECTION_GAP
    width = max(width, header.narrowest(), *titles) + 2 * MARGIN
    canvas = Canvas(width, MARGIN + header.height + sum(heights) - _SECTION_GAP + MARGIN, theme)
    header.draw(canvas)
    top = MARGIN + header.height
    for block, height in zip(blocks, heights, strict=True):
        if several:
            canvas.text(block.title, Place(MARGIN, top), size=11, bold=True)
        _draw_block(canvas, block, grid, Place(MARGIN, top + (26 if several else 0), names, n_lines))
        top += height
    return canvas.finished()


def _centroid_grid(grid: Grid) -> Grid:
    """Return ``grid`` with cells that have room for the centroid's title, however narrow the members are."""
    return replace(grid, cell_width=max(grid.cell_width, math.ceil(text_pixels("centroid", TITLE_SIZE))))


def _draw_block(canvas: Canvas, block: _Block, grid: Grid, place: Place) -> None:
    """Draw the centroid and the rows; ``place`` holds the width of their names and the lines of a title."""
    n_lines = int(place.height)
    centroid = _centroid_grid(grid)
    draw_titled(canvas, block.centroid, centroid, replace(place, height=0), n_lines)
    step = cell_height(grid, n_lines)
    left = place.left + centroid.cell_width + _SECTION_GAP
    for number, (name, row) in enumerate(block.rows):
        top = place.top + number * step
        middle = top + 17 * n_lines + grid.tile_height / 2 - 8
        canvas.text(name, Place(left, middle), colour=canvas.theme.muted)
        for column, tile in enumerate(row):
            corner = Place(left + place.width + column * (grid.cell_width + grid.gap), top)
            draw_titled(canvas, tile, grid, corner, n_lines)
