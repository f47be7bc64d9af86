"""The scaling of bands to comparable values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.models.validation import check_one_of, finite_number

# Values scaled at a time, so that their float64 copies stay in cache.
_VALUES = 1 << 14
METHODS = ("none", "standard", "min-max", "percentile")


@dataclass(frozen=True)
class Scaling:
    """Values become (value - shift) * factor, band by band.

    ``method`` says what these were computed from: "none"; mean and deviation, "standard"; lowest and highest
    value, "min-max"; two percentiles, "percentile". ``constant`` are bands, from 0, that have a spread of 0:
    their factor is 1, and they do not affect the classes.
    """

    method: str
    shift: tuple[float, ...]
    factor: tuple[float, ...]
    constant: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_one_of("method", self.method, METHODS)
        if not self.shift or len(self.shift) != len(self.factor):
            raise ValueError(
                f"{len(self.shift)} shifts and {len(self.factor)} factors; one of each a band is needed"
            )
        for name in ("shift", "factor"):
            numbers = tuple(finite_number(name, number) for number in getattr(self, name))
            object.__setattr__(self, name, numbers)
        if min(self.factor) <= 0:
            raise ValueError(f"factor={min(self.factor)} must be above 0")
        if not all(type(band) is int and 0 <= band < len(self.shift) for band in self.constant):
            raise ValueError("constant bands of a scaling must be numbers of bands, from 0")

    @classmethod
    def none(cls, n_bands: int) -> Scaling:
        """Leave bands as they are."""
        return cls("none", (0.0,) * n_bands, (1.0,) * n_bands)

    @property
    def n_bands(self) -> int:
        return len(self.shift)

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of scaled rows: that of the values under "none", else float32."""
        return dtype if self.method == "none" else np.dtype(np.float32)

    def rows(self, values: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[Any]:
        """Return pixels (n, n_bands), none missing, scaled: float32, computed in float64 and rounded once.

        Under "none" they are returned themselves, and ``out`` is left alone.

        Raises DataError where a value leaves float32's range.
        """
        if self.method == "none":
            return values
        rows = np.empty(values.shape, np.float32) if out is None else out
        n = min(len(values), max(1, _VALUES // self.n_bands))
        # Full arrays, since broadcasting a single row takes NumPy three times as long.
        shift, factor = (np.tile(numbers, (n, 1)) for numbers in (self.shift, self.factor))
        scaled = np.empty((n, self.n_bands))
        with np.errstate(over="ignore"):
            for first in range(0, len(values), max(1, n)):
                some = slice(first, min(first + n, len(values)))
                size = some.stop - first
                np.subtract(values[some], shift[:size], out=scaled[:size])
                np.multiply(scaled[:size], factor[:size], out=rows[some], casting="same_kind")
                if values.dtype.kind == "f" and not np.isfinite(rows[some]).all():
                    raise DataError(
                        "values lie too far from those the scaling is of for float32 to hold them"
                    )
        return rows

    def unscale(self, centers: NDArray[Any]) -> NDArray[np.float64]:
        """Return centres (n, n_bands) in the bands' own units, float64."""
        return np.asarray(np.asarray(centers, np.float64) / np.array(self.factor) + np.array(self.shift))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; ``from_dict`` reads it back to the bit."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Any) -> Scaling:
        """Return the scaling that ``to_dict`` gave, after checking every field.

        Raises ValueError where it is anything else.
        """
        if not isinstance(given, dict) or set(given) != {"method", "shift", "factor", "constant"}:
            raise ValueError("a scaling must have method, shift, factor and constant, and nothing else")
        lists = [given[name] for name in ("shift", "factor", "constant")]
        if not all(isinstance(entry, list) for entry in lists):
            raise ValueError("shift, factor and constant of a scaling must be lists")
        return cls(given["method"], *map(tuple, lists))
