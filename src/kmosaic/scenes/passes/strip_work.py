"""What is found of a strip in one go, wherever it is read: labels, and with them distances and sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.map.classifier import Classifier, TwoNearest
from kmosaic.scenes.scene import Strip
from kmosaic.scenes.stats.class_statistics import ClassSums


@dataclass(frozen=True, eq=False)
class StripDone:
    """What was found of a strip.

    ``labels`` is (n_lines, width) int32, -1 where a pixel is missing; ``detail`` has the two nearest classes,
    and ``sums`` what to merge, in order, each where it was asked for.
    """

    labels: NDArray[np.int32]
    detail: TwoNearest | None
    sums: list[ClassSums]


@dataclass(frozen=True, eq=False)
class StripWork:
    """What is to be found: labels; with ``twice`` the two nearest classes; with ``sums``, which are empty,
    sums by class."""

    classifier: Classifier
    twice: bool = False
    sums: ClassSums | None = None

    def of(self, strip: Strip) -> StripDone:
        """Find it."""
        detail = self.classifier.label_twice(strip) if self.twice else None
        labels = self.classifier.label(strip) if detail is None else detail.nearest
        return StripDone(labels, detail, self.sums.parts(strip.values, labels) if self.sums else [])

    def packed(self, done: StripDone) -> StripDone:
        """Return the same with labels of as few bytes as do."""
        return _with_labels(done, np.min_scalar_type(-len(self.classifier.centers)))


def unpacked(done: StripDone) -> StripDone:
    """Return what was ``packed``."""
    return _with_labels(done, np.dtype(np.int32))


def _with_labels(done: StripDone, dtype: np.dtype[Any]) -> StripDone:
    labels = done.labels.astype(dtype)
    detail = done.detail and replace(done.detail, nearest=labels, second=done.detail.second.astype(dtype))
    return replace(done, labels=labels, detail=detail)
