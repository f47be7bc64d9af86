"""Scale first: what spreads farthest decides, and after standardising units no longer matter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kmosaic.explain.points import Points, PointSet, shirt_sizes
from kmosaic.explain.starts import best_start
from kmosaic.explain.trace import Trace, trace
from kmosaic.report.wording import clean, shorten

# At this ratio of standard deviations the lesser column has a tenth of the total variance, 1 / (1 + 3 ** 2),
# and so hardly a say in any distance. A cloud without groups is cut into other clusters well before; four
# groups at the corners of a square are found up to it, and no longer at 4. The lesson's own points are below.
UNLIKE_SPREADS = 3.0
_N_SIZES = 3
_LONGEST_NAME = 24


@dataclass(frozen=True, eq=False)
class Rescaled:
    """The same people in other units, in three clusters numbered by height.

    ``n_moved`` of them are in another cluster than with the units that come first.
    """

    title: str
    data: PointSet
    fit: Trace
    n_moved: int


def standardised(points: Points) -> Points:
    """Return ``points`` with mean 0 and standard deviation 1 in each column; constant columns are 0.

    >>> standardised(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    spread = points.std(axis=0)
    scaled: Points = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def scale_hint(data: PointSet) -> str | None:
    """Return what to do about columns that spread too unlike, None where they do not or one is constant.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [1.0, 10.0], [2.0, 40.0]])
    >>> scale_hint(PointSet("own", "", "", points, 2, ("age", "height"))).partition(" (")[0]
    'height spreads 20.8 times as far as age'
    """
    if data.spread_ratio < UNLIKE_SPREADS:
        return None
    spread = data.points.std(axis=0)
    wide = int(np.argmax(spread))
    names = [shorten(clean(name), _LONGEST_NAME) for name in data.columns]
    return (
        f"{names[wide]} spreads {data.spread_ratio:,.3g} times as far as {names[1 - wide]} (standard "
        f"deviations {spread[wide]:,.3g} and {spread[1 - wide]:,.3g}), so it decides the clusters nearly "
        "alone; standardise both columns first, as part 4 shows"
    )


def rescaled() -> tuple[Rescaled, ...]:
    """Return the T-shirt sizes in cm and kg, in mm and kg, and standardised."""
    people = shirt_sizes()
    scaled = {
        "cm and kg": people,
        "mm and kg": replace(
            people, points=people.points * [10.0, 1.0], columns=("height in mm", "weight in kg")
        ),
        "standardised": replace(
            people,
            points=standardised(people.points),
            columns=("height, standardised", "weight, standardised"),
        ),
    }
    fits = {title: _by_height(data) for title, data in scaled.items()}
    labels: NDArray[np.int32] = fits["cm and kg"].labels
    return tuple(
        Rescaled(title, data, fits[title], int((fits[title].labels != labels).sum()))
        for title, data in scaled.items()
    )


def _by_height(data: PointSet) -> Trace:
    """The best fit, its clusters numbered from the smallest mean height on."""
    start = best_start(data, _N_SIZES)
    order = np.argsort(trace(data.points, start).centers[:, 0])
    return trace(data.points, start[order])
