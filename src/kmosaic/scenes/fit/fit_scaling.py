"""The scaling of bands computed from all pixels of a scene, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kmosaic.errors import DataError
from kmosaic.models.validation import check_one_of
from kmosaic.scenes.passes.accumulators import Passes, Progress, ScenePasses
from kmosaic.scenes.passes.dask_strips import StripPasses
from kmosaic.scenes.scaling import METHODS, Scaling
from kmosaic.scenes.scene import Scene
from kmosaic.scenes.stats.moments import FloatMoments, IntegerCounts, Moments
from kmosaic.scenes.stats.order_statistics import Extremes, OrderStatistics, Quantile

if TYPE_CHECKING:
    from distributed import Client

# The square of a spread, and products of several squares, must stay clear of float64's subnormal numbers.
_MIN_SPREAD = 1e-100
_PERCENTILES = (2, 98)


def fit_scaling(
    scene: Scene,
    method: str,
    strip_lines: int,
    progress: Progress | None = None,
    client: Client | None = None,
) -> Scaling:
    """Compute a scaling from all valid pixels, ``strip_lines`` lines at a time.

    Nothing is sampled, and how many lines are read at a time changes no bit. One pass over the scene is
    enough, but for percentiles of float32 (two) and of float64 (four). Percentiles are interpolated linearly
    between values; what lies beyond them is not clipped, so that centres can be scaled back. With a
    ``client``, the workers of its Dask cluster read strips of their own size, and compute the same bits.

    Raises DataError where no pixel is valid, a band's values differ too little to be squared, there is no
    worker, or workers have another version of kmosaic; or as ``Scene.read``.
    """
    check_one_of("method", method, METHODS)
    if method == "none":
        return Scaling.none(len(scene.bands))
    passes: Passes = (
        ScenePasses(scene, strip_lines, progress) if client is None else StripPasses(client, scene, progress)
    )
    if method == "standard":
        moments = _moments(scene, passes)
        return _scaling(scene, method, [m.mean for m in moments], [m.deviation for m in moments])
    percents = _PERCENTILES if method == "percentile" else (0, 100)
    ends = _at_quantiles(scene, passes, [Quantile(percent) for percent in percents])
    return _scaling(scene, method, [first for first, _ in ends], [last - first for first, last in ends])


def _moments(scene: Scene, passes: Passes) -> list[Moments]:
    n_bands = len(scene.bands)
    if scene.dtype.kind == "u":
        return passes.accumulate(IntegerCounts(n_bands, scene.dtype)).moments()
    return passes.accumulate(FloatMoments(n_bands, passes.origin())).result()


def _at_quantiles(scene: Scene, passes: Passes, quantiles: Sequence[Quantile]) -> list[list[float]]:
    """For each band, its values at each quantile."""
    n_bands = len(scene.bands)

    def ranks(n: int) -> list[int]:
        return [rank for quantile in quantiles for rank in quantile.ranks(n)]

    if scene.dtype.kind == "u":
        counts = passes.accumulate(IntegerCounts(n_bands, scene.dtype))
        n_pixels, neighbours = counts.n_pixels, counts.at(ranks(counts.n_pixels))
    elif all(quantile.is_extreme for quantile in quantiles):
        return passes.accumulate(Extremes(n_bands)).values()
    else:
        search = OrderStatistics(scene.dtype, n_bands, ranks)
        for number in range(search.n_passes):
            search.narrow(passes.accumulate(search.counts(number), search.n_passes, number))
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
