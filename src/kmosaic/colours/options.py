"""How pictures are quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from kmosaic.colours.palette import Palette
from kmosaic.colours.palette_files import MAX_COLORS
from kmosaic.errors import DataError

Space = Literal["oklab", "srgb", "linear"]
Dither = Literal["diffusion", "blue-noise", "none"]


@dataclass(frozen=True, eq=False)
class QuantizeOptions:
    """How pictures are quantised.

    Attributes
    ----------
    space
        Where distances are measured: "oklab" agrees with what is seen, "srgb" has the least squared error of
        stored values, "linear" that of light.
    dither
        "diffusion" (Floyd and Steinberg), "blue-noise" (a pattern that does not change from frame to frame),
        or "none".
    strength
        The share of the error that dithering passes on, 0..1.
    palette, extra
        Colours to use, and how many others to find besides.
    medoids
        Whether palettes have colours that occur, instead of means.
    saliency
        From 0, every pixel counts the same, to 1, every colour does: rare colours get their own.
    exact
        Whether k-means goes on until no label of any colour changes; else, neighbouring colours are merged
        first, which is many times faster.
    seed
        Of the first colours drawn.
    n_threads
        None: all processors. No result depends on it.

    Raises
    ------
    DataError
        When made with a value that is none of these, or with ``extra`` and no palette; or with more colours
        than 256 in all.
    """

    space: Space = "oklab"
    dither: Dither = "diffusion"
    strength: float = 0.75
    palette: Palette | None = None
    extra: int = 0
    medoids: bool = False
    saliency: float = 0.0
    exact: bool = False
    seed: int = 0
    n_threads: int | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("space", get_args(Space)), ("dither", get_args(Dither))):
            if getattr(self, name) not in allowed:
                raise DataError(f"{name}={getattr(self, name)!r} must be one of {', '.join(allowed)}")
        for name in ("strength", "saliency"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise DataError(f"{name}={value!r} must be from 0 to 1")
        if self.extra < 0 or (self.extra and self.palette is None):
            raise DataError(f"extra={self.extra} must be 0 or more, beside a palette; give palette as well")
        if self.palette is not None and len(self.palette) + self.extra > MAX_COLORS:
            raise DataError(
                f"{len(self.palette)} colours of a palette and extra={self.extra} are more than {MAX_COLORS}"
            )
