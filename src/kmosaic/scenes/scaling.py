"""Bands brought to one scale: how, and by how much, computed from all pixels, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.models.validation import check_one_of, finite_number
from kmosaic.scenes.scene import Scene, Strip
from kmosaic.scenes.stats.moments import PIXELS, FloatMoments, IntegerCounts, Moments
from kmosaic.scenes.stats.order_statistics import Extremes, OrderStatistics, Quantile

if TYPE_CHECKING:
    from distributed import Client

# Values scaled together, as float64 in the processor's cache.
_VALUES = 1 << 14
# Its square, and products of several such squares, are far from where float64 loses digits.
_MIN_SPREAD = 1e-100
METHODS = ("none", "standard", "min-max", "percentile")
Progress = Callable[[int, int], None]
"""Called with the lines done, and how many there are: lines of all passes over the scene."""


@dataclass(frozen=True)
class Scaling:
    """Values become (value - shift) * factor, band by band.

    Parameters
    ----------
    method : "none", "standard", "min-max" or "percentile"
        What shift and factor were computed from: nothing; mean and deviation; lowest and highest value; two
        percentiles.
    shift, factor : tuple of a number a band
        Finite; factors above 0.
    constant : tuple of int
        Bands, from 0, that have a spread of 0: their factor is 1, and they tell no pixels apart.
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
        for number in (*self.shift, *self.factor):
            finite_number("shift and factor", number)
        if min(self.factor) <= 0:
            raise ValueError(f"factor={min(self.factor)} must be above 0")

    @classmethod
    def none(cls, n_bands: int) -> Scaling:
        """Leave bands as they are."""
        return cls("none", (0.0,) * n_bands, (1.0,) * n_bands)

    @property
    def n_bands(self) -> int:
        """Bands it is for."""
        return len(self.shift)

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """What rows are, where values are ``dtype``: the same under "none", else float32."""
        return dtype if self.method == "none" else np.dtype(np.float32)

    def rows(self, values: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[Any]:
        """Return pixels (n, n_bands), none missing, scaled: float32, computed in float64 and rounded once.

        Under "none" they are returned themselves, and ``out`` is left alone.

        Raises
        ------
        DataError
            Where a value leaves float32's range.
        """
        if self.method == "none":
            return values
        rows = np.empty(values.shape, np.float32) if out is None else out
        n = min(len(values), max(1, _VALUES // self.n_bands))
        # As many rows of each as pixels: NumPy takes a third of the time that it needs to repeat one.
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
        return {
            "method": self.method,
            "shift": list(self.shift),
            "factor": list(self.factor),
            "constant": list(self.constant),
        }

    @classmethod
    def from_dict(cls, given: Any) -> Scaling:
        """Return what ``to_dict`` gave; nothing is taken on trust.

        Raises
        ------
        ValueError
            Where it is anything else.
        """
        if not isinstance(given, dict) or set(given) != {"method", "shift", "factor", "constant"}:
            raise ValueError("a scaling must have method, shift, factor and constant, and nothing else")
        lists = [given[name] for name in ("shift", "factor", "constant")]
        if not all(isinstance(entry, list) for entry in lists):
            raise ValueError("shift, factor and constant of a scaling must be lists")
        shift, factor, constant = lists
        numbers = [
            tuple(finite_number("shift and factor", value) for value in entry) for entry in (shift, factor)
        ]
        if not all(type(band) is int and 0 <= band < len(shift) for band in constant):
            raise ValueError("constant bands of a scaling must be numbers of bands, from 0")
        return cls(given["method"], numbers[0], numbers[1], tuple(constant))


def fit_scaling(
    scene: Scene,
    method: str,
    strip_lines: int,
    progress: Progress | None = None,
    percentiles: tuple[float, float] = (2.0, 98.0),
) -> Scaling:
    """Compute a scaling from all pixels that are present, ``strip_lines`` lines at a time.

    Nothing is sampled, and how many lines are read at a time changes no bit. One pass over the scene is
    enough, but for percentiles of float32 (two) and of float64 (four). Percentiles are interpolated linearly
    between values; what lies beyond them is not clipped, so that centres can be scaled back.

    Raises
    ------
    DataError
        Where no pixel is present, or a band's values differ too little to be squared, or as ``Scene.read``.
    """
    if strip_lines < 1:
        raise ValueError(f"strip_lines={strip_lines} must be at least 1")
    return _fitted(method, percentiles, scene, lambda: _Lines(scene, strip_lines, progress))


def fit_scaling_on(
    client: Client,
    scene: Scene,
    method: str,
    progress: Progress | None = None,
    percentiles: tuple[float, float] = (2.0, 98.0),
) -> Scaling:
    """Compute the same scaling, to the bit, by the workers of a Dask cluster.

    Raises
    ------
    DataError
        As ``fit_scaling``, and where there is no worker, or workers have another version of kmosaic.
    """
    from kmosaic.scenes.passes.dask_strips import StripPasses

    return _fitted(method, percentiles, scene, lambda: StripPasses(client, scene, progress))


def _fitted(
    method: str, percentiles: tuple[float, float], scene: Scene, passes: Callable[[], Passes]
) -> Scaling:
    check_one_of("method", method, METHODS)
    low, high = (finite_number("percentiles", value, 0) for value in percentiles)
    if not low < high <= 100:
        raise ValueError(f"percentiles={percentiles} must be two of 0 to 100, in ascending order")
    if method == "none":
        return Scaling.none(len(scene.bands))
    if method == "standard":
        moments = _moments(scene, passes())
        return _scaling(scene, method, [m.mean for m in moments], [m.deviation for m in moments])
    quantiles = [Quantile(low), Quantile(high)] if method == "percentile" else [Quantile(0), Quantile(100)]
    ends = _at_quantiles(scene, passes(), quantiles)
    return _scaling(scene, method, [first for first, _ in ends], [last - first for first, last in ends])


class Gathering(Protocol):
    """What pixels are added to, in any order."""

    def add(self, pixels: NDArray[Any]) -> None:
        """Take in pixels (n, n_bands), 1 to ``PIXELS`` of them."""

    def merge(self, other: Self) -> None:
        """Take in the pixels of another."""


G = TypeVar("G", bound=Gathering)


class Passes(Protocol):
    """The pixels of a scene that are present, as often as it takes."""

    def origin(self) -> NDArray[np.float64] | None:
        """The first pixel; None where it is the first to be added anyway."""

    def gathered(self, empty: G, n_passes: int = 1, number: int = 0) -> G:
        """Add all pixels to ``empty``, in pass ``number``, from 0, of so many.

        Raises
        ------
        DataError
            Where there is none.
        """


class _Lines:
    """The pixels, strip by strip, read here: ``Passes``."""

    def __init__(self, scene: Scene, strip_lines: int, progress: Progress | None) -> None:
        self._scene = scene
        self._step = min(strip_lines, scene.grid.height)
        self._progress = progress
        self._buffer = np.empty((self._step, scene.grid.width, len(scene.bands)), scene.dtype)

    def origin(self) -> None:
        """See ``Passes``."""

    def gathered(self, empty: G, n_passes: int = 1, number: int = 0) -> G:
        """See ``Passes``."""
        height = self._scene.grid.height
        found = False
        for top in range(0, height, self._step):
            n_lines = min(self._step, height - top)
            for pixels in few_pixels(self._scene.read(top, n_lines, self._buffer[:n_lines])):
                found = True
                empty.add(pixels)
            if self._progress:
                self._progress(number * height + top + n_lines, n_passes * height)
        if not found:
            raise no_pixel(self._scene)
        return empty


def no_pixel(scene: Scene) -> DataError:
    """Return the error of a scene where no pixel is present."""
    return DataError(f"{scene.name} has no pixel that is present: all is nodata or masked")


def few_pixels(strip: Strip) -> Iterator[NDArray[Any]]:
    """Yield the pixels of a strip that are present, few at a time: a copy of all takes as much memory again.

    They are (n, n_bands), 1 to ``PIXELS`` of them.
    """
    flat = strip.values.reshape(-1, strip.values.shape[-1])
    valid = None if strip.valid is None else strip.valid.ravel()
    for first in range(0, len(flat), PIXELS):
        pixels = flat[first : first + PIXELS]
        if valid is not None:
            pixels = pixels[valid[first : first + PIXELS]]
        if len(pixels):
            yield pixels


def _moments(scene: Scene, passes: Passes) -> list[Moments]:
    n_bands = len(scene.bands)
    if scene.dtype.kind == "u":
        return passes.gathered(IntegerCounts(n_bands, scene.dtype)).moments()
    return passes.gathered(FloatMoments(n_bands, passes.origin())).result()


def _at_quantiles(scene: Scene, passes: Passes, quantiles: Sequence[Quantile]) -> list[list[float]]:
    """For each band, its values at each quantile."""
    n_bands = len(scene.bands)

    def ranks(n: int) -> list[int]:
        return [rank for quantile in quantiles for rank in quantile.ranks(n)]

    if scene.dtype.kind == "u":
        counts = passes.gathered(IntegerCounts(n_bands, scene.dtype))
        n_pixels, neighbours = counts.n_pixels, counts.at(ranks(counts.n_pixels))
    elif all(quantile.is_extreme for quantile in quantiles):
        return passes.gathered(Extremes(n_bands)).values()
    else:
        search = OrderStatistics(scene.dtype, n_bands, ranks)
        for number in range(search.n_passes):
            search.narrow(passes.gathered(search.counts(number), search.n_passes, number))
        n_pixels, neighbours = search.n_pixels, search.values()
    return [
        [
            quantile.between(n_pixels, *values[2 * place : 2 * place + 2])
            for place, quantile in enumerate(quantiles)
        ]
        for values in neighbours
    ]


def _scaling(scene: Scene, method: str, shift: Sequence[float], spread: Sequence[float]) -> Scaling:
    for band, value in enumerate(spread, 1):
        if 0 < value < _MIN_SPREAD:
            raise DataError(
                f"band {band} of {scene.name} varies by less than {_MIN_SPREAD:g}, too little to square; "
                "multiply it, or leave it out"
            )
    constant = tuple(band for band, value in enumerate(spread) if value == 0)
    return Scaling(method, tuple(shift), tuple(1 / (value or 1.0) for value in spread), constant)
