"""How a scene is to be read: which of its bands, what counts as missing, and the dtype that holds them
all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kmosaic.errors import DataError
from kmosaic.scenes.scene import Band

MISSING = ("any", "all")
# The least dtype of DTYPES that holds every value of each. 64-bit integers are looked at as they are read.
_HELD_AS = {
    "bool": "uint8",
    "uint8": "uint8",
    "int8": "float32",
    "uint16": "uint16",
    "int16": "float32",
    "float16": "float32",
    "float32": "float32",
    "int32": "float64",
    "uint32": "float64",
    "int64": "float64",
    "uint64": "float64",
    "float64": "float64",
}
_WIDER = ("uint8", "uint16", "float32", "float64")
MOST_BANDS = 4096


@dataclass(frozen=True)
class ReadOptions:
    """What to read of a scene.

    Parameters
    ----------
    bands : tuple of int or str, or None
        By number, from 1 on through all files in their order, or by description; in the order the features
        shall have. None: all but alpha bands.
    nodata : number, "none", a tuple with one of these for each band read, or None
        What stands for a missing value; "none": no value does. None: each band's own.
    mask : path or None
        A raster on the scene's grid: pixels are missing where its first band is 0, NaN or its nodata.
    missing : "any" or "all"
        Whether a pixel is left out where any of its bands is missing, or only where all are.
    use_scale_offset : bool
        Whether values become value * scale + offset, by the bands' own tags.
    """

    bands: tuple[int | str, ...] | None = None
    nodata: float | str | tuple[float | str, ...] | None = None
    mask: str | os.PathLike[str] | None = None
    missing: str = "any"
    use_scale_offset: bool = False

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise ValueError(f"missing={self.missing!r} must be 'any' or 'all'")


def held_as(dtypes: Sequence[str], name: str) -> np.dtype[np.generic]:
    """Return the least of ``DTYPES`` that holds every value of every band.

    Raises
    ------
    DataError
        For complex bands, and whatever else is no number of one of the dtypes above.
    """
    for dtype in dtypes:
        if dtype not in _HELD_AS:
            raise DataError(
                f"{name} has a band of {dtype}; integers and real numbers can be clustered: convert it"
            )
    return np.dtype(max((_HELD_AS[dtype] for dtype in dtypes), key=_WIDER.index))


def chosen_bands(
    bands: Sequence[Band], options: ReadOptions, name: str, *, left_out: Sequence[int] = ()
) -> list[int]:
    """Return the places of the bands to read, from 0; without a choice, all but those in ``left_out``.

    Raises
    ------
    DataError
        For a number or description that no band has, or several have, or that is named twice.
    """
    if options.bands is None:
        places = [place for place in range(len(bands)) if place not in set(left_out)]
    else:
        places = [_place(wanted, bands, name) for wanted in options.bands]
    if not places:
        raise DataError(f"{name} has no band to read; name one (bands=)")
    if len(set(places)) < len(places):
        raise DataError(f"bands={options.bands!r} names a band of {name} twice; name each once")
    if len(places) > MOST_BANDS:
        raise DataError(f"{name} has {len(places)} bands; choose at most {MOST_BANDS} (bands=)")
    return places


def _place(wanted: int | str, bands: Sequence[Band], name: str) -> int:
    if isinstance(wanted, str) and not wanted.strip().isdecimal():
        return _described(wanted, bands, name)
    number = int(wanted)
    if not 1 <= number <= len(bands):
        raise DataError(f"{name} has no band {number}; its bands are {_listed(bands)}")
    return number - 1


def _described(wanted: str, bands: Sequence[Band], name: str) -> int:
    """The one band of this description; upper and lower case are told apart only where they must be."""
    exact = [place for place, band in enumerate(bands) if band.description == wanted]
    folded = [place for place, band in enumerate(bands) if band.description.casefold() == wanted.casefold()]
    found = exact or folded
    if len(found) != 1:
        how_many = "no band" if not found else f"{len(found)} bands"
        raise DataError(f"{name} has {how_many} described as {wanted[:80]!r}; its bands are {_listed(bands)}")
    return found[0]


def _listed(bands: Sequence[Band]) -> str:
    shown = ", ".join(
        f"{number} ({band.description})" if band.description else str(number)
        for number, band in enumerate(bands[:20], 1)
    )
    return shown if len(bands) <= 20 else f"{shown} ... {len(bands)}"
