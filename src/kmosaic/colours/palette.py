"""Palettes: a few colours, their names, and how they stand out from each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import ImageColor

from kmosaic.colours.palette_files import MAX_COLORS, read_palette, write_palette
from kmosaic.engines.colour_points import ColourSpace, nearest_in_palette
from kmosaic.errors import DataError
from kmosaic.srgb import linear_light
from kmosaic.text import count

_NAMES_AGAIN = ("aqua", "fuchsia")  # two names of one colour each, and grey beside gray


@dataclass(frozen=True, eq=False)
class Palette:
    """From 1 to 256 colours in sRGB, with what share of a picture has each, where that is known.

    Attributes
    ----------
    colors
        (k, 4) uint8: red, green, blue, alpha.
    shares
        (k,) float64, adding up to one, or None.
    names
        One for each colour, or none at all.

    Examples
    --------
    >>> palette = Palette([[255, 0, 0], [250, 250, 255]])
    >>> palette.hex, palette.css_names
    (('#ff0000', '#fafaff'), ('red', 'ghostwhite'))
    """

    colors: NDArray[np.uint8]
    shares: NDArray[np.float64] | None = None
    names: tuple[str, ...] = ()

    def __init__(self, colors: ArrayLike, shares: ArrayLike | None = None, names: Sequence[str] = ()) -> None:
        """Check the colours and keep them as RGBA; all that are fully transparent become black ones.

        Parameters
        ----------
        colors : array of whole numbers
            (k, 3) or (k, 4), k from 1 to 256: red, green, blue and perhaps alpha, each 0 to 255.
        shares : array of float, optional
            (k,) which share of a picture has each colour.
        names : sequence of str
            (k,) names, or none.

        Raises
        ------
        DataError
            For another shape, values out of range, or shares or names that are not one for each colour.
        """
        rgba = _checked_rgba(np.asarray(colors))
        known = None if shares is None else np.asarray(shares, np.float64)
        if known is not None and known.shape != (len(rgba),):
            raise DataError(f"shares of shape {known.shape}; give one for each of {len(rgba)} colours")
        if len(names) not in (0, len(rgba)):
            raise DataError(f"{len(names)} names for {count(len(rgba), 'colour')}; give one for each")
        object.__setattr__(self, "colors", rgba)
        object.__setattr__(self, "shares", known)
        object.__setattr__(self, "names", tuple(names))

    def __len__(self) -> int:
        return len(self.colors)

    @property
    def hex(self) -> tuple[str, ...]:
        """Every colour as CSS writes it; with alpha only where that is not full."""
        return tuple("#" + (color[:3] if color[3] == 255 else color).tobytes().hex() for color in self.colors)

    @property
    def css_names(self) -> tuple[str, ...]:
        """The nearest of the 140 named colours of CSS, in Oklab; "transparent" for those without opacity."""
        names, points = _css_colours()
        space = ColourSpace("oklab")
        nearest = nearest_in_palette(space.points(np.ascontiguousarray(self.colors[:, :3]), 1), points, 1)
        return tuple(
            names[label] if alpha else "transparent"
            for label, alpha in zip(nearest, self.colors[:, 3], strict=True)
        )

    @property
    def contrast(self) -> NDArray[np.float64]:
        """(k, k) contrast ratios from 1 to 21, as WCAG 2 defines them; alpha is ignored.

        Text is readable from 4.5 on.

        >>> Palette([[0, 0, 0], [255, 255, 255]]).contrast.round(1).tolist()
        [[1.0, 21.0], [21.0, 1.0]]
        """
        return self.contrast_to(self.colors[:, :3])

    def contrast_to(self, colors: ArrayLike) -> NDArray[np.float64]:
        """(k, n) contrast ratios to other colours (n, 3)."""
        luminance = _luminance(self.colors[:, :3])[:, np.newaxis] / _luminance(np.asarray(colors))
        return np.maximum(luminance, 1 / luminance)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read .gpl, .ase, .aco, .json, .css, a .png strip, or a text file of one hex colour a line.

        Raises DataError where the file is damaged, has no colours, or more than 256.
        """
        colors, names = read_palette(Path(path))
        return cls(colors, names=names)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the palette in the format that the name's ending says: those that ``read`` reads.

        Raises OutputError when the file exists and ``overwrite`` is false, or the ending is another.
        """
        return write_palette(self, Path(path), overwrite=overwrite)


def _checked_rgba(given: NDArray[Any]) -> NDArray[np.uint8]:
    if given.ndim != 2 or given.shape[1] not in (3, 4):
        raise DataError(f"a palette of shape {given.shape}; give one row of 3 or 4 values for each colour")
    if not 1 <= len(given) <= MAX_COLORS:
        raise DataError(f"a palette of {count(len(given), 'colour')}; it must have from 1 to {MAX_COLORS}")
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() > 255:
        raise DataError("a palette's values must be whole numbers from 0 to 255")
    rgba = np.full((len(given), 4), 255, np.uint8)
    rgba[:, : given.shape[1]] = given
    rgba[rgba[:, 3] == 0] = 0
    return rgba


def _luminance(colors: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Relative luminance plus the 0.05 that WCAG adds for stray light."""
    total: NDArray[np.float64] = linear_light(colors) @ [0.2126, 0.7152, 0.0722] + 0.05
    return total


@cache
def _css_colours() -> tuple[tuple[str, ...], NDArray[np.uint16]]:
    named = [name for name in ImageColor.colormap if name not in _NAMES_AGAIN and "grey" not in name]
    colours = np.array([ImageColor.getrgb(name)[:3] for name in named], np.uint8)
    return tuple(named), ColourSpace("oklab").points(colours, 1)
