"""The whole lesson, computed: six parts, each from fits of kmosaic's own estimators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kmosaic.explain.choosing import Photo, Scores, Sizes, painted_sample, scores, sizes
from kmosaic.explain.digits import Pictures, check_images, pictures
from kmosaic.explain.points import PointSet, islands, rings, separated, shirt_sizes, unlike
from kmosaic.explain.starts import EmptyCluster, Starts, empty_cluster, restarts, starts
from kmosaic.explain.trace import Trace, trace
from kmosaic.images import ImageCollection

_SLOW_START = 40  # restarts among which the one with most half-steps is shown: more to see

PARTS = {
    1: "two-steps",
    2: "starts",
    3: "empty-cluster",
    4: "no-clear-groups",
    5: "choosing-k",
    6: "pictures",
}

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, eq=False)
class TwoSteps:
    """The lesson's first part: data sets to choose from, each with the trace it opens with."""

    data: tuple[PointSet, ...]
    traces: tuple[Trace, ...]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Everything the lesson shows."""

    two_steps: TwoSteps
    starts: Starts
    empty: EmptyCluster
    sizes: Sizes
    scores: tuple[Scores, ...]
    photo: Photo
    pictures: Pictures
    own: bool = False


def make_lesson(
    collection: ImageCollection, own: PointSet | None = None, progress: Progress | None = None
) -> Lesson:
    """Compute the lesson, with ``collection``'s labelled images in its last part.

    ``own`` points are used in parts 1, 2, 3 and 5 in the place of made-up ones. ``progress(done, total,
    what)`` is told of each part.

    Raises
    ------
    ValueError
        When the images have no labels, or are fewer than fifty.
    """
    check_images(collection)
    report = progress or (lambda *_: None)
    report(0, 100, "part 1: two steps")
    two_steps = _two_steps(own)
    report(10, 100, "part 2: a hundred starts")
    seeded = starts(own or islands())
    report(25, 100, "part 3: an empty cluster")
    emptied = empty_cluster(own or islands())
    report(30, 100, "part 4: sizes")
    sized = sizes()
    report(35, 100, "part 5: choosing k")
    curves = tuple(scores(data) for data in ([own] if own else []) + [islands(), shirt_sizes()])
    report(45, 100, "part 5: a photo in few colours")
    painted = painted_sample()
    report(60, 100, "part 6: pictures")
    shown = pictures(collection, lambda done, total: report(60 + 40 * done // total, 100, "part 6: pictures"))
    return Lesson(two_steps, seeded, emptied, sized, curves, painted, shown, own is not None)


def _two_steps(own: PointSet | None) -> TwoSteps:
    data = (*((own,) if own else ()), separated(), shirt_sizes(), rings(), unlike())
    return TwoSteps(data, tuple(map(_slow_trace, data)))


@lru_cache(maxsize=8)
def _slow_trace(data: PointSet) -> Trace:
    """Of the fits that end best the one of which most half-steps can be watched."""
    drawn = restarts(data, "random", _SLOW_START)
    best = drawn.inertia <= drawn.inertia.min() * 1.0001
    return trace(data.points, drawn.starts[np.argmax(np.where(best, drawn.n_iter, 0))])
