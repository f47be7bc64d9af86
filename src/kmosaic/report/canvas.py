"""A figure laid out by the pixel: images at whole multiples of their pixels, and texts beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray

from kmosaic.report.layout import Grid
from kmosaic.report.theme import Theme, finish, new_figure
from kmosaic.report.tiles import reduced
from kmosaic.report.wording import shorten, text_pixels

MARGIN = 20
TITLE_SIZE = 9.5
_LINE = 17  # height of one line of a tile's title


@dataclass(frozen=True)
class Tile:
    """One image of a mosaic, with what stands above it; ``wrong`` marks the title."""

    image: NDArray[np.uint8]
    title: str = ""
    note: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class Place:
    """Where something is drawn: its upper left corner, counted from the figure's, and its size, in pixels."""

    left: float
    top: float
    width: float = 0
    height: float = 0


class Canvas:
    """A figure whose one pair of axes counts pixels from the upper left corner."""

    def __init__(self, width: float, height: float, theme: Theme) -> None:
        self.theme = theme
        self.figure = new_figure(width, height, theme)
        # One composite of all images would be resampled; alone, each stays as sharp as its pixels.
        self.figure.suppressComposite = True
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._width, self._height = width, height

    def image(self, image: NDArray[np.uint8], place: Place) -> None:
        """Draw a grey (h, w) or colour (h, w, 3) uint8 image, each of its pixels as a sharp rectangle."""
        # A rim keeps white images apart from a white page, and black ones from a black page.
        rim = Rectangle((place.left - 1, place.top - 1), place.width + 2, place.height + 2)
        rim.set(facecolor=self.theme.grid, edgecolor="none", antialiased=False)
        self._axes.add_patch(rim)
        shown = reduced(image, round(max(place.width, place.height)))
        bottom, right = place.top + place.height, place.left + place.width
        # As three equal channels: matplotlib's grey colour map is a level too dark here and there.
        colours = shown if shown.ndim == 3 else np.repeat(shown[:, :, None], 3, axis=2)
        self._axes.imshow(
            colours,
            interpolation="none",
            zorder=2,
            aspect="auto",
            extent=(place.left, right, bottom, place.top),
        )

    def text(
        self, text: str, place: Place, *, size: float = TITLE_SIZE, colour: str = "", bold: bool = False
    ) -> Text:
        """Write ``text`` with its upper left corner at ``place``."""
        return self._axes.text(
            place.left,
            place.top,
            text,
            fontsize=size,
            color=colour or self.theme.text,
            fontweight="bold" if bold else "normal",
            va="top",
            ha="left",
        )

    def finished(self) -> Figure:
        # Last, since drawing images moves the limits.
        self._axes.set_xlim(0, self._width)
        self._axes.set_ylim(self._height, 0)
        return finish(self.figure)


@dataclass(frozen=True)
class Header:
    """What stands over a mosaic: a title, and a line or two that say how to read it."""

    title: str
    lines: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Pixels it takes, with the space below."""
        return 30 + 18 * len(self.lines) + 12

    def narrowest(self) -> float:
        """Pixels its longest line takes."""
        return max([text_pixels(self.title, 13), *(text_pixels(line, 9.5) for line in self.lines)])

    def draw(self, canvas: Canvas, top: float = MARGIN) -> None:
        canvas.text(self.title, Place(MARGIN, top), size=13, bold=True)
        for number, line in enumerate(self.lines):
            canvas.text(line, Place(MARGIN, top + 28 + 18 * number), colour=canvas.theme.muted)


def title_width(tiles: Sequence[Tile]) -> float:
    """Return the pixels that the longest title, or title with its note, would take."""
    return max((text_pixels(tile.title, TITLE_SIZE) for tile in tiles), default=0)


def title_lines(tiles: Sequence[Tile], cell_width: float) -> int:
    """Return the lines a title needs: one where all cells have room for title and note side by side."""
    if not any(tile.title or tile.note for tile in tiles):
        return 0
    if not any(tile.note for tile in tiles):
        return 1
    fits = all(text_pixels(f"{tile.title} {tile.note}", TITLE_SIZE) <= cell_width for tile in tiles)
    return 1 if fits else 2


def draw_titled(canvas: Canvas, tile: Tile, grid: Grid, corner: Place, n_lines: int) -> None:
    """Draw one tile of ``grid`` below ``n_lines`` lines of title, all of it within the cell at ``corner``."""
    letters = max(1, int(grid.cell_width / text_pixels("x", TITLE_SIZE)))
    colour = canvas.theme.wrong if tile.wrong else canvas.theme.text
    if tile.title:
        canvas.text(shorten(tile.title, letters), corner, colour=colour, bold=tile.wrong)
    if tile.note and n_lines == 2:
        below = Place(corner.left, corner.top + _LINE)
        canvas.text(shorten(tile.note, letters), below, colour=canvas.theme.muted)
    elif tile.note and n_lines == 1:
        note = canvas.text(
            tile.note, Place(corner.left + grid.cell_width, corner.top), colour=canvas.theme.muted
        )
        note.set_horizontalalignment("right")
    top = corner.top + _LINE * n_lines
    canvas.image(tile.image, Place(corner.left, top, grid.tile_width, grid.tile_height))


def cell_height(grid: Grid, n_lines: int) -> int:
    """Return the pixels from one row of tiles to the next."""
    return grid.tile_height + _LINE * n_lines + grid.gap


def draw_mosaic(tiles: Sequence[Tile], grid: Grid, header: Header, theme: Theme) -> Figure:
    """Return ``tiles`` row by row in ``grid``, under ``header``."""
    n_lines = title_lines(tiles, grid.cell_width)
    step = cell_height(grid, n_lines)
    width = max(grid.width, header.narrowest()) + 2 * MARGIN
    canvas = Canvas(width, MARGIN + header.height + grid.n_rows * step + MARGIN - grid.gap, theme)
    header.draw(canvas)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, grid.n_columns)
        left = MARGIN + column * (grid.cell_width + grid.gap)
        draw_titled(canvas, tile, grid, Place(left, MARGIN + header.height + row * step), n_lines)
    return canvas.finished()
