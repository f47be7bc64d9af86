"""Pictures of chosen images, row by row: groups that belong together, or images beside their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from kmosaic.report.canvas import Header, Tile, draw_mosaic, title_width
from kmosaic.report.layout import grid_of
from kmosaic.report.mosaic import range_line
from kmosaic.report.theme import LIGHT
from kmosaic.report.tiles import display_range, tile_size, tiles
from kmosaic.report.wording import clean

if TYPE_CHECKING:
    from kmosaic.images.collection import ImageCollection

_LONGEST_TITLE = 14


@dataclass(frozen=True)
class PictureRow:
    """Images that stand in one row of a picture: rows of the collection, and a number below each title.

    Where there is nothing to say of an image, its number is None.
    """

    images: Sequence[int]
    distances: Sequence[float | None]


def image_rows(
    collection: ImageCollection,
    rows: Sequence[PictureRow],
    title: str,
    explanation: str,
) -> Figure:
    """Return a picture of images of ``collection``, a line for each of ``rows``, titled with their names.

    Raises ValueError when there are no rows.
    """
    if not rows:
        raise ValueError("there are no rows of images; give at least one to draw")
    n_columns = max(len(row.images) for row in rows)
    chosen = [image for row in rows for image in row.images]
    shown = display_range(collection.pixels[chosen], collection.format)
    drawn = iter(tiles(collection.pixels[chosen], collection.format, shown))
    cells: list[Tile] = []
    for row in rows:
        for image, distance in zip(row.images, row.distances, strict=True):
            number = "" if distance is None else f"{distance:.3f}"
            cells.append(Tile(next(drawn), _short(clean(collection.ids[image])), number))
        empty = tiles(collection.pixels[:1] * 0 + collection.format.max_value, collection.format, shown)[0]
        cells += [Tile(empty) for _ in range(n_columns - len(row.images))]
    grid = grid_of(len(cells), tile_size(collection.format), title_width(cells), n_columns)
    lines = (explanation, *range_line(shown, collection.format))
    return draw_mosaic(cells, grid, Header(title, lines), LIGHT)


def _short(name: str) -> str:
    """The end of a long name: files differ there."""
    return name if len(name) <= _LONGEST_TITLE else "…" + name[-_LONGEST_TITLE + 1 :]
