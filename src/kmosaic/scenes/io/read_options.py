"""Options of reading a scene: its bands, what counts as missing, and the dtype of strips."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kmosaic.errors import DataError
from kmosaic.models.validation import DTYPES
from kmosaic.scenes.scene import Band

MISSING_RULES = ("any", "all")
MAX_BANDS = 4096
# The least of DTYPES that holds every value of each; 64-bit integers are checked as they are read.
_STRIP_DTYPES = {
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
# float32 is exact enough for scaled integers whose steps are this many times its own.
_MIN_FLOAT32_STEPS = 16
_LARGEST_SCALE = 1e30


@dataclass(frozen=True)
class ReadOptions:
    """What to read of a scene.

    Parameters
    ----------
    bands : tuple of int or str, or None
        By number, from 1 on through all files in their order, or by description; features come in the order
        given. None: all but alpha bands.
    nodata : number, "none", a tuple with one of these for each band read, or None
        What stands for a missing value; "none": no value does. None: each band's own. NaN and masks stay.
    mask : path or None
        A raster on the scene's grid: pixels are missing where its first band is 0, NaN or its own nodata.
    missing : "any" or "all"
        Whether a pixel is left out where any of its bands is missing, or only where all are. Under "all", a
        pixel of which some bands are missing keeps the nodata value of unsigned integers as the measurement
        it may be (0 in one band of a dark pixel); NaN, masked values and markers like -9999 are none, and
        end in an error that names the first.
    use_scale_offset : bool
        Whether values become value * scale + offset, by the bands' own tags: float32 where bands are
        integers of at most 16 bits whose steps float32 tells apart sixteenfold, else float64.
    network : bool
        Whether a local file, a VRT for example, may take in others over the network. URLs that are given
        themselves are always read.
    """

    bands: tuple[int | str, ...] | None = None
    nodata: float | str | tuple[float | str, ...] | None = None
    mask: str | os.PathLike[str] | None = None
    missing: str = "any"
    use_scale_offset: bool = False
    network: bool = False

    def __post_init__(self) -> None:
        if self.missing not in MISSING_RULES:
            raise ValueError(f"missing={self.missing!r} must be 'any' or 'all'")
        if self.bands is not None and not (
            isinstance(self.bands, tuple)
            and all(isinstance(band, int | str) and not isinstance(band, bool) for band in self.bands)
        ):
            raise ValueError(f"bands={self.bands!r} must be a tuple of numbers and descriptions")
        if self.nodata is not None:
            for value in self.nodata if isinstance(self.nodata, tuple) else (self.nodata,):
                _nodata_value(value)


def _nodata_value(value: Any) -> float | None:
    if value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | np.number):
        raise ValueError(f"nodata={value!r} must be a number or 'none'")
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"nodata={value!r} must be a number or 'none'") from None


def nodata_values(bands: Sequence[Band], options: ReadOptions, name: str) -> list[float | None]:
    """Return what stands for a missing value in each band read.

    Raises DataError where values are given for another number of bands.
    """
    given = options.nodata
    if given is None:
        return [band.nodata for band in bands]
    values = given if isinstance(given, tuple) else (given,) * len(bands)
    if len(values) != len(bands):
        raise DataError(
            f"{len(values)} nodata values for the {len(bands)} bands read of {name}; give one for each"
        )
    return [_nodata_value(value) for value in values]


def strip_dtype(dtypes: Sequence[str], scales: Sequence[tuple[float, float]], name: str) -> np.dtype[Any]:
    """Return the least of ``DTYPES`` that holds every value of every band, scaled by (scale, offset).

    Raises DataError for complex bands and other dtypes that are not in the table above, and for unusable
    scales.
    """
    for dtype in dtypes:
        if dtype not in _STRIP_DTYPES:
            raise DataError(
                f"{name} has a band of {dtype}; integers and real numbers are clustered: convert it"
            )
    held = [_scaled(dtype, *scale, name) for dtype, scale in zip(dtypes, scales, strict=True)]
    return np.dtype(max(held, key=DTYPES.index))


def _scaled(dtype: str, scale: float, offset: float, name: str) -> str:
    if (scale, offset) == (1.0, 0.0):
        return _STRIP_DTYPES[dtype]
    if not 0 < abs(scale) <= _LARGEST_SCALE or not abs(offset) <= _LARGEST_SCALE:
        raise DataError(
            f"{name} has a band of scale {scale} and offset {offset}; read it without (use_scale_offset)"
        )
    kind = np.dtype(dtype)
    if kind.kind not in "iu" or kind.itemsize > 2:
        return "float64"
    info = np.iinfo(kind)
    largest = max(abs(info.min * scale + offset), abs(info.max * scale + offset))
    return "float32" if abs(scale) >= _MIN_FLOAT32_STEPS * math.ldexp(largest, -23) else "float64"


def chosen_bands(
    bands: Sequence[Band], options: ReadOptions, name: str, *, alpha: Sequence[int] = ()
) -> list[int]:
    """Return the places of the bands to read, from 0; without a choice, all but those in ``alpha``.

    Raises DataError for a number or description that no band has, or several have, or that is named twice.
    """
    if options.bands is None:
        places = sorted(set(range(len(bands))) - set(alpha))
    else:
        places = [_place(wanted, bands, name) for wanted in options.bands]
    if not places:
        raise DataError(f"{name} has no band to read; name one (bands=)")
    if len(set(places)) < len(places):
        raise DataError(f"bands={options.bands!r} names a band of {name} twice; name each once")
    if len(places) > MAX_BANDS:
        raise DataError(f"{name} has {len(places)} bands; choose at most {MAX_BANDS} (bands=)")
    return places


def _place(wanted: int | str, bands: Sequence[Band], name: str) -> int:
    if isinstance(wanted, str) and not wanted.strip().isdecimal():
        return _described(wanted, bands, name)
    number = int(wanted)
    if not 1 <= number <= len(bands):
        raise DataError(f"{name} has no band {number}; its bands are {_listed(bands)}")
    return number - 1


def _described(wanted: str, bands: Sequence[Band], name: str) -> int:
    """The one band of this description; case is ignored unless a description matches exactly."""
    exact = [place for place, band in enumerate(bands) if band.description == wanted]
    folded = [place for place, band in enumerate(bands) if band.description.casefold() == wanted.casefold()]
    matches = exact or folded
    if len(matches) != 1:
        how_many = "no band" if not matches else f"{len(matches)} bands"
        raise DataError(f"{name} has {how_many} described as {wanted[:80]!r}; its bands are {_listed(bands)}")
    return matches[0]


def _listed(bands: Sequence[Band]) -> str:
    shown = ", ".join(
        f"{number} ({band.description})" if band.description else str(number)
        for number, band in enumerate(bands[:20], 1)
    )
    return shown if len(bands) <= 20 else f"{shown} ... {len(bands)}"
